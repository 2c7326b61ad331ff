"""The numbers of a report: rows of a database become small tables. Nothing here draws."""
