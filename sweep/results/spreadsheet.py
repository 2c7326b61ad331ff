"""Keeps spreadsheets from reading text in CSV files as formulas, which could start a program."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def for_spreadsheet(value: Any) -> Any:
    """A value for a CSV file. Text that looks like a formula gets an apostrophe in front; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    text = value.replace("\r", "\n")  # pandas does not quote \r, which would begin a new row
    return f"'{text}" if value.startswith(_FORMULA) else text


def table_for_spreadsheet(table: "pd.DataFrame") -> "pd.DataFrame":
    """Apply `for_spreadsheet` to each value of a table."""
    texts = table.select_dtypes(exclude=["number", "bool", "datetime"])
    return table.assign(**{str(name): column.map(for_spreadsheet) for name, column in texts.items()})
