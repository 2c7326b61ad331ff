"""Confidence sequences for a share of a grid of which a random prefix has finished.

Units, such as shapes of networks, are drawn in a random order, without replacement. For every share m that the whole
grid could have, a gambler bets against "the mean is m"; the bets are fair if the mean is m. Shares against which the
stake ever grew to 1 / alpha are ruled out (Waudby-Smith and Ramdas, 2024, "Estimating means of bounded random variables
by betting", sections 4 and 5). The interval holds at every moment of a sweep at once, so it may be read after every
unit, and the sweep may be stopped because of it. The units seen so far bound the remaining ones, so the interval of a
finished grid has no width.
"""

import numpy as np
from numpy.typing import NDArray

POINTS = 1000  # steps between the candidate shares from 0 to 1
MOST = 500  # most bets; more units than that are averaged in blocks
CAUTION = 0.75  # largest bet, as a part of the one that could lose everything
Values = NDArray[np.float64]


def interval_so_far(seen: Values, n_units: int, alpha: float) -> tuple[Values, Values]:
    """Bounds of the means of a population, from its first units in a random order.

    Args:
        seen: values of the units seen, in their order, [t, J] between 0 and 1; J means are bounded one by one.
        n_units: units of the population, at least t.
        alpha: upper bound of the probability that an interval is ever wrong.

    Returns:
        low and high, each [J].
    """
    t = len(seen)
    sums = seen.sum(0)
    least, most = sums / n_units, (sums + n_units - t) / n_units
    if t == n_units:
        return least, most
    grid = np.linspace(0.0, 1.0, POINTS + 1)
    kept = _not_ruled_out(seen, n_units, alpha, grid)
    step = 1 / POINTS  # shares between two points of the grid were not tested
    low = np.where(kept.any(1), grid[kept.argmax(1)] - step, least)
    high = np.where(kept.any(1), grid[POINTS - kept[:, ::-1].argmax(1)] + step, most)
    return np.clip(low, least, most), np.clip(high, least, most)


def _not_ruled_out(seen: Values, n_units: int, alpha: float, grid: Values) -> NDArray[np.bool_]:
    """For every mean, which points of the grid are not ruled out, [J, P]."""
    block = max(1, -(-n_units // MOST))
    n_bets = n_units // block
    t = min(len(seen) // block, n_bets)
    blocks = seen[: t * block].reshape(t, block, seen.shape[1]).mean(1)
    kept = np.ones((seen.shape[1], len(grid)), dtype=bool)
    up, down = np.zeros_like(kept, dtype=float), np.zeros_like(kept, dtype=float)  # logarithms of two stakes
    total = np.zeros(seen.shape[1])
    limit = np.log(2 / alpha)  # each of the two stakes starts with 1/2
    # Regularised estimates of mean and variance, from the values seen before each bet.
    mean_sum, square_sum = np.full(seen.shape[1], 0.5), np.full(seen.shape[1], 0.25)
    for i, value in enumerate(blocks):
        left = n_units / block - i
        rest = (grid[None] * n_units / block - total[:, None]) / left  # mean of the rest, if m is the mean of all
        possible = (rest >= 0) & (rest <= 1)
        kept &= possible
        variance = square_sum / (i + 1)
        bet = np.sqrt(2 * np.log(2 / alpha) / (variance * (i + 1) * np.log(i + 2)))[:, None]
        rest = np.clip(rest, 1e-12, 1 - 1e-12)
        gain = value[:, None] - rest
        up += np.log1p(np.minimum(bet, CAUTION / rest) * gain)
        down += np.log1p(-np.minimum(bet, CAUTION / (1 - rest)) * gain)
        kept &= np.maximum(up, down) < limit
        total += value
        mean_sum += value
        square_sum += (value - mean_sum / (i + 2)) ** 2
    return kept
