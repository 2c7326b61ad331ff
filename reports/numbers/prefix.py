"""The longest finished prefix of an unfinished grid: an unbiased sample of the grid.

Trials run in a random order, whole shapes at a time. Slow shapes end late, so the set of all finished trials has too
many fast shapes. The part of the order before the first unfinished shape is a random sample of shapes, however long
each took. Shapes are the sampling units, since trials of one shape are alike.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.numbers.confidence import interval_so_far
from reports.numbers.values import ENDED

CONFIDENCE = 0.95
FEWEST_SHAPES = 10  # an interval over shapes needs so many, of each side of a comparison
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Stratum:
    """Trials of one family that were declared together, in an order of their own.

    Attributes:
        unit: the number of each prefix trial's unit, in the random order, [n].
        n_units, n_trials: all units and all trials, finished or not.
        largest: trials of the largest unit.
    """

    unit: NDArray[np.intp]
    n_units: int
    n_trials: int
    largest: int

    @property
    def n_known_units(self) -> int:
        return int(self.unit.max()) + 1 if len(self.unit) else 0


def finished_prefix(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials that figures and shares rest on, by family and sweep; the only place where they are chosen.

    Args:
        trials: every declared trial, with `outcome` and `shape`.

    Returns:
        The trials of the prefix in their random order, with `unit`, counted from 0 in each family and sweep.
    """
    ordered = trials.sort_values(["sweep_id", "position"], kind="stable")
    declaration = [ordered["family"], ordered["sweep_id"]]
    number = ordered.groupby(["family", "sweep_id", "shape"], sort=False).ngroup()  # by first appearance
    ended = ordered["outcome"].isin(ENDED)
    in_prefix = ended.groupby(number).transform("all").groupby(declaration).cummin()
    unit = number.groupby(declaration).rank("dense").astype(int) - 1
    return ordered.assign(unit=unit)[in_prefix]


def strata(prefix: pd.DataFrame, trials: pd.DataFrame) -> list[tuple[Stratum, pd.DataFrame]]:
    """The strata of one family, each with its trials of the prefix.

    Args:
        prefix: the finished prefix, or the part of it that a question is about.
        trials: every declared trial that the question is about.
    """
    found = []
    for sweep_id, declared in trials.groupby("sweep_id"):
        sizes = declared.groupby("shape").size()
        rows = prefix[prefix["sweep_id"] == sweep_id]
        unit = pd.factorize(rows["unit"])[0]
        found.append((Stratum(unit, len(sizes), len(declared), int(sizes.max())), rows))
    return found


def shares(
    prefix: pd.DataFrame, trials: pd.DataFrame, hits: NDArray[np.bool_], confidence: float = CONFIDENCE
) -> tuple[Values, Values, Values]:
    """Shares of one family's grid, with intervals that hold at every moment of the sweep at once.

    A trial of the prefix without a value could be a hit or not: the estimate leaves it out, and the interval allows for
    both.

    Args:
        prefix, trials: as in `strata`; the prefix with `value`.
        hits: whether each trial of the prefix counts, [n, J].

    Returns:
        Estimates, low and high, each [J]; an estimate is nan where no trial has a value.
    """
    parts = strata(prefix, trials)
    alpha = (1 - confidence) / max(1, len(parts))
    total = sum(stratum.n_trials for stratum, _ in parts)
    place = pd.Series(np.arange(len(prefix)), prefix.index)
    has_value = prefix["value"].notna().to_numpy()
    low, high = np.zeros(hits.shape[1]), np.zeros(hits.shape[1])
    above, seen = np.zeros(hits.shape[1]), 0.0
    for stratum, rows in parts:
        weight = stratum.n_trials / total
        own, valued = hits[place.loc[rows.index]], has_value[place.loc[rows.index]]
        low_s, high_s = _interval(stratum, own, valued, alpha)
        low, high = low + weight * low_s, high + weight * high_s
        if valued.any():
            above, seen = above + weight * own[valued].mean(0), seen + weight
    return above / seen if seen else np.full(hits.shape[1], np.nan), low, high


def _interval(
    stratum: Stratum, hits: NDArray[np.bool_], valued: NDArray[np.bool_], alpha: float
) -> tuple[Values, Values]:
    """Bounds of shares of a stratum's trials, which hold for every value that trials without one could have had."""
    low, high = _bounds(stratum, hits & valued[:, None], alpha)
    if not valued.all():
        _, high = _bounds(stratum, hits | ~valued[:, None], alpha)
    return low, high


def _bounds(stratum: Stratum, hits: NDArray[np.bool_], alpha: float) -> tuple[Values, Values]:
    """Bounds from the units in their order; the value of a unit is its number of hits over the largest unit's size."""
    per_unit = np.zeros((stratum.n_known_units, hits.shape[1]))
    np.add.at(per_unit, stratum.unit, hits)
    low, high = interval_so_far(per_unit / stratum.largest, stratum.n_units, alpha)
    scale = stratum.n_units * stratum.largest / stratum.n_trials
    counted = hits.sum(0)
    least, most = counted / stratum.n_trials, (counted + stratum.n_trials - len(hits)) / stratum.n_trials
    return np.clip(low * scale, least, most), np.clip(high * scale, least, most)
