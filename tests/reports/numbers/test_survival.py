"""Curves without bins, against counting and against every draw there is."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from made_results import cell, full_results, results

from reports.numbers.best_of_n import best_of_n
from reports.numbers.prefix import finished_prefix
from reports.numbers.study import Study, split_studies
from reports.numbers.survival import survival
from search_spaces.experiments.mnist_gan import MNIST_GAN

SCORE = MNIST_GAN.scores[0]


def one_grid(rows: pd.DataFrame) -> Study:
    (grid,) = split_studies(rows)
    return grid


def test_a_finished_curve_counts_cells_and_has_no_band() -> None:
    rows = full_results()
    cells = one_grid(rows).trials
    table = survival(finished_prefix(cells), cells, SCORE)
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
        cells = one_grid(rows).trials
        gans = survival(finished_prefix(cells), cells, SCORE).query("family == 'gan'")
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
    table = best_of_n(
        finished_prefix(one_grid(results([cell(s, size_g=i) for i, s in enumerate(scores)])).trials), SCORE
    )
    assert list(table["n"]) == [1, 2, 3, 4, 5]
    for row in table.to_dict("records"):
        best = [max(draw) for draw in combinations(scores, row["n"])]
        assert row["mean"] == pytest.approx(np.mean(best))
        assert row["low"] == np.quantile(best, 0.1, method="inverted_cdf")
        assert row["high"] == np.quantile(best, 0.9, method="inverted_cdf")


def test_no_cells_are_no_curves() -> None:
    cells = one_grid(results([cell()])).trials
    assert survival(finished_prefix(cells), cells, SCORE).empty
    assert best_of_n(finished_prefix(cells), SCORE).empty
