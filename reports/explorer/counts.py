"""Histograms that Python counts over all trials, for databases too large to be listed whole in a page."""

from typing import Any

import numpy as np
import pandas as pd

from reports.explorer.presets import matching
from reports.explorer.scores import SCORES, score_values
from reports.names import in_order

FINEST = 100  # bins; the page sums neighbours into 50, 25, 20 or 10


def full_counts(cells: pd.DataFrame, known: pd.Series, presets: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By score and preset: the largest value, and per family the cells declared and those known in each of 100 bins.

    Args:
        cells: every cell, with `outcome`.
        known: whether figures may rest on it.
    """
    families = in_order(cells["family"].unique())
    masks = {preset["key"]: matching(cells, preset["filters"]) for preset in presets}
    return {
        name: {
            key: _count(cells["family"], score_values(cells, name).where(known), mask, families)
            for key, mask in masks.items()
        }
        for name in SCORES
    }


def _count(family: pd.Series, values: pd.Series, mask: pd.Series, families: list[str]) -> dict[str, Any]:
    family, values = family[mask], values[mask]
    largest = float(values.max()) if values.notna().any() and values.max() > 0 else 1.0
    edges = np.linspace(0.0, largest, FINEST + 1)
    counts = {name: np.histogram(values[family == name].dropna(), edges)[0].tolist() for name in families}
    return {"largest": largest, "declared": [int((family == name).sum()) for name in families], "counts": counts}
