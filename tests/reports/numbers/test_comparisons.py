"""Families beside each other, against counting, scipy, and intervals that cover."""

import numpy as np
import pandas as pd
import pytest
from made_results import REAL_SCORE, cell, full_results, results
from scipy.stats import mannwhitneyu

from reports.numbers import comparisons
from reports.numbers.comparisons import FAIR, compare, hodges_lehmann, holm
from reports.numbers.study import split_studies


def table_of(rows: pd.DataFrame) -> pd.DataFrame:
    (grid,) = split_studies(rows)
    return compare(grid.prefix, grid.trials, REAL_SCORE, 0.0).set_index(["one", "other", "measure"])


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """EBGANs score higher, and those with the pull-away term higher still."""
    made = full_results()
    return made.assign(score=made["score"] * made["family"].map({"gan": 1.0, "ebgan": 1.5, "ebgan_pt": 2.0}))


@pytest.fixture(scope="module")
def table(rows: pd.DataFrame) -> pd.DataFrame:
    return table_of(rows)


def test_winning_agrees_with_mann_and_whitney(rows: pd.DataFrame, table: pd.DataFrame) -> None:
    x, y = (rows.loc[rows["family"] == family, "score"] for family in ("ebgan", "gan"))
    expected = mannwhitneyu(x, y).statistic / (len(x) * len(y))
    assert table.loc[("EBGAN", "GAN", "probability of winning"), "estimate"] == pytest.approx(expected)
    assert table.loc[("EBGAN", "GAN", "Cliff's delta"), "estimate"] == pytest.approx(2 * expected - 1)


def test_the_fair_comparison_has_the_optimisers_of_the_other_side(rows: pd.DataFrame, table: pd.DataFrame) -> None:
    same = rows.query("family == 'gan' and optim_g == 'adam' and optim_d == 'adam' and lr == 0.001")["score"]
    ebgan = rows.loc[rows["family"] == "ebgan", "score"]
    found = table.loc[("EBGAN", FAIR, "difference of the share above 1/3")]
    assert found["cells_other"] == len(same) == 512
    assert found["estimate"] == pytest.approx((ebgan > REAL_SCORE / 3).mean() - (same > REAL_SCORE / 3).mean())


def test_cells_are_paired_by_everything_but_the_pull_away_term(rows: pd.DataFrame, table: pd.DataFrame) -> None:
    by = ["n_layer_g", "n_layer_d", "size_g", "size_d", "dropout_d"]
    x, y = (rows[rows["family"] == family].set_index(by)["score"] for family in ("ebgan_pt", "ebgan"))
    difference = (x - y).to_numpy()
    assert len(difference) == 512
    found = table.sort_index().loc[("EBGAN-PT", "EBGAN")]["estimate"]
    assert found["probability of winning"] == pytest.approx((difference > 0).mean())
    walsh = [(a + b) / 2 for i, a in enumerate(difference) for b in difference[i:]]
    assert found["shift of the score, nats"] == pytest.approx(np.median(walsh))


def test_intervals_hold_the_estimate_and_p_follows_them(table: pd.DataFrame) -> None:
    assert (table["low"] <= table["estimate"]).all() and (table["estimate"] <= table["high"]).all()
    wins = table.xs("probability of winning", level="measure")
    assert len(wins) == 3
    assert ((wins["p_holm"] < 0.05) >= (wins["low"] > 0.55)).all()
    assert (wins["p"] <= wins["p_holm"]).all()
    assert table["p"].notna().sum() == 3


def test_families_alike_are_told_apart_about_as_rarely_as_promised() -> None:
    rng = np.random.default_rng(0)
    outside = 0
    for _ in range(25):
        level = dict.fromkeys(range(30), 0.0) | {i: float(rng.gamma(2)) for i in range(30)}
        made = [
            cell(level[i] + float(rng.random()), family=family, size_g=i, seed=seed)
            for i in range(30)
            for family in ("gan", "ebgan")
            for seed in range(4)
        ]
        found = table_of(results(made)).loc[("EBGAN", "GAN", "probability of winning")]
        outside += not found["low"] <= 0.5 <= found["high"]
    assert outside <= 4


def test_one_shape_has_no_interval() -> None:
    made = results([cell(2.0), cell(4.0, family="ebgan")])
    found = table_of(made).loc[("EBGAN", "GAN", "probability of winning")]
    assert found["estimate"] == 1.0
    assert np.isnan([found["low"], found["high"], found["p"]]).all()


@pytest.mark.parametrize("n_shapes", [9, 10])
def test_ten_shapes_are_the_fewest_with_an_interval(n_shapes: int) -> None:
    made = [cell(float(n % 4), family=family, size_g=n) for n in range(n_shapes) for family in ("gan", "ebgan")]
    table = table_of(results(made))
    assert (table[["shapes_one", "shapes_other"]] == n_shapes).all(axis=None)
    wins = table.loc[("EBGAN", "GAN", "probability of winning")]
    assert np.isnan([wins["low"], wins["high"], wins["p"]]).tolist() == [n_shapes == 9] * 3


def tied(score: float, waiting: int) -> pd.DataFrame:
    """Twelve shapes of EBGANs that score the same, GANs and EBGAN-PTs at 0, and shapes that wait in each family."""
    own = [("gan", 0.0), ("ebgan", score), ("ebgan_pt", 0.0)]
    made = [cell(s, family=family, size_g=n) for n in range(12) for family, s in own]
    return table_of(results([*made, *(cell(family=f, size_g=50 + n) for n in range(waiting) for f, _ in own)]))


@pytest.mark.parametrize("score", [0.0, 9.0])
def test_ties_of_an_unfinished_grid_say_little_of_the_rest(score: float) -> None:
    """Resampling equal values moves nothing; the bounds are those that both shares leave."""
    table, whole = tied(score, waiting=12), tied(score, waiting=0)
    open_, closed = (t[["low", "high"]].xs("probability of winning", level=2) for t in (table, whole))
    assert (closed["low"] == closed["high"]).all()
    assert (open_["high"] - open_["low"] > 0.2).all()
    wins = table.loc[("EBGAN", "GAN", "probability of winning")]
    assert wins["estimate"] == (1.0 if score else 0.5) and 0 <= wins["low"] <= wins["estimate"] <= wins["high"] <= 1
    third = table.loc[("EBGAN", "GAN", "difference of the share above 1/3")]
    assert third["low"] < third["estimate"] <= third["high"] <= 1
    shift = table.loc[("EBGAN-PT", "EBGAN", "shift of the score, nats")]
    assert np.isnan([shift["low"], shift["high"]]).all()


def test_bounds_of_ties_lie_evenly_about_a_half() -> None:
    wins = tied(0.0, waiting=12).loc[("EBGAN", "GAN", "probability of winning")]
    assert wins["low"] == pytest.approx(1 - wins["high"]) and wins["low"] < 0.4


def test_what_is_not_there_is_not_compared() -> None:
    assert table_of(results([cell(2.0)])).empty


def test_the_shift_of_very_many_pairs_is_the_same_up_to_rounding(
    rows: pd.DataFrame, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparisons, "MOST_PAIRED", 0)
    place = ("EBGAN-PT", "EBGAN", "shift of the score, nats")
    exact, rounded = table.loc[place], table_of(rows).loc[place]
    for name in ("estimate", "low", "high"):
        assert rounded[name] == pytest.approx(exact[name], abs=2 * 40 / comparisons.STEPS)
        assert rounded[name] != exact[name]


@pytest.mark.parametrize("scores", [[1.0, 5.0], [3.0, 3.0, 3.0], [0.0, 0.0, 9.0, 1.0]])
def test_the_shift_of_very_few_pairs_both_ways(scores: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    ebgan = [cell(0.0, family="ebgan", size_g=n, margin=10.0) for n in range(len(scores))]
    with_pt = [cell(s, family="ebgan_pt", size_g=n, margin=10.0, pt_weight=0.1) for n, s in enumerate(scores)]
    place = ("EBGAN-PT", "EBGAN", "shift of the score, nats")
    exact = table_of(results(ebgan + with_pt)).loc[place, "estimate"]
    assert exact == hodges_lehmann(np.array(scores))
    monkeypatch.setattr(comparisons, "MOST_PAIRED", 0)
    assert table_of(results(ebgan + with_pt)).loc[place, "estimate"] == pytest.approx(exact, abs=0.01)


def test_hodges_and_lehmann_by_hand() -> None:
    assert hodges_lehmann(np.array([1.0, 5.0, 100.0])) == 27.75  # of 1, 3, 5, 50.5, 52.5, 100


def test_holm_by_hand() -> None:
    adjusted = holm(pd.Series([0.04, np.nan, 0.01, 0.03]))
    assert list(adjusted.dropna()) == pytest.approx([0.06, 0.03, 0.06])
    assert np.isnan(adjusted[1])
