"""Numbers of figures 2 and 3, by hand, and the published bars."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_results import cell, full_results, results

from reports.numbers.histogram import bars, bin_edges, layer_histograms, optimizer_histograms
from reports.numbers.published import published_bars
from reports.numbers.study import split_studies


def chosen(rows: list[dict[str, object]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The finished prefix, and all declared trials."""
    (grid,) = split_studies(results(rows))
    return grid.prefix, grid.trials


def ours(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["source"] == "sweep"]


@pytest.mark.parametrize("figure, panel", [(2, ["panel"]), (3, ["lr", "optim_d", "optim_g"])])
def test_published_bars_sum_to_100(figure: int, panel: list[str]) -> None:
    """EBGANs' within a point; GANs' lack what is in bars too low to be read."""
    sums = published_bars(figure, panel).groupby(["family", *panel])["percent"].sum()
    assert len(sums) == {2: 6, 3: 24}[figure]
    assert sums["ebgan"].between(99, 101).all()
    assert sums["gan"].between(96.5, 100.5).all()


def test_published_bars_are_on_our_axis() -> None:
    right = published_bars(2, ["panel"]).groupby("panel")["right"].max()
    assert right.to_dict() == pytest.approx({"all": 19.2, "layers <= 4": 18.9, "layers <= 3": 18.1})


def test_bins_are_the_paper_s() -> None:
    """A score of 0.7679 is in the first of the paper's bins of 0.768 nats, one of 0.769 in the second."""
    rows = [cell(score) for score in (0.0, 0.7679, 0.769, 19.2)] + [cell(state="DIVERGED")]
    table = layer_histograms(*chosen(rows))
    for panel, own in table.groupby("panel"):
        sweep, paper = (own[(own["source"] == source) & (own["family"] == "gan")] for source in ("sweep", "paper"))
        there = sweep[sweep["bin"] < 25]
        assert there["left"].to_numpy() == pytest.approx(paper["left"].to_numpy())
        assert there["right"].to_numpy() == pytest.approx(paper["right"].to_numpy())
        assert sweep["percent"].sum() == pytest.approx(100), panel
    own = ours(table).query("panel == 'all'")
    assert own["cells"].to_list() == [3, 1] + [0] * 22 + [1]
    assert own["percent"].to_list() == pytest.approx([60, 20] + [0] * 22 + [20])


def test_scores_beyond_the_paper_s_bins_have_bins_of_the_same_width() -> None:
    own = ours(layer_histograms(*chosen([cell(1.0), cell(25.0)]))).query("panel == 'all'")
    assert len(own) == 33 and own["cells"].iloc[-1] == 1
    assert (own["right"] - own["left"]).to_numpy() == pytest.approx(np.full(33, 0.768))


def test_missing_trials_are_in_no_bin_and_diverged_ones_in_the_lowest() -> None:
    rows = [cell(5.0), cell(state="DIVERGED"), cell(state="FAILED"), cell(state="RUNNING"), cell()]
    table = ours(layer_histograms(*chosen(rows)))
    assert table.groupby("panel")["cells"].sum().to_dict() == {"all": 2, "layers <= 3": 2, "layers <= 4": 2}
    assert table.groupby("bin")["cells"].sum()[0] == 3


def test_layer_panels_bound_both_networks_and_have_the_paper_s_bins() -> None:
    rows = [cell(9.0, n_layer_g=5), cell(8.0, n_layer_d=4), cell(7.0, n_layer_g=3, n_layer_d=3), cell(1.0)]
    table = ours(layer_histograms(*chosen(rows)))
    assert table.groupby("panel")["cells"].sum().to_dict() == {"all": 4, "layers <= 4": 3, "layers <= 3": 2}
    right = table.groupby("panel")["right"].max().to_dict()
    assert right == pytest.approx({"all": 19.2, "layers <= 4": 18.9, "layers <= 3": 18.1})


def test_the_paper_s_grid_fills_the_panels_as_the_paper_says() -> None:
    (grid,) = split_studies(full_results())
    sizes = ours(layer_histograms(grid.prefix, grid.trials)).groupby(["family", "panel"])["cells"].sum()
    assert [sizes["ebgan", panel] for panel in ("all", "layers <= 4", "layers <= 3")] == [512, 288, 128]
    assert [sizes["gan", panel] for panel in ("all", "layers <= 4", "layers <= 3")] == [6144, 3456, 1536]


def test_optimizer_panels_split_gans_and_repeat_ebgans() -> None:
    (grid,) = split_studies(full_results())
    table = ours(optimizer_histograms(grid.prefix, grid.trials))
    sizes = table.groupby(["lr", "optim_d", "optim_g", "family"])["cells"].sum()
    assert len(sizes) == 24 and (sizes == 512).all()
    reference = table[table["family"] == "ebgan"].groupby("bin")["percent"].nunique()
    assert (reference == 1).all()
    assert table.groupby("bin")["right"].nunique().max() == 1


def test_optimizer_panels_tell_discriminator_from_generator() -> None:
    table = ours(optimizer_histograms(*chosen([cell(3.0, optim_d="sgd", optim_g="adam", lr=1e-2)])))
    assert set(table[["lr", "optim_d", "optim_g"]].itertuples(index=False, name=None)) == {(0.01, "sgd", "adam")}


def test_no_finished_cells_leave_only_the_paper() -> None:
    for table in (layer_histograms(*chosen([cell()])), optimizer_histograms(*chosen([cell()]))):
        assert set(table["source"]) == {"paper"}


def test_all_zero_scores_have_bins() -> None:
    table = ours(layer_histograms(*chosen([cell(0.0)])))
    assert table.query("bin == 0")["percent"].to_list() == [100.0] * 3


@given(st.lists(st.floats(0, 30), min_size=1, max_size=40))
def test_percents_sum_to_100_and_counts_to_all(values: list[float]) -> None:
    cells = pd.DataFrame({"family": "gan", "value": values, "sweep_id": 1})
    cells = cells.assign(shape=range(len(cells)), unit=range(len(cells)))
    table = bars(cells, cells, bin_edges(cells["value"]))
    assert table["cells"].sum() == len(values)
    assert np.isclose(table["percent"].sum(), 100)


def test_bars_of_an_unfinished_grid_have_intervals_that_close() -> None:
    rows = full_results().assign(score=lambda frame: frame["score"].clip(upper=3.0))
    whole = ours(layer_histograms(*_parts(rows))).set_index(["panel", "family", "bin"])
    assert (whole["low"] == whole["high"]).all() and whole["low"].to_numpy() == pytest.approx(whole["percent"])
    widths = []
    for n in (500, 2000, 5000):
        part = rows.copy()
        part.loc[part["position"] >= n, ["state", "score"]] = ["WAITING", None]
        table = ours(layer_histograms(*_parts(part))).set_index(["panel", "family", "bin"])
        assert (table["low"] <= table["percent"] + 1e-9).all() and (table["percent"] <= table["high"] + 1e-9).all()
        truth = whole["percent"].reindex(table.index)
        assert ((table["low"] <= truth + 1e-9) & (truth <= table["high"] + 1e-9)).mean() > 0.95
        widths.append((table["high"] - table["low"]).mean())
    assert widths[0] > widths[1] > widths[2] > 0


def _parts(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    (grid,) = split_studies(rows)
    return grid.prefix, grid.trials
