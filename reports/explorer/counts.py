"""Histograms that Python counts over all trials, for databases too large to be listed whole in a page."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from reports.explorer.presets import matching
from reports.names import in_order
from reports.numbers.values import values_of
from search_spaces.experiment import Score

FINEST = 100  # bins; the page sums neighbours into 50, 25, 20 or 10


def full_counts(
    trials: pd.DataFrame, in_prefix: pd.Series, scores: Sequence[Score], presets: list[dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """By score and preset: the largest value, and per family the declared trials and the number in each of 100 bins.

    Args:
        trials: every trial, with `outcome`.
        in_prefix: whether figures may rest on it.
    """
    families = in_order(trials["family"].unique())
    masks = {preset["key"]: matching(trials, preset["filters"]) for preset in presets}
    return {
        score.name: {
            key: _count(trials["family"], values_of(trials, score).where(in_prefix), mask, families)
            for key, mask in masks.items()
        }
        for score in scores
    }


def _count(family: pd.Series, values: pd.Series, mask: pd.Series, families: list[str]) -> dict[str, Any]:
    family, values = family[mask], values[mask].clip(lower=0.0)  # bins start at 0
    largest = float(values.max()) if values.notna().any() and values.max() > 0 else 1.0
    edges = np.linspace(0.0, largest, FINEST + 1)
    counts = {name: np.histogram(values[family == name].dropna(), edges)[0].tolist() for name in families}
    return {"largest": largest, "declared": [int((family == name).sum()) for name in families], "counts": counts}
