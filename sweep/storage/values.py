"""What a column of the results database may hold, by its declaration in `sweep.storage.tables`.

A database may come from a stranger, and SQLite keeps any value in any column. A value that no sweep can have written
there is read as missing: text where a number belongs, an infinite number, a blob where text belongs, text longer than
the column allows, a list where a mapping belongs, a time that does not exist. A row is left out if that happens in a
column that is never NULL, such as a trial's identity or its place in the order.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import compress
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column

if TYPE_CHECKING:
    import pandas as pd

LARGEST: dict[type, float] = {int: 2**31 - 1, float: 3.5e38}  # limits of 32-bit numbers; measured values are float32
# Kinds of values that pandas infers for a column in which every value has its type or is missing.
_PURE: dict[type, set[str]] = {
    str: {"string", "empty"},
    int: {"integer", "empty"},
    float: {"floating", "integer", "mixed-integer-float", "empty"},
    datetime: {"string", "datetime", "empty"},
}


def frame(
    found: Sequence[Sequence[Any]],
    columns: Sequence[Column[Any]],
    is_whole: "Callable[[pd.DataFrame], pd.Series] | None" = None,
) -> "pd.DataFrame":
    """A table of proper types from the values of each column as the database gave them, without type conversion.

    Args:
        is_whole: function that says for each row whether it has the values that it must have, in addition to those
            of columns that are never NULL.
    """
    import pandas as pd  # loading it takes a second, and planning needs none of it

    made = pd.DataFrame({column.name: _series(own, column) for column, own in zip(columns, found, strict=True)})
    never_empty = [column.name for column in columns if not column.nullable]
    whole = made[never_empty].notna().all(axis=1)
    if is_whole is not None:
        whole &= is_whole(made)
    return made if whole.all() else frame([list(compress(own, whole)) for own in found], columns, is_whole)


def records(rows: Sequence[Sequence[Any]], columns: Sequence[Column[Any]]) -> list[dict[str, Any]]:
    """Plain values from rows as the database gave them, one dictionary per row; None is a missing value."""
    made = [{column.name: _value(one, column) for column, one in zip(columns, row, strict=True)} for row in rows]
    never_empty = [column.name for column in columns if not column.nullable]
    return [row for row in made if all(row[name] is not None for name in never_empty)]


def _value(found: object, column: Column[Any]) -> Any:
    """A value as Python has it, or None if no sweep can have written it there."""
    value, most = _READERS[column.type.python_type](found), _most_letters(column)
    return None if most and value is not None and len(value) > most else value


def _most_letters(column: Column[Any]) -> int | None:
    return getattr(column.type, "length", None)


def _flag(found: Any) -> bool | None:
    return bool(found) if isinstance(found, int) and found in (0, 1) else None


def _whole(found: Any) -> int | None:
    is_whole = isinstance(found, int) and not isinstance(found, bool)
    return found if is_whole and abs(found) <= LARGEST[int] else None


def _number(found: Any) -> float | None:
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return float(found) if is_number and abs(found) <= LARGEST[float] else None


def _text(found: Any) -> str | None:
    return found if isinstance(found, str) else None


def _time(found: Any) -> datetime | None:
    """UTC without a time zone: as text in an SQLite file, as a time from a server."""
    if isinstance(found, str):
        with suppress(ValueError):
            found = datetime.fromisoformat(found)
    return found if isinstance(found, datetime) and found.tzinfo is None else None


def _mapping(found: Any) -> dict[str, Any] | None:
    """JSON: as text in an SQLite file, parsed from a server."""
    if isinstance(found, str):
        with suppress(ValueError, RecursionError):
            found = json.loads(found)
    return found if isinstance(found, dict) else None


def _blob(found: Any) -> bytes | None:
    return bytes(found) if isinstance(found, bytes | memoryview) else None


_READERS: dict[type, Callable[[Any], Any]] = {
    bool: _flag,
    int: _whole,
    float: _number,
    str: _text,
    datetime: _time,
    object: _mapping,  # the type that SQLAlchemy names for JSON
    bytes: _blob,
}


def _series(found: Sequence[Any], column: Column[Any]) -> "pd.Series":
    """A column of a table. Values are checked one by one only where a quick check of the column fails."""
    if _is_pure(found, column):
        with suppress(ValueError, TypeError):  # a time does not exist or has a time zone
            return _typed(found, column.type.python_type)
    return _typed([_value(one, column) for one in found], column.type.python_type)


def _is_pure(found: Sequence[Any], column: Column[Any]) -> bool:
    """Whether every value has the column's type or is missing. Texts pass as times here; `_typed` parses them."""
    import numpy as np
    from pandas.api.types import infer_dtype

    kind = column.type.python_type
    if kind is bool:
        return set(found) <= {False, True}
    if infer_dtype(found, skipna=True) not in _PURE.get(kind, set()):
        return False
    most = _most_letters(column)
    if most:
        return max(map(len, filter(None, found)), default=0) <= most
    return kind not in LARGEST or not (np.abs(np.array(found, dtype=float)) > LARGEST[kind]).any()


def _typed(values: Sequence[Any], kind: type) -> "pd.Series":
    import pandas as pd

    if kind is datetime:
        times = pd.to_datetime(pd.Series(values, dtype=object), format="ISO8601")
        return times.astype("datetime64[us]")
    if kind is float or (kind is int and None in values):
        return pd.Series(values, dtype=float)
    if kind in (int, bool) and None not in values:
        return pd.Series(values, dtype=kind)
    return pd.Series(values, dtype=None if kind is str and len(values) else object)
