"""How many cells score well: shares of each family above given fractions of the real-data score.

The interval is Wilson's, 95 %, for cells drawn independently (E. B. Wilson, 1927).
"""

from fractions import Fraction

import pandas as pd
from scipy.stats import binomtest

from reports.labels import in_order

FRACTIONS = (Fraction(1, 3), Fraction(2, 3))
CONFIDENCE = 0.95


def shares_above(cells: pd.DataFrame, declared: pd.DataFrame, real_score: float) -> pd.DataFrame:
    """Share of each family's finished cells that score above a third and two thirds of `real_score`.

    Args:
        cells: finished cells, with `family` and `value` in nats.
        declared: every declared cell, with `family`.
        real_score: score of real digits, nats.

    Returns:
        One row per family and fraction: family, declared, cells, fraction, threshold (nats), above, share, and
        the interval's low and high; the last three are empty for a family with no finished cell.
    """
    rows = []
    for family in in_order(declared["family"]):
        values = cells.loc[cells["family"] == family, "value"]
        sizes = {"declared": int((declared["family"] == family).sum()), "cells": len(values)}
        for fraction in FRACTIONS:
            threshold = float(fraction) * real_score
            above = int((values > threshold).sum())
            place = {"fraction": str(fraction), "threshold": threshold, "above": above}
            rows.append({"family": family} | sizes | place | _share(above, len(values)))
    return pd.DataFrame(rows)


def _share(above: int, n: int) -> dict[str, float]:
    if n == 0:
        return dict.fromkeys(("share", "low", "high"), float("nan"))
    interval = binomtest(above, n).proportion_ci(CONFIDENCE, method="wilson")
    return {"share": above / n, "low": interval.low, "high": interval.high}
