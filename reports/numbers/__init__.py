"""What a report says in numbers: from the rows of a database to small tables. Nothing here draws."""
