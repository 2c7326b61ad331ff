"""What trials can be told apart by: the axes that vary, with their values as codes, and what is fixed."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from reports.names import AXES, in_order, short
from reports.numbers.study import DIVERGED, FAILED, SCORED, UNSCORED, WAITING

MOST_VALUES = 12  # a number with more of them is filtered by a range
_AXES = AXES | {"seed": "seed"}
_OUTCOMES = [SCORED, DIVERGED, FAILED, UNSCORED, WAITING]


def axes(cells: pd.DataFrame, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The axes on which some family varies, and the outcome: name, label, `varies_in` (families), and the rows' values.

    Values come as `values` (text, in order) and `codes`, or as plain `numbers` where there are many; -1 and
    None stand for no value.

    Args:
        cells: every cell, which says what there is.
        rows: those of them to be listed.
    """
    found = [_axis(cells, rows, name, label) for name, label in _AXES.items() if varying(cells, name)]
    outcomes = [name for name in _OUTCOMES if (cells["outcome"] == name).any()]
    codes = pd.Categorical(rows["outcome"], outcomes).codes.tolist()
    every = in_order(cells["family"].unique())
    return [*found, {"name": "outcome", "label": "outcome", "varies_in": every, "values": outcomes, "codes": codes}]


def varying(cells: pd.DataFrame, name: str) -> list[str]:
    """Families that have more than one value on an axis."""
    counts = cells.groupby("family")[name].nunique(dropna=False)
    return in_order(counts.index[counts > 1])


def fixed(cells: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Per family what all its cells share, as text by label: its space and the axes that never vary."""
    return {str(family): dict(_shared(cells, own)) for family, own in cells.groupby("family")}


def text(value: Any) -> str:
    """A value as it is shown and as it stands in links; different values give different texts."""
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(float(value))
    return {"True": "on", "False": "off"}.get(str(value), str(value))


def _axis(cells: pd.DataFrame, rows: pd.DataFrame, name: str, label: str) -> dict[str, Any]:
    axis = {"name": name, "label": label, "varies_in": varying(cells, name)}
    values = sorted(cells[name].dropna().unique().tolist(), key=lambda value: (isinstance(value, str), value))
    if len(values) > MOST_VALUES and pd.api.types.is_numeric_dtype(cells[name]):
        return axis | {"numbers": [None if pd.isna(value) else value for value in rows[name].tolist()]}
    return axis | {"values": [text(v) for v in values], "codes": pd.Categorical(rows[name], values).codes.tolist()}


def _shared(cells: pd.DataFrame, own: pd.DataFrame) -> Iterator[tuple[str, str]]:
    yield "space", short(str(own["space"].iloc[0]))
    for name, label in _AXES.items():
        if not varying(cells, name) and pd.notna(own[name].iloc[0]):
            yield label, text(own[name].iloc[0])
