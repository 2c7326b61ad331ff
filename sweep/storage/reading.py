"""Rows of a query as plain values or as a table, without anything that no sweep can have written."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Label, Select, literal_column, type_coerce
from sqlalchemy.types import NullType

from sweep.storage import tables, values
from sweep.storage.engine import Database

if TYPE_CHECKING:
    import pandas as pd


def frame(
    database: Database, query: Select[Any], is_whole: "Callable[[pd.DataFrame], pd.Series] | None" = None
) -> "pd.DataFrame":
    """The rows of a query on tables of this project; `is_whole` as in `values.frame`."""
    return values.frame(rows(database, query), _columns(query), is_whole)


def records(database: Database, query: Select[Any]) -> list[dict[str, Any]]:
    """The rows of a query, one dictionary for each."""
    return values.records(rows(database, query), _columns(query))


def rows(database: Database, query: Select[Any]) -> Sequence[Any]:
    """The rows of a query without type conversion: that of SQLAlchemy raises for what no sweep can have written."""
    raw = [
        _absent(column.name) if column.name in database.absent else type_coerce(column, NullType()).label(column.name)
        for column in _columns(query)
    ]
    with database.read() as connection:
        return connection.execute(query.with_only_columns(*raw, maintain_column_froms=True)).all()


def _absent(name: str) -> Label[Any]:
    """What stands for a column that the database lacks."""
    return literal_column(tables.before_it_was(name), NullType()).label(name)


def _columns(query: Select[Any]) -> list[Column[Any]]:
    return list(query.selected_columns)  # type: ignore[arg-type]
