"""What a search with n trials would have found: the best score of n trials drawn at random."""

import numpy as np
import pandas as pd
from scipy.special import gammaln

from reports.names import in_order
from search_spaces.experiment import Score

MOST_TRIALS = 200  # largest n


def best_of_n(prefix: pd.DataFrame, score: Score) -> pd.DataFrame:
    """Best score of n trials that are drawn from the finished prefix without replacement (Dodge et al., 2019).

    Args:
        prefix: the finished prefix, with `value`.
        score: says what is better.

    Returns:
        Rows by family and n: family, n, mean, and the quantiles low (10 %) and high (90 %) of the best score.
    """
    known = prefix[prefix["value"].notna()]
    sign = 1 if score.higher_is_better else -1
    parts = [
        _family_best(family, sign * known.loc[known["family"] == family, "value"].to_numpy(), sign)
        for family in in_order(known["family"])
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["family", "n", "mean"])


def _family_best(family: str, values: np.ndarray, sign: int) -> pd.DataFrame:
    """Statistics of the best of n, for values of which the highest is the best."""
    ordered = np.sort(values)
    ns = np.unique(np.geomspace(1, min(len(values), MOST_TRIALS), 40).round().astype(int))
    rows = []
    for n in ns:
        at_most = _all_within(np.arange(1, len(ordered) + 1), len(ordered), int(n))
        chance = np.diff(at_most, prepend=0.0)
        ends = sorted(sign * ordered[np.searchsorted(at_most, q - 1e-12)] for q in (0.1, 0.9))
        rows.append(
            {"family": family, "n": int(n), "mean": sign * float(chance @ ordered)}
            | dict(zip(("low", "high"), ends, strict=True))
        )
    return pd.DataFrame(rows)


def _all_within(k: np.ndarray, size: int, n: int) -> np.ndarray:
    """Probability that n of `size` trials, drawn without replacement, all lie among the k lowest."""
    # scipy.stats.hypergeom.pmf(n, size, k, n) is the same, but some hundred times slower.
    with np.errstate(invalid="ignore"):
        log = gammaln(k + 1) - gammaln(k - n + 1) - gammaln(size + 1) + gammaln(size - n + 1)
    return np.where(k >= n, np.exp(log), 0.0)
