"""The stratified sample: every depth pair, every width pair, every cell of the grid counted once."""

import itertools
from collections import Counter

import pytest

from benchmarks.precision import sample_cells
from benchmarks.throughput.sample import draw_sample, subsample


@pytest.mark.parametrize("grid", ["laptop", "paper"])
@pytest.mark.parametrize("kind", ["gan", "ebgan"])
def test_every_depth_pair_and_every_width_pair_once(grid: str, kind: str) -> None:
    firsts = [case.cells[0] for case in draw_sample(grid, 16).cases if case.kind == kind]
    assert sorted((c.settings.n_layer_g, c.settings.n_layer_d) for c in firsts) == list(
        itertools.product([2, 3, 4, 5], repeat=2)
    )
    widths = {(c.settings.size_g, c.settings.size_d) for c in firsts}
    assert len(firsts) == len(widths) == 16


@pytest.mark.parametrize("shapes", [1, 3, 16])
def test_the_sample_stands_for_every_cell(shapes: int) -> None:
    sample = draw_sample("paper", shapes)
    by_kind = {kind: sum(c.stands_for for c in sample.cases if c.kind == kind) for kind in ("gan", "ebgan")}
    assert by_kind == {"gan": pytest.approx(6144), "ebgan": pytest.approx(1024)}
    assert sample.n_cells == 7168
    assert len(sample.cases) == 2 * shapes


def test_a_case_is_a_whole_cohort() -> None:
    cases = draw_sample("laptop", 16).cases
    assert {(case.kind, len(case.cells)) for case in cases} == {("gan", 24), ("ebgan", 4)}
    assert all(len({cell.shape for cell in case.cells}) == 1 for case in cases)
    assert {cell.family for case in cases if case.kind == "ebgan" for cell in case.cells} == {"ebgan", "ebgan_pt"}


@pytest.mark.parametrize("grid", ["laptop", "paper"])
def test_it_is_nearly_as_dear_as_the_grid(grid: str) -> None:
    assert 0.95 < draw_sample(grid, 16).inflation < 1.05


def test_it_is_the_same_every_time() -> None:
    assert draw_sample("laptop", 16) == draw_sample("laptop", 16)


@pytest.mark.parametrize("most", [2, 4, 8, 12])
def test_subsampling_keeps_both_values_of_each_axis(most: int) -> None:
    cells = draw_sample("laptop", 1).cases[0].cells
    kept = subsample(cells, most)
    assert len(kept) == most
    assert [cell for cell in cells if cell in kept] == list(kept)
    for axis in ("dropout_d", "optim_g", "optim_d"):
        assert len({getattr(cell.settings, axis) for cell in kept}) == 2, axis
    assert len({cell.settings.lr for cell in kept}) == min(most, 3)


def test_a_few_cells_of_a_whole_grid_meet_all_its_values() -> None:
    cells = sample_cells("laptop", 64, None)
    for axis in ("family", "n_layer_g", "n_layer_d", "size_g", "size_d"):
        met = Counter(cell.columns[axis] for cell in cells)
        assert max(met.values()) <= 1.5 * min(met.values()) or axis == "family", axis
        assert len(met) >= 3, axis


@pytest.mark.parametrize("shapes", [2, 4, 8])
def test_fewer_shapes_meet_several_depths_of_both_networks(shapes: int) -> None:
    cells = [case.cells[0] for case in draw_sample("paper", shapes).cases]
    assert len({cell.settings.n_layer_g for cell in cells}) >= min(shapes, 3)
    assert len({cell.settings.n_layer_d for cell in cells}) >= min(shapes, 3)


def test_subsampling_leaves_few_alone() -> None:
    cells = draw_sample("laptop", 1).cases[1].cells
    assert subsample(cells, 100) == cells
