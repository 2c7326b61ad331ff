"""Curves without bins, against counting and against every draw there is."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from made_results import cell, full_results, results

from reports.numbers.prefix import known
from reports.numbers.study import Grid, split_grids
from reports.numbers.survival import best_of, survival


def one_grid(rows: pd.DataFrame) -> Grid:
    (grid,) = split_grids(rows)
    return grid


def test_a_finished_curve_counts_cells_and_has_no_band() -> None:
    rows = full_results()
    cells = one_grid(rows).cells
    table = survival(known(cells), cells)
    assert list(table["family"].unique()) == ["gan", "ebgan", "ebgan_pt"]
    for row in table.to_dict("records"):
        own = rows.loc[rows["family"] == row["family"], "score"]
        assert row["share"] == row["low"] == row["high"] == pytest.approx((own > row["score"]).mean())


def test_a_band_holds_between_its_points_too() -> None:
    whole = full_results()
    wrong = 0
    for seed in range(10):
        rows = _in_order(whole, seed)
        rows.loc[rows["position"] >= 1500, ["state", "score"]] = ["WAITING", None]
        cells = one_grid(rows).cells
        gans = survival(known(cells), cells).query("family == 'gan'")
        truth = whole.loc[whole["family"] == "gan", "score"]
        for at, after in zip(gans.to_dict("records"), [*gans["score"].iloc[1:], np.inf], strict=True):
            inside = truth[(truth >= at["score"]) & (truth < after)]
            levels = [(truth > s).mean() for s in (at["score"], *inside.sample(min(3, len(inside)), random_state=0))]
            wrong += any(not at["low"] - 1e-9 <= level <= at["high"] + 1e-9 for level in levels)
    assert wrong == 0


def _in_order(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The rows with whole shapes shuffled."""
    shape = rows.groupby(["n_layer_g", "n_layer_d", "size_g", "size_d"]).ngroup()
    place = np.random.default_rng(seed).permutation(shape.nunique())[shape]
    return rows.assign(position=np.lexsort((np.arange(len(rows)), place)).argsort())


def test_the_best_of_n_is_the_mean_over_all_draws() -> None:
    scores = [0.0, 1.0, 1.0, 4.0, 9.0]
    table = best_of(known(one_grid(results([cell(s, size_g=i) for i, s in enumerate(scores)])).cells))
    assert list(table["n"]) == [1, 2, 3, 4, 5]
    for row in table.to_dict("records"):
        best = [max(draw) for draw in combinations(scores, row["n"])]
        assert row["mean"] == pytest.approx(np.mean(best))
        assert row["low"] == np.quantile(best, 0.1, method="inverted_cdf")
        assert row["high"] == np.quantile(best, 0.9, method="inverted_cdf")


def test_no_cells_are_no_curves() -> None:
    cells = one_grid(results([cell()])).cells
    assert survival(known(cells), cells).empty
    assert best_of(known(cells)).empty
