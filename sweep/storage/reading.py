"""Rows of a query as plain values or as a table, without anything that no sweep can have written."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Label, Select, literal_column, type_coerce
from sqlalchemy.types import NullType

from sweep.storage import tables, values
from sweep.storage.engine import Database

if TYPE_CHECKING:
    import pandas as pd

AT_ONCE = 100_000  # rows
FETCHED = 2_000  # rows that are turned into columns together, while they lie in the processor's cache


def frame(
    database: Database, query: Select[Any], is_whole: "Callable[[pd.DataFrame], pd.Series] | None" = None
) -> "pd.DataFrame":
    """The rows of a query on tables of this project; `is_whole` as in `values.frame`."""
    (found,) = _columnwise(database, query, math.inf)
    return values.frame(found, _columns(query), is_whole)


def frames(database: Database, query: Select[Any]) -> "Iterator[pd.DataFrame]":
    """The same in parts of about `AT_ONCE` rows, one at least: as plain values they take far more memory than here."""
    for found in _columnwise(database, query, AT_ONCE):
        yield values.frame(found, _columns(query))


def records(database: Database, query: Select[Any]) -> list[dict[str, Any]]:
    """The rows of a query, one dictionary for each."""
    return values.records(rows(database, query), _columns(query))


def rows(database: Database, query: Select[Any]) -> Sequence[Any]:
    """The rows of a query without type conversion: that of SQLAlchemy raises for what no sweep can have written."""
    with database.read() as connection:
        return connection.execute(_raw(database, query)).all()


def _columnwise(database: Database, query: Select[Any], at_once: float) -> Iterator[list[list[Any]]]:
    """The values of each column in parts of about so many rows, one part at least."""
    nothing: list[tuple[Any, ...]] = [()] * len(_columns(query))
    with database.read() as connection:
        result = connection.execute(_raw(database, query), execution_options={"yield_per": FETCHED})
        fetched = [nothing]
        for rows in result.partitions():
            if len(fetched) * FETCHED > at_once:
                yield _joined(fetched)
                fetched = [nothing]
            fetched.append(list(zip(*rows, strict=True)))
    yield _joined(fetched)


def _joined(fetched: Sequence[Sequence[tuple[Any, ...]]]) -> list[list[Any]]:
    return [list(chain.from_iterable(own)) for own in zip(*fetched, strict=True)]


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
