"""Comparisons of families: effect sizes with intervals from a cluster bootstrap over shapes (docs/statistics.md).

Trials of one shape are alike, so whole shapes are resampled instead of trials. The percentile intervals say how far
another set of shapes and seeds could have moved the numbers, even for a finished grid.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.signal import fftconvolve
from scipy.stats import bootstrap

from reports.names import family_label
from reports.numbers.prefix import CONFIDENCE, FEWEST_SHAPES, shares
from search_spaces.experiments.mnist_gan import MNIST_GAN

RESAMPLES = 1999
CLUSTERS = 256  # clusters at most; more shapes than that share clusters
MOST_PAIRED = 2048  # most differences whose pairs are computed one by one
STEPS = 4096
FAIR = "GAN with Adam, 0.001"
UNPAIRED = "none"  # the pairing of two sides that are not paired
_PAIRED_BY = [axis for axis in MNIST_GAN.axes if axis != "pt_weight"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Side:
    """One side of a comparison.

    Attributes:
        name: in print.
        prefix: its trials of the finished prefix, those without a value too.
        trials: all its declared trials.
    """

    name: str
    prefix: pd.DataFrame
    trials: pd.DataFrame

    @cached_property
    def known(self) -> pd.DataFrame:
        """Trials with a value."""
        return self.prefix[self.prefix["value"].notna()]

    @cached_property
    def scores(self) -> Floats:
        return self.known["value"].to_numpy(float)

    @cached_property
    def cluster(self) -> NDArray[np.intp]:
        """The cluster of each score, from its shape and numbered from 0; too many shapes share clusters."""
        return pd.factorize(pd.factorize(self.known["shape"])[0] % CLUSTERS)[0]

    @property
    def n_shapes(self) -> int:
        return int(self.known["shape"].nunique())

    def above(self, threshold: float) -> tuple[float, float]:
        """Interval of the share above a threshold, at a confidence with which two of them hold together."""
        hits = (self.prefix["value"] > threshold).to_numpy()[:, None]
        _, low, high = shares(self.prefix, self.trials, hits, _BOTH)
        return float(low[0]), float(high[0])


def compare(prefix: pd.DataFrame, trials: pd.DataFrame, real_score: float, worst: float | None = None) -> pd.DataFrame:
    """All comparisons for which the finished prefix has trials.

    Args:
        prefix: the finished prefix, with `value`, `shape` and the axes.
        trials: every declared trial.
        real_score: score of real data, in the unit of the values.
        worst: the worst value that a trial can have, if there is one.

    Returns:
        One row per comparison and measure: one, other, pairing, cells_one, cells_other (trials), shapes_one,
        shapes_other, measure, estimate, low, high, p and p_holm. Where a side has fewer than `FEWEST_SHAPES` shapes,
        low, high and p are empty. Only the probability of winning has the last two: the two-sided bootstrap p of the
        hypothesis that it is 1/2, and the same adjusted for all comparisons by Holm's method.
    """
    sides = {
        name: _Side(family_label(name), prefix[prefix["family"] == name], trials[trials["family"] == name])
        for name in ("gan", "ebgan", "ebgan_pt")
    }
    rows = [*_paired(sides, real_score), *_unpaired(sides, real_score, worst)]
    table = pd.DataFrame(rows, columns=[*_SIZES, "measure", "estimate", "low", "high", "p"])
    return table.assign(p_holm=holm(table["p"]))


_SIZES = ["one", "other", "pairing", "cells_one", "cells_other", "shapes_one", "shapes_other"]
_BOTH = 1 - (1 - CONFIDENCE) / 2


def winning(one: pd.DataFrame, other: pd.DataFrame) -> dict[str, float]:
    """Probability that a random trial of one side scores above one of the other; a tie counts as half.

    Args:
        one, other: trials with `value` and `shape`; those without a value are left out.

    Returns:
        estimate, low and high; the latter are nan where a side has fewer than `FEWEST_SHAPES` shapes.
    """
    found = _wins(*(_Side("", rows, rows) for rows in (one, other)))
    return {name: found[name] for name in ("estimate", "low", "high")}


def holm(p: pd.Series) -> pd.Series:
    """Adjusts p values by Holm's method (S. Holm, 1979); those that are nan stay so."""
    ordered = p.dropna().sort_values()
    factors = np.arange(len(ordered), 0, -1)
    return pd.Series(np.minimum(1.0, np.maximum.accumulate(ordered * factors)), ordered.index).reindex(p.index)


def hodges_lehmann(differences: Floats) -> float:
    """Median of the means of all pairs of differences, each with itself too (Hodges and Lehmann, 1963)."""
    i, j = np.triu_indices(len(differences))
    return float(np.median((differences[i] + differences[j]) / 2))


def _described(one: _Side, other: _Side, pairing: str) -> dict[str, Any]:
    sizes = (len(one.scores), len(other.scores), one.n_shapes, other.n_shapes)
    return dict(zip(_SIZES, (one.name, other.name, pairing, *sizes), strict=True))


def _paired(sides: Mapping[str, _Side], real_score: float) -> Iterator[dict[str, Any]]:
    """EBGAN-PT against EBGAN, paired by their settings."""
    one, other = sides["ebgan_pt"], sides["ebgan"]
    partners = other.known[[*_PAIRED_BY, "value"]]
    joined = one.prefix.merge(partners, on=_PAIRED_BY, how="left", suffixes=("", "_other"))
    joined = joined.assign(own=joined["value"], value=joined["value"] - joined["value_other"])
    pairs = _Side(one.name, joined, one.trials)
    if pairs.known.empty:
        return
    x, y = (pairs.known[name].to_numpy(float) for name in ("own", "value_other"))
    sizes = np.bincount(pairs.cluster).astype(float)
    n = {"cells_other": len(x), "shapes_other": pairs.n_shapes}
    facts = _described(pairs, other, "by trial") | n

    def mean(name: str, per_pair: Floats) -> dict[str, Any]:
        """The mean of a number from -1 to 1 that each pair has."""
        sums = np.bincount(pairs.cluster, per_pair)
        found = _resampled(lambda c, axis=-1: sums[c].sum(axis) / sizes[c].sum(axis), len(sizes))
        return _or_sequence(found, lambda: _mean_of_pairs(pairs, per_pair)) | {"measure": name}

    for fraction, words in _THIRDS:
        threshold = fraction * real_score
        yield facts | mean(words, (x > threshold).astype(float) - (y > threshold))
    won = mean("probability of winning", np.sign(x - y))
    yield facts | _against_half(won | {key: 0.5 + won[key] / 2 for key in (*_ENDS, "estimate", "drawn") if key in won})
    yield (
        facts
        | {"measure": "shift of the score, nats"}
        | _or_sequence(_shift(x - y, pairs.cluster, len(sizes)), lambda: (np.nan, np.nan) if _is_open(pairs) else None)
    )


def _mean_of_pairs(pairs: _Side, per_pair: Floats) -> tuple[float, float] | None:
    """Bounds of the mean of a number that is -1, 0 or 1 for each pair, at all moments; None if all pairs have ended."""
    of_pair = pd.Series(per_pair, pairs.known.index).reindex(pairs.prefix.index)
    hits = np.stack([of_pair > 0, of_pair < 0], axis=1)
    _, low, high = shares(pairs.prefix, pairs.trials, hits, _BOTH)
    return (low[0] - high[1], high[0] - low[1]) if _is_open(pairs) else None


def _unpaired(sides: Mapping[str, _Side], real_score: float, worst: float | None) -> Iterator[dict[str, Any]]:
    """EBGAN against all GANs, and against the GANs with the optimisers of the EBGANs."""
    ebgan, gan = sides["ebgan"], sides["gan"]
    same = (
        rows[(rows["optim_g"] == "adam") & (rows["optim_d"] == "adam") & np.isclose(rows["lr"], 1e-3)]
        for rows in (gan.prefix, gan.trials)
    )
    for other in (gan, _Side(FAIR, *same)):
        if ebgan.known.empty or other.known.empty:
            continue
        facts = _described(ebgan, other, UNPAIRED)
        for fraction, words in _THIRDS:
            yield facts | {"measure": words} | _difference(ebgan, other, fraction * real_score)
        wins = _or_sequence(_wins(ebgan, other), lambda: _wins_at_all_moments(ebgan, other, worst))  # noqa: B023
        yield facts | {"measure": "probability of winning"} | _against_half(wins)
        delta = {key: 2 * wins[key] - 1 for key in ("estimate", *_ENDS)}
        yield facts | {"measure": "Cliff's delta"} | delta


_ENDS = ("low", "high")


def _is_open(side: _Side) -> bool:
    return len(side.prefix) < len(side.trials)


def _or_sequence(found: dict[str, Any], bounds: Callable[[], tuple[float, float] | None]) -> dict[str, Any]:
    """The interval, or for an unfinished grid bounds from confidence sequences where resampling moved nothing.

    If all values tie, every resample gives the same number, which says nothing about trials to come.
    """
    if found["low"] != found["high"]:
        return found
    wider = bounds()
    if wider is None:
        return found
    return {"estimate": found["estimate"], "low": wider[0], "high": wider[1]}


def _wins_at_all_moments(one: _Side, other: _Side, worst: float | None) -> tuple[float, float] | None:
    """Bounds of the probability of winning from the shares of both sides above one score; None if both are finished."""
    if not (_is_open(one) or _is_open(other)):
        return None
    threshold = min(one.scores.max(), other.scores.max())
    (p_low, p_high), (q_low, q_high) = one.above(threshold), other.above(threshold)
    tie = 0.5 if worst is not None and threshold <= worst else 0.0  # nothing is below: both not above is a tie
    low = (p_low + tie * (1 - p_low)) * (1 - q_high)
    high = 1 - (q_low + tie * (1 - q_low)) * (1 - p_high)
    return low, high


_THIRDS = ((1 / 3, "difference of the share above 1/3"), (2 / 3, "difference of the share above 2/3"))


def _difference(one: _Side, other: _Side, threshold: float) -> dict[str, Any]:
    """Difference of the shares above a threshold."""
    hits = [np.bincount(side.cluster, side.scores > threshold) for side in (one, other)]
    sizes = [np.bincount(side.cluster).astype(float) for side in (one, other)]

    def statistic(a: NDArray[np.intp], b: NDArray[np.intp], axis: int = -1) -> Floats:
        shares_ = [h[c].sum(axis) / n[c].sum(axis) for h, n, c in zip(hits, sizes, (a, b), strict=True)]
        return shares_[0] - shares_[1]

    def at_all_moments() -> tuple[float, float] | None:
        (p_low, p_high), (q_low, q_high) = one.above(threshold), other.above(threshold)
        return (p_low - q_high, p_high - q_low) if _is_open(one) or _is_open(other) else None

    return _or_sequence(_resampled(statistic, *map(len, sizes)), at_all_moments)


def _wins(one: _Side, other: _Side) -> dict[str, Any]:
    """Probability that a trial of one side scores above one of the other; a tie is half (Mann and Whitney, 1947)."""
    sizes = [np.bincount(side.cluster).astype(float) for side in (one, other)]
    won = np.empty((len(sizes[0]), len(sizes[1])))  # wins by the clusters of both sides
    levels, level = np.unique(np.concatenate([one.scores, other.scores]), return_inverse=True)
    level_one, level_other = level[: len(one.scores)], level[len(one.scores) :]
    for j in range(len(sizes[1])):
        at = np.bincount(level_other[other.cluster == j], minlength=len(levels))  # its trials at each level
        below = at.cumsum() - at / 2
        won[:, j] = np.bincount(one.cluster, below[level_one])

    def statistic(a: NDArray[np.intp], b: NDArray[np.intp], axis: int = -1) -> Floats:
        times_a, times_b = (_times(c, len(n)) for c, n in zip((a, b), sizes, strict=True))
        won_in_all = np.einsum("...i,ij,...j->...", times_a, won, times_b, optimize=True)
        result: Floats = won_in_all / ((times_a @ sizes[0]) * (times_b @ sizes[1]))
        return result

    return _resampled(statistic, *map(len, sizes))


def _times(drawn: NDArray[np.intp], n: int) -> Floats:
    """How often each cluster was drawn, [..., n]."""
    rows = drawn.reshape(-1, drawn.shape[-1])
    counts = [np.bincount(row, minlength=n) for row in rows]
    return np.stack(counts).reshape(*drawn.shape[:-1], n).astype(float)


def _shift(differences: Floats, cluster: NDArray[np.intp], n: int) -> dict[str, Any]:
    if len(differences) > MOST_PAIRED:
        return _shift_of_many(differences, cluster, n)
    members = [np.flatnonzero(cluster == c) for c in range(n)]

    def statistic(drawn: NDArray[np.intp], axis: int = -1) -> Floats:
        rows = drawn.reshape(-1, drawn.shape[-1])
        shifts = [hodges_lehmann(differences[np.concatenate([members[c] for c in row])]) for row in rows]
        return np.array(shifts).reshape(drawn.shape[:-1])

    return _resampled(statistic, n, resamples=499)


def _shift_of_many(differences: Floats, cluster: NDArray[np.intp], n: int) -> dict[str, Any]:
    """The shift of differences with too many pairs to list; differences are rounded to a 4,096th of their range."""
    least = differences.min()
    step = (np.ptp(differences) / STEPS) or 1.0
    level = np.rint((differences - least) / step).astype(int)
    levels = np.zeros((n, STEPS + 1))
    np.add.at(levels, (cluster, level), 1.0)

    def statistic(drawn: NDArray[np.intp], axis: int = -1) -> Floats:
        held = _times(drawn, n) @ levels  # number of differences at each level
        pairs = fftconvolve(held, held, axes=-1).round()  # ordered pairs by the sum of their levels
        pairs[..., ::2] += held  # each difference with itself, which the halving below makes one pair
        below = pairs.cumsum(-1) / 2
        middle = below[..., -1:] / 2
        lower, upper = (
            (below < middle).sum(-1),
            (below <= middle).sum(-1),
        )  # two levels where the number of pairs is even
        result: Floats = least + step * (lower + upper) / 4
        return result

    return _resampled(statistic, n, resamples=499)


def _resampled(statistic: Any, *sizes: int, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Estimate and interval of a statistic that is a function of cluster numbers."""
    numbers = tuple(np.arange(n) for n in sizes)
    estimate = float(statistic(*numbers))
    if min(sizes) < FEWEST_SHAPES:
        return {"estimate": estimate, "low": np.nan, "high": np.nan}
    found = bootstrap(
        numbers,
        statistic,
        n_resamples=resamples,
        batch=100,
        vectorized=True,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    interval = found.confidence_interval
    drawn = found.bootstrap_distribution
    return {"estimate": estimate, "low": float(interval.low), "high": float(interval.high), "drawn": drawn}


def _against_half(found: dict[str, Any]) -> dict[str, Any]:
    """Adds the two-sided p of the hypothesis that neither wins more often, from the resampled values."""
    drawn = found.pop("drawn", None)
    if drawn is None:
        return found
    beyond = min((drawn <= 0.5).sum(), (drawn >= 0.5).sum())
    return found | {"p": min(1.0, 2 * (beyond + 1) / (len(drawn) + 1))}
