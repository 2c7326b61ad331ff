"""What is known of an unfinished grid without leaning towards fast cells: its longest finished first part.

Cells run in a random order, whole shapes at a time, but slow shapes end late; among all that is finished the fast ones
are too many. The first part of the order up to the first unfinished shape is a random sample of shapes, however long
each took. Shapes are its units, for cells of one shape are alike.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.numbers.confidence import interval_so_far
from reports.numbers.study import DIVERGED, FAILED, SCORED

SHAPE = ["n_layer_g", "n_layer_d", "size_g", "size_d"]
CONFIDENCE = 0.95
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Stratum:
    """Cells of one family that were declared together, in an order of their own.

    Attributes:
        unit: of every known cell the number of its unit, in the random order, [n].
        n_units, n_cells: all there are, known or not.
        largest: cells of the largest unit.
    """

    unit: NDArray[np.intp]
    n_units: int
    n_cells: int
    largest: int

    @property
    def n_known_units(self) -> int:
        return int(self.unit.max()) + 1 if len(self.unit) else 0


def known(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells that figures and shares rest on, by family and declaration; the only place where this is chosen.

    Returns:
        Those cells in their random order, with `unit`, counted from 0 in each family and declaration, and `value`:
        the score in nats, 0 where training diverged or failed.
    """
    ordered = cells.sort_values(["sweep_id", "position"], kind="stable")
    declaration = [ordered["family"], ordered["sweep_id"]]
    number = ordered.groupby(["family", "sweep_id", *SHAPE], sort=False).ngroup()  # by first appearance
    ended = ordered["outcome"].isin([SCORED, DIVERGED, FAILED])
    first = ended.groupby(number).transform("all").groupby(declaration).cummin()
    unit = number.groupby(declaration).rank("dense").astype(int) - 1
    value = ordered["score"].where(ordered["outcome"] == SCORED, 0.0).astype(float).clip(lower=0.0)
    return ordered.assign(unit=unit, value=value)[first]


def strata(chosen: pd.DataFrame, cells: pd.DataFrame) -> list[tuple[Stratum, pd.DataFrame]]:
    """Of one family: its declarations, each with its known cells.

    Args:
        chosen: what `known` gave, or the part of it that a question is about.
        cells: every declared cell that the question is about.
    """
    found = []
    for sweep_id, declared in cells.groupby("sweep_id"):
        sizes = declared.groupby(SHAPE).size()
        rows = chosen[chosen["sweep_id"] == sweep_id]
        unit = pd.factorize(rows["unit"])[0]
        found.append((Stratum(unit, len(sizes), len(declared), int(sizes.max())), rows))
    return found


def shares(
    chosen: pd.DataFrame, cells: pd.DataFrame, hits: NDArray[np.bool_], confidence: float = CONFIDENCE
) -> tuple[Values, Values, Values]:
    """Shares of one family's grid, with intervals that hold at every moment of the sweep at once.

    Args:
        chosen, cells: as in `strata`.
        hits: whether each chosen cell counts, [n, J].

    Returns:
        Estimates, low and high, each [J]; an estimate is nan where nothing is known.
    """
    parts = strata(chosen, cells)
    alpha = (1 - confidence) / max(1, len(parts))
    total = sum(stratum.n_cells for stratum, _ in parts)
    place = pd.Series(np.arange(len(chosen)), chosen.index)
    low, high = np.zeros(hits.shape[1]), np.zeros(hits.shape[1])
    above, seen = np.zeros(hits.shape[1]), 0.0
    for stratum, rows in parts:
        weight = stratum.n_cells / total
        own = hits[place.loc[rows.index]]
        low_s, high_s = _interval(stratum, own, alpha)
        low, high = low + weight * low_s, high + weight * high_s
        if len(own):
            above, seen = above + weight * own.mean(0), seen + weight
    return above / seen if seen else np.full(hits.shape[1], np.nan), low, high


def _interval(stratum: Stratum, hits: NDArray[np.bool_], alpha: float) -> tuple[Values, Values]:
    """Bounds of shares of a stratum's cells: unit by unit, hits as a part of what the largest unit could have."""
    per_unit = np.zeros((stratum.n_known_units, hits.shape[1]))
    np.add.at(per_unit, stratum.unit, hits)
    low, high = interval_so_far(per_unit / stratum.largest, stratum.n_units, alpha)
    scale = stratum.n_units * stratum.largest / stratum.n_cells
    counted = hits.sum(0)
    least, most = counted / stratum.n_cells, (counted + stratum.n_cells - len(hits)) / stratum.n_cells
    return np.clip(low * scale, least, most), np.clip(high * scale, least, most)
