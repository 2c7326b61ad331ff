"""Rows of a query as plain values or as a table, without anything that no sweep can have written."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Label, Select, literal_column, type_coerce
from sqlalchemy.types import NullType

from sweep.storage import tables, values
from sweep.storage.engine import Database

if TYPE_CHECKING:
    import pandas as pd

AT_ONCE = 5_000  # rows; their values lie in the processor's cache while they become columns


def frame(
    database: Database, query: Select[Any], is_whole: "Callable[[pd.DataFrame], pd.Series] | None" = None
) -> "pd.DataFrame":
    """The rows of a query on tables of this project; `is_whole` as in `values.frame`."""
    found: list[list[Any]] = [[] for _ in _columns(query)]
    for part in _parts(database, query):
        for own, more in zip(found, part, strict=True):
            own.extend(more)
    return values.frame(found, _columns(query), is_whole)


def frames(database: Database, query: Select[Any]) -> "Iterator[pd.DataFrame]":
    """The same in parts of up to `AT_ONCE` rows, one at least: as plain values they take far more memory than here."""
    for part in _parts(database, query):
        yield values.frame(part, _columns(query))


def records(database: Database, query: Select[Any]) -> list[dict[str, Any]]:
    """The rows of a query, one dictionary for each."""
    return values.records(rows(database, query), _columns(query))


def rows(database: Database, query: Select[Any]) -> Sequence[Any]:
    """The rows of a query without type conversion: that of SQLAlchemy raises for what no sweep can have written."""
    with database.read() as connection:
        return connection.execute(_raw(database, query)).all()


def _parts(database: Database, query: Select[Any]) -> Iterator[Sequence[Sequence[Any]]]:
    """The same in parts of up to `AT_ONCE` rows, one at least: the values of each column."""
    with database.read() as connection:
        result = connection.execute(_raw(database, query), execution_options={"yield_per": AT_ONCE})
        yield list(zip(*result.fetchmany(AT_ONCE), strict=True)) or [()] * len(_columns(query))
        for rows in result.partitions():
            yield list(zip(*rows, strict=True))


def _raw(database: Database, query: Select[Any]) -> Select[Any]:
    raw = [
        _absent(column.name) if column.name in database.absent else type_coerce(column, NullType()).label(column.name)
        for column in _columns(query)
    ]
    return query.with_only_columns(*raw, maintain_column_froms=True)


def _absent(name: str) -> Label[Any]:
    """What stands for a column that the database lacks."""
    return literal_column(tables.before_it_was(name), NullType()).label(name)


def _columns(query: Select[Any]) -> list[Column[Any]]:
    return list(query.selected_columns)  # type: ignore[arg-type]
