"""Shares above thirds of the real-data score, against pandas and by hand."""

import pandas as pd
import pytest
from made_results import REAL_SCORE, cell, full_results, results

from reports.numbers.shares import shares_above
from reports.numbers.study import split_studies


def shares(rows: pd.DataFrame) -> pd.DataFrame:
    (grid,) = split_studies(rows)
    return shares_above(grid.prefix, grid.trials, REAL_SCORE)


def test_shares_agree_with_pandas() -> None:
    rows = full_results()
    table = shares(rows).set_index(["family", "fraction"])
    for family, group in rows.groupby("family"):
        assert table.loc[(family, "1/3"), "share"] == (group["score"] > REAL_SCORE / 3).mean()
        assert table.loc[(family, "2/3"), "share"] == (group["score"] > 2 * REAL_SCORE / 3).mean()


def test_diverged_trials_count_as_not_above_and_missing_ones_not_at_all() -> None:
    lost = [cell(state="DIVERGED"), cell(state="DIVERGED"), cell(state="FAILED"), cell()]
    table = shares(results([cell(6.0), cell(5.0), *lost]))
    third = table.iloc[0]
    assert (third["declared"], third["cells"], third["above"]) == (6, 4, 1)  # a score of exactly a third is not above
    assert third["threshold"] == pytest.approx(5.0)
    assert (third["share"], third["low"], third["high"]) == (
        0.25,
        pytest.approx(1 / 6),
        0.5,
    )  # the last two may be above or not


def test_a_family_without_finished_cells_has_no_share() -> None:
    table = shares(results([cell(6.0), cell(family="ebgan")]))
    waiting = table[table["family"] == "ebgan"]
    assert list(waiting["cells"]) == [0, 0] and waiting["share"].isna().all()
    assert list(table["family"]) == ["gan", "gan", "ebgan", "ebgan"]
