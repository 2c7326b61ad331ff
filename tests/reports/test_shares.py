"""Shares above thirds of the real-data score, against pandas and a hand-computed interval."""

import math

import pandas as pd
import pytest
from made_results import REAL_SCORE, cell, full_results, results

from reports.grids import finished, split_grids
from reports.statistics import shares_above


def shares(rows: pd.DataFrame) -> pd.DataFrame:
    (grid,) = split_grids(rows)
    return shares_above(finished(grid.cells), grid.cells, REAL_SCORE)


def test_shares_agree_with_pandas() -> None:
    rows = full_results()
    table = shares(rows).set_index(["family", "fraction"])
    for family, group in rows.groupby("family"):
        assert table.loc[(family, "1/3"), "share"] == (group["score"] > REAL_SCORE / 3).mean()
        assert table.loc[(family, "2/3"), "share"] == (group["score"] > 2 * REAL_SCORE / 3).mean()


def test_diverged_cells_count_as_not_above_and_missing_ones_not_at_all() -> None:
    table = shares(results([cell(6.0), cell(5.0), cell(state="DIVERGED"), cell(state="FAILED"), cell()]))
    third = table.iloc[0]
    assert (third["declared"], third["cells"], third["above"]) == (5, 3, 1)  # a score of exactly a third is not above
    assert third["threshold"] == pytest.approx(5.0)


def test_the_interval_is_wilson_s() -> None:
    third = shares(results([cell(6.0)] * 3 + [cell(1.0)] * 7)).iloc[0]
    p, n, z = 0.3, 10, 1.959964
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert (third["low"], third["high"]) == pytest.approx((middle - half, middle + half), abs=1e-6)


def test_a_family_without_finished_cells_has_no_share() -> None:
    table = shares(results([cell(6.0), cell(family="ebgan")]))
    waiting = table[table["family"] == "ebgan"]
    assert list(waiting["cells"]) == [0, 0] and waiting["share"].isna().all()
    assert list(table["family"]) == ["gan", "gan", "ebgan", "ebgan"]
