"""Intervals of unfinished grids: right at every look at once, at their nominal rate, and of no width at the end."""

import numpy as np
import pytest
from numpy.typing import NDArray

from reports.numbers import confidence
from reports.numbers.confidence import interval_so_far

ALPHA = 0.1
REPEATS = 200
UNITS = 48
LOOKS = (1, 2, 4, 8, 12, 16, 24, 32, 40, 46, 48)
POPULATIONS = {
    "rare": lambda rng: (rng.random(UNITS) < 0.06) * 1.0,
    "even": lambda rng: (rng.random(UNITS) < 0.5) * 1.0,
    "clustered": lambda rng: rng.binomial(24, rng.beta(0.3, 1.2, UNITS)) / 24,
    "high": lambda rng: rng.beta(9, 1, UNITS),
}


@pytest.mark.parametrize("name", POPULATIONS)
def test_all_looks_together_are_right_as_often_as_promised(name: str) -> None:
    rng = np.random.default_rng(1)
    population = POPULATIONS[name](rng)
    wrong = 0
    for _ in range(REPEATS):
        seen = rng.permutation(population)[:, None]
        bounds = [interval_so_far(seen[:t], UNITS, ALPHA) for t in LOOKS]
        wrong += any(not low[0] - 1e-12 <= population.mean() <= high[0] + 1e-12 for low, high in bounds)
    assert wrong / REPEATS <= ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / REPEATS)


def test_it_says_something() -> None:
    """Against the interval that counting alone gives, and one that would be right at a single look only."""
    rng = np.random.default_rng(2)
    population = (rng.random(256) < 0.3) * 1.0
    seen = rng.permutation(population)[:64, None]
    low, high = interval_so_far(seen, 256, 0.05)
    width = float(high[0] - low[0])
    one_look = 2 * 1.96 * np.sqrt(0.3 * 0.7 / 64 * (1 - 64 / 256))
    assert one_look < width < 2 * one_look


def test_nothing_seen_says_nothing_and_everything_says_all() -> None:
    values = np.linspace(0, 1, 20)[:, None]
    assert interval_so_far(values[:0], 20, 0.05) == (0.0, 1.0)
    assert interval_so_far(values, 20, 0.05) == (pytest.approx(0.5), pytest.approx(0.5))


def test_what_is_counted_bounds_the_rest() -> None:
    low, high = interval_so_far(np.ones((19, 1)), 20, 1e-9)
    assert (low[0], high[0]) == (0.95, 1.0)


def test_means_are_bounded_one_by_one() -> None:
    rng = np.random.default_rng(3)
    seen = rng.random((30, 3))
    together = interval_so_far(seen, 90, 0.05)
    for j in range(3):
        alone = interval_so_far(seen[:, [j]], 90, 0.05)
        assert (together[0][j], together[1][j]) == (alone[0][0], alone[1][0])


def test_many_units_are_taken_together(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    population: NDArray[np.float64] = rng.beta(0.5, 2, 4003)
    monkeypatch.setattr(confidence, "MOST", 50)
    for t in (0, 30, 500, 2000, 4003):
        low, high = interval_so_far(population[:t, None], 4003, 0.05)
        assert low[0] - 1e-9 <= population.mean() <= high[0] + 1e-9
    assert high[0] - low[0] < 1e-9
