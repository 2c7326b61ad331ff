"""Histograms that Python counts over all trials, for databases too large to be listed whole in a page."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.explorer.presets import edges_of, matching
from reports.names import in_order
from reports.numbers.values import values_of
from search_spaces.experiment import Experiment, Score

FINEST = 100  # bins; the page sums neighbours into 50, 25, 20 or 10


def full_counts(
    trials: pd.DataFrame,
    in_prefix: pd.Series,
    scores: Sequence[Score],
    presets: list[dict[str, Any]],
    experiment: Experiment,
) -> dict[str, dict[str, Any]]:
    """By score and preset: the largest value, and per family the declared trials and the number in each of 100 bins.

    The score that ranks has `in_paper_bins` too, the numbers in the paper's bins, where the paper has some.

    Args:
        trials: every trial, with `outcome`.
        in_prefix: whether figures may rest on it.
    """
    families = in_order(trials["family"].unique())
    masks = {preset["key"]: matching(trials, preset["filters"]) for preset in presets}
    found: dict[str, dict[str, Any]] = {}
    for score in scores:
        values = values_of(trials, score).where(in_prefix).clip(lower=0.0)  # bins start at 0
        found[score.name] = {}
        for preset in presets:
            mask = masks[preset["key"]]
            family, own = trials.loc[mask, "family"], values[mask]
            largest = float(own.max()) if own.notna().any() and own.max() > 0 else 1.0
            edges = edges_of(experiment, preset, own) if score is experiment.scores[0] else None
            found[score.name][preset["key"]] = {
                "largest": largest,
                "declared": [int((family == name).sum()) for name in families],
                "counts": _counts(family, own, np.linspace(0.0, largest, FINEST + 1), families),
                "in_paper_bins": None if edges is None else _counts(family, own, edges, families),
            }
    return found


def _counts(
    family: pd.Series, values: pd.Series, edges: NDArray[np.float64], families: list[str]
) -> dict[str, list[int]]:
    return {name: np.histogram(values[family == name].dropna(), edges)[0].tolist() for name in families}
