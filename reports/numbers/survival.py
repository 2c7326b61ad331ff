"""Scores without bins: the share of each family's grid that scores better than s, for every s."""

import numpy as np
import pandas as pd

from reports.names import in_order
from reports.numbers.prefix import CONFIDENCE, shares
from search_spaces.experiment import Score

POINTS = 40  # quantiles evaluated in [0, 0.9], and again in the tail; the curve is monotone in between


def survival(prefix: pd.DataFrame, trials: pd.DataFrame, score: Score) -> pd.DataFrame:
    """Share of each family's trials that score better than s, with bands that hold for all s and at all moments.

    Args:
        prefix: the finished prefix, with `value`.
        trials: every declared trial.
        score: says what is better.

    Returns:
        Rows by family, from the worst score to the best: family, score, share, low, high. The share is that of trials
        better than this score, and the band holds for scores from this one to the next.
    """
    known = prefix[prefix["value"].notna()]
    parts = [_family_survival(family, prefix, trials, score) for family in in_order(known["family"])]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["family", "score", "share"])


def _family_survival(family: str, prefix: pd.DataFrame, trials: pd.DataFrame, score: Score) -> pd.DataFrame:
    own, declared = prefix[prefix["family"] == family], trials[trials["family"] == family]
    sign = 1 if score.higher_is_better else -1
    values = sign * own["value"].to_numpy()  # the higher, the better
    there = values[~np.isnan(values)]
    start = [] if score.worst is None else [sign * score.worst]
    tail = 1 - np.geomspace(0.1, min(0.05, 1 / len(there)), POINTS)
    points = np.unique(np.concatenate([start, np.quantile(there, [*np.linspace(0, 0.9, POINTS), *tail, 1.0])]))
    alpha = (1 - CONFIDENCE) / len(points)
    share, low, high = shares(own, declared, values[:, None] > points, 1 - alpha)
    # Between two points the curve lies below its value at the first and above its value at the second.
    low = np.append(np.maximum.accumulate(low[::-1])[::-1][1:], 0.0)
    high = np.minimum.accumulate(high)
    if len(there) == len(declared):  # all values are known
        low = high = share
    return pd.DataFrame({"family": family, "score": sign * points, "share": share, "low": low, "high": high})
