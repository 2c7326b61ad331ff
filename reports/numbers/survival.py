"""Scores without bins: survival curves, and what the best of n random trials would have scored."""

import numpy as np
import pandas as pd
from scipy.special import gammaln

from reports.names import in_order
from reports.numbers.prefix import CONFIDENCE, shares

POINTS = 40  # scores at which a band is computed, and as many in the upper tenth; between two of them the curve falls
MOST_TRIALS = 200  # of best-of-n curves


def survival(chosen: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Share of each family's cells that score above s, with bands that hold for all s and all moments together.

    Args:
        chosen: known cells, with `value`.
        cells: every declared cell.

    Returns:
        Rows in order of family and score: family, score (nats), share, low, high; share is the curve just right of
        its score, and the band is for scores from this one to the next.
    """
    parts = [_family_survival(family, chosen, cells) for family in in_order(chosen["family"])]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["family", "score", "share"])


def _family_survival(family: str, chosen: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    own, declared = chosen[chosen["family"] == family], cells[cells["family"] == family]
    values = own["value"].to_numpy()
    tail = 1 - np.geomspace(0.1, min(0.05, 1 / len(values)), POINTS)
    points = np.unique(np.concatenate([[0.0], np.quantile(values, [*np.linspace(0, 0.9, POINTS), *tail, 1.0])]))
    alpha = (1 - CONFIDENCE) / len(points)
    share, low, high = shares(own, declared, values[:, None] > points, 1 - alpha)
    # Between two points the curve lies below the first and above the second.
    low = np.append(np.maximum.accumulate(low[::-1])[::-1][1:], 0.0)
    high = np.minimum.accumulate(high)
    if len(own) == len(declared):  # nothing is left to guess
        low = high = share
    return pd.DataFrame({"family": family, "score": points, "share": share, "low": low, "high": high})


def best_of(chosen: pd.DataFrame) -> pd.DataFrame:
    """What the best of n trials scores that are drawn from the known cells, none twice (Dodge et al., 2019).

    Returns:
        Rows by family and n: family, n, mean (nats), and the quantiles low (10 %) and high (90 %) of the best score.
    """
    parts = [
        _family_best(str(family), group["value"].to_numpy()) for family, group in chosen.groupby("family", sort=False)
    ]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["family", "n", "mean"])
    return table.set_index("family").loc[in_order(chosen["family"])].reset_index()


def _family_best(family: str, values: np.ndarray) -> pd.DataFrame:
    ordered = np.sort(values)
    ns = np.unique(np.geomspace(1, min(len(values), MOST_TRIALS), 40).round().astype(int))
    rows = []
    for n in ns:
        at_most = _all_within(np.arange(1, len(ordered) + 1), len(ordered), int(n))
        chance = np.diff(at_most, prepend=0.0)
        low, high = (ordered[np.searchsorted(at_most, q - 1e-12)] for q in (0.1, 0.9))
        rows.append({"family": family, "n": int(n), "mean": float(chance @ ordered), "low": low, "high": high})
    return pd.DataFrame(rows)


def _all_within(k: np.ndarray, size: int, n: int) -> np.ndarray:
    """Probability that n of `size` cells, drawn without replacement, all lie among the k lowest."""
    with np.errstate(invalid="ignore"):
        log = gammaln(k + 1) - gammaln(k - n + 1) - gammaln(size + 1) + gammaln(size - n + 1)
    return np.where(k >= n, np.exp(log), 0.0)
