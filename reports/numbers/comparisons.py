"""Comparisons of families: effect sizes with intervals from a cluster bootstrap over shapes (docs/statistics.md).

Trials of one shape are alike, so whole shapes are resampled instead of trials. The percentile intervals say how far
another set of shapes and seeds could have moved the numbers, even for a finished grid.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.signal import fftconvolve
from scipy.stats import bootstrap

from reports.names import family_label
from reports.numbers.prefix import CONFIDENCE
from search_spaces.experiments.mnist_gan import MNIST_GAN

RESAMPLES = 1999
FEWEST_SHAPES = 10  # fewer on a side are too few to resample
CLUSTERS = 256  # clusters at most; more shapes than that share clusters
MOST_PAIRED = 2048  # most differences whose pairs are computed one by one
STEPS = 4096
FAIR = "GAN with Adam, 0.001"
UNPAIRED = "none"  # the pairing of two sides that are not paired
_PAIRED_BY = [axis for axis in MNIST_GAN.axes if axis != "pt_weight"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Side:
    """Scores of one side of a comparison and the cluster of each, numbered from 0."""

    name: str
    scores: Floats
    cluster: NDArray[np.intp]


def compare(prefix: pd.DataFrame, real_score: float) -> pd.DataFrame:
    """All comparisons for which the finished prefix has trials.

    Args:
        prefix: the finished prefix, with `value`, `shape` and the axes.
        real_score: score of real data, in the unit of the values.

    Returns:
        One row per comparison and measure: one, other, pairing, cells_one, cells_other, measure, estimate, low, high,
        p and p_holm. Only the probability of winning has the last two: the two-sided bootstrap p of the hypothesis
        that it is 1/2, and the same adjusted for all comparisons by Holm's method.
    """
    known = prefix[prefix["value"].notna()]
    rows = [*_paired(known, real_score), *_unpaired(known, real_score)]
    table = pd.DataFrame(rows, columns=[*_SIZES, "measure", "estimate", "low", "high", "p"])
    return table.assign(p_holm=holm(table["p"]))


_SIZES = ["one", "other", "pairing", "cells_one", "cells_other"]


def winning(one: pd.DataFrame, other: pd.DataFrame) -> dict[str, float]:
    """Probability that a random trial of one side scores above one of the other; a tie counts as half.

    Args:
        one, other: trials with `value` and `shape`; those without a value are left out.

    Returns:
        estimate, low and high; the latter are nan where a side has fewer than `FEWEST_SHAPES` shapes.
    """
    sides = (rows[rows["value"].notna()] for rows in (one, other))
    found = _wins(*(_Side("", rows["value"].to_numpy(), _clusters(rows["shape"])) for rows in sides))
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


def _paired(known: pd.DataFrame, real_score: float) -> Iterator[dict[str, Any]]:
    """EBGAN-PT against EBGAN, paired by their settings."""
    one, other = (known[known["family"] == family] for family in ("ebgan_pt", "ebgan"))
    pairs = one.merge(other, on=_PAIRED_BY, suffixes=("_one", "_other"))
    if pairs["value_one"].empty:
        return
    x, y = pairs["value_one"].to_numpy(), pairs["value_other"].to_numpy()
    cluster = _clusters(pairs["shape_one"])
    sizes = np.bincount(cluster).astype(float)
    facts = dict(zip(_SIZES, (family_label("ebgan_pt"), family_label("ebgan"), "by cell", len(x), len(y)), strict=True))

    def mean(per_pair: Floats) -> dict[str, float]:
        sums = np.bincount(cluster, per_pair)
        return _resampled(lambda c, axis=-1: sums[c].sum(axis) / sizes[c].sum(axis), len(sizes))

    for fraction, words in _THIRDS:
        threshold = fraction * real_score
        yield facts | {"measure": words} | mean((x > threshold).astype(float) - (y > threshold))
    yield facts | {"measure": "probability of winning"} | _against_half(mean((x > y) + 0.5 * (x == y)))
    yield facts | {"measure": "shift of the score, nats"} | _shift(x - y, cluster, len(sizes))


def _unpaired(known: pd.DataFrame, real_score: float) -> Iterator[dict[str, Any]]:
    """EBGAN against all GANs, and against the GANs with the optimisers of the EBGANs."""
    ebgan, gan = (known[known["family"] == family] for family in ("ebgan", "gan"))
    same = (gan["optim_g"] == "adam") & (gan["optim_d"] == "adam") & np.isclose(gan["lr"], 1e-3)
    for name, others in ((family_label("gan"), gan), (FAIR, gan[same])):
        if ebgan.empty or others.empty:
            continue
        one, other = (
            _Side(n, rows["value"].to_numpy(), _clusters(rows["shape"]))
            for n, rows in (("EBGAN", ebgan), (name, others))
        )
        facts = dict(zip(_SIZES, ("EBGAN", name, UNPAIRED, len(one.scores), len(other.scores)), strict=True))
        for fraction, words in _THIRDS:
            yield facts | {"measure": words} | _difference(one, other, fraction * real_score)
        wins = _wins(one, other)
        yield facts | {"measure": "probability of winning"} | _against_half(wins)
        delta = {key: 2 * wins[key] - 1 for key in ("estimate", "low", "high")}
        yield facts | {"measure": "Cliff's delta"} | delta


_THIRDS = ((1 / 3, "difference of the share above 1/3"), (2 / 3, "difference of the share above 2/3"))


def _clusters(shapes: pd.Series) -> NDArray[np.intp]:
    """The cluster of each trial, from its shape; too many shapes share clusters."""
    return pd.factorize(pd.factorize(shapes)[0] % CLUSTERS)[0]


def _difference(one: _Side, other: _Side, threshold: float) -> dict[str, Any]:
    """Difference of the shares above a threshold."""
    hits = [np.bincount(side.cluster, side.scores > threshold) for side in (one, other)]
    sizes = [np.bincount(side.cluster).astype(float) for side in (one, other)]

    def statistic(a: NDArray[np.intp], b: NDArray[np.intp], axis: int = -1) -> Floats:
        shares = [h[c].sum(axis) / n[c].sum(axis) for h, n, c in zip(hits, sizes, (a, b), strict=True)]
        return shares[0] - shares[1]

    return _resampled(statistic, *map(len, sizes))


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
