"""What matters: exact shares of a whole factorial, and an estimate that says so."""

import itertools

import numpy as np
import pandas as pd
import pytest
from made_results import cell, results
from scipy.stats import sem, t

from reports.figures.effects import draw_main_effects, effects_figures
from reports.figures.figure import Sources
from reports.numbers.effects import ESTIMATE, EXACT, is_whole, main_effects, pair_means, rest_of, variance_shares
from reports.numbers.study import split_studies
from search_spaces.experiments.mnist_gan import MNIST_GAN

SCORE = MNIST_GAN.scores[0]
LAYERS, WIDTHS, RATES = (2, 3, 4), (50, 100), (0.01, 0.001)


def factorial(score: object) -> pd.DataFrame:
    """A whole grid of three axes; score is a function of layers, width and rate."""
    rows = [
        cell(float(score(n, w, r)), n_layer_g=n, size_g=w, lr=r)  # type: ignore[operator]
        for n, w, r in itertools.product(LAYERS, WIDTHS, RATES)
    ]
    (grid,) = split_studies(results(rows))
    return grid.prefix


def found(cells: pd.DataFrame, declared: pd.DataFrame | None = None) -> dict[tuple[str, str], float]:
    table = variance_shares(cells, cells if declared is None else declared, SCORE)
    return {(row.axis, row.other): row.share for row in table.fillna({"other": ""}).itertuples()}


def test_what_depends_on_one_axis_is_explained_by_it() -> None:
    shares = found(factorial(lambda n, w, r: n))
    assert shares[("n_layer_g", "")] == pytest.approx(1.0)
    assert sum(shares.values()) == pytest.approx(1.0)


def test_axes_that_add_up_share_by_their_variances() -> None:
    shares = found(factorial(lambda n, w, r: 3 * (w == 100) + 4 * (r == 0.01)))
    assert shares[("size_g", "")] == pytest.approx(9 / 25)
    assert shares[("lr", "")] == pytest.approx(16 / 25)


def test_what_needs_both_is_explained_by_the_pair() -> None:
    shares = found(factorial(lambda n, w, r: 1 + (w == 100) * (r == 0.01) + (w == 50) * (r == 0.001)))
    assert shares[("size_g", "lr")] == pytest.approx(1.0)


def test_all_axes_and_pairs_and_no_others_are_named() -> None:
    cells = factorial(lambda n, w, r: n * w * r)
    table = variance_shares(cells, cells, SCORE)
    assert len(table) == 3 + 3
    assert set(table["basis"]) == {EXACT}
    assert table["share"].is_monotonic_decreasing
    assert table["share"].sum() < 1  # the three together explain something too


def test_a_part_of_a_grid_is_estimated_and_says_so() -> None:
    whole = factorial(lambda n, w, r: 5 * n + (w == 100))
    part = whole.iloc[:9]
    assert not is_whole(part, whole)
    table = variance_shares(part, whole, SCORE)
    assert set(table["basis"]) == {ESTIMATE}
    assert table.iloc[0]["axis"] == "n_layer_g"


def test_a_grid_with_a_hole_is_not_whole() -> None:
    whole = factorial(lambda n, w, r: n)
    assert is_whole(whole, whole)
    hole = whole.iloc[1:]
    assert not is_whole(hole, hole)


def test_equal_scores_have_nothing_to_explain() -> None:
    cells = factorial(lambda n, w, r: 2.0)
    assert variance_shares(cells, cells, SCORE).empty


def test_main_effects_are_means() -> None:
    cells = factorial(lambda n, w, r: n + (w == 100))
    table = main_effects(cells).set_index(["axis", "value"])
    assert table.loc[("n_layer_g", 3), "mean"] == pytest.approx(3.5)
    assert table.loc[("lr", 0.01), "cells"] == 6
    assert table[["low", "high"]].isna().all(axis=None)  # three or two shapes to a value


def test_main_effects_of_ten_shapes_have_student_s_intervals() -> None:
    rows = [cell(float(n + 20 * on), size_g=n, dropout_d=on) for n in range(10) for on in (False, True)]
    (grid,) = split_studies(results(rows))
    row = main_effects(grid.prefix).set_index(["axis", "value"]).loc[("dropout_d", True)]
    low, high = t.interval(0.95, 9, loc=24.5, scale=sem(np.arange(10)))
    assert (row["low"], row["mean"], row["high"]) == pytest.approx((low, 24.5, high))


def test_the_rest_is_what_axes_and_pairs_leave() -> None:
    cells = factorial(lambda n, w, r: (n == 2) * (w == 100) * (r == 0.01))
    table = variance_shares(cells, cells, SCORE)
    assert rest_of(table) == pytest.approx(1 - table["share"].sum()) and rest_of(table) > 0.1
    assert rest_of(table.assign(basis=ESTIMATE)) is None


def test_an_estimate_of_few_shapes_is_not_shown() -> None:
    def keys(n_shapes: int) -> list[str]:
        made = [cell(float(n % 4 + on), size_g=n, dropout_d=on) for n in range(n_shapes) for on in (False, True)]
        (grid,) = split_studies(results([*made, cell(size_g=99)]))
        return [figure.key for figure in effects_figures(grid, Sources())]

    assert keys(9) == [] and keys(10) == ["what-matters", "main-effects", "pairs"]


def test_means_of_pairs() -> None:
    cells = factorial(lambda n, w, r: n * (w == 100))
    assert pair_means(cells, "n_layer_g", "size_g").loc[4].to_list() == [0.0, 4.0]


def test_every_mean_and_interval_lies_within_its_panel() -> None:
    cells = factorial(lambda n, w, r: n + 9 * (w == 100))
    table = main_effects(cells).assign(family="ebgan")
    figure = draw_main_effects(table, SCORE)
    assert {panel.get_ylim()[0] for panel in figure.axes} == {0.0}
    for panel, (_, rows) in zip(figure.axes, table.groupby("axis", sort=False), strict=False):
        assert panel.get_ylim()[1] >= rows[["mean", "high"]].max().max()


def test_an_axis_of_many_values_has_few_ticks() -> None:
    table = pd.DataFrame({"axis": "seed", "value": range(1000), "mean": 1.0, "low": 1.0, "high": 1.0, "family": "gan"})
    (panel, *_) = draw_main_effects(table, SCORE).axes
    assert 8 <= len(panel.get_xticks()) <= 16
    assert [tick.get_text() for tick in panel.get_xticklabels()][:2] == ["0", "63"]
