"""Shares of each family's grid that score above given fractions of the real-data score."""

from fractions import Fraction

import numpy as np
import pandas as pd

from reports.names import in_order
from reports.numbers.prefix import shares

FRACTIONS = (Fraction(1, 3), Fraction(2, 3))


def shares_above(prefix: pd.DataFrame, trials: pd.DataFrame, real_score: float) -> pd.DataFrame:
    """Share of each family's grid that scores above a third and two thirds of `real_score`.

    Args:
        prefix: the finished prefix, with `value`.
        trials: every declared trial.
        real_score: score of real images, in the unit of the values.

    Returns:
        One row per family and fraction: family, declared, cells (trials of the prefix with a value), fraction,
        threshold, above (how many of these score above it), share of the grid (an estimate; empty while no trial has
        a value), and low and high, the interval of `reports.numbers.prefix.shares`.
    """
    rows = []
    for family in in_order(trials["family"]):
        own, all_of_it = prefix[prefix["family"] == family], trials[trials["family"] == family]
        thresholds = np.array([float(fraction) * real_score for fraction in FRACTIONS])
        hits = own["value"].to_numpy()[:, None] > thresholds
        found = zip(FRACTIONS, thresholds, hits.sum(0), *shares(own, all_of_it, hits), strict=True)
        for fraction, threshold, above, share, low, high in found:
            sizes = {"family": family, "declared": len(all_of_it), "cells": int(own["value"].notna().sum())}
            place = {"fraction": str(fraction), "threshold": threshold, "above": int(above)}
            rows.append(sizes | place | {"share": share, "low": low, "high": high})
    return pd.DataFrame(rows)
