"""Text in CSV files that no spreadsheet takes for a formula, which could start a program."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def for_spreadsheet(value: Any) -> Any:
    """A value for a CSV file: an apostrophe keeps spreadsheets from taking text for a formula; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    text = value.replace("\r", "\n")  # pandas would write it bare, and it would begin a row
    return f"'{text}" if value.startswith(_FORMULA) else text


def table_for_spreadsheet(table: "pd.DataFrame") -> "pd.DataFrame":
    """The same for each value of a table."""
    texts = table.select_dtypes(exclude=["number", "bool", "datetime"])
    return table.assign(**{str(name): column.map(for_spreadsheet) for name, column in texts.items()})
