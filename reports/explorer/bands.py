"""Confidence intervals of the bars of figure 2 for an unfinished grid."""

from typing import Any

import pandas as pd

from reports.explorer.presets import edges_of, matching
from reports.numbers.histogram import bars, bin_edges
from reports.numbers.values import WAITING
from search_spaces.experiment import Experiment

FIGURE = 2
DIGITS = 3


def bands(
    trials: pd.DataFrame, prefix: pd.DataFrame, presets: list[dict[str, Any]], experiment: Experiment
) -> dict[str, Any] | None:
    """By preset of figure 2 and family: low and high percent of each bin; None for a finished grid.

    The bins are the paper's where it has bars to compare with, else 25.

    Args:
        trials: every declared trial.
        prefix: their finished prefix.
    """
    if not (trials["outcome"] == WAITING).any():
        return None
    found = {}
    for preset in presets:
        if preset["figure"] == FIGURE:
            passed = matching(trials, preset["filters"])
            inside = prefix[passed[prefix.index]]
            edges = edges_of(experiment, preset, inside["value"])
            table = bars(inside, trials[passed], bin_edges(inside["value"]) if edges is None else edges)
            found[preset["key"]] = {
                family: {end: own[end].round(DIGITS).tolist() for end in ("low", "high")}
                for family, own in table.groupby("family")
            }
    return found
