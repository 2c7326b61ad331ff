"""Intervals of the bars of figure 2, for a grid that is unfinished: how the whole grid may turn out."""

from typing import Any

import pandas as pd

from reports.explorer.presets import matching
from reports.numbers.histogram import bars, bin_edges
from reports.numbers.prefix import known
from reports.numbers.study import WAITING

FIGURE = 2
DIGITS = 3


def bands(cells: pd.DataFrame, presets: list[dict[str, Any]]) -> dict[str, Any] | None:
    """By preset of figure 2 and family: low and high percent of each of its 25 bins; None for a finished grid.

    Args:
        cells: every declared cell, with `outcome`.
    """
    if not (cells["outcome"] == WAITING).any():
        return None
    chosen, found = known(cells), {}
    for preset in presets:
        if preset["figure"] == FIGURE:
            passed = matching(cells, preset["filters"])
            inside = chosen[passed[chosen.index]]
            table = bars(inside, cells[passed], bin_edges(inside["value"]))
            found[preset["key"]] = {
                family: {end: own[end].round(DIGITS).tolist() for end in ("low", "high")}
                for family, own in table.groupby("family")
            }
    return found
