"""Which cells share a figure: spaces, training settings and ways of scoring are never pooled."""

from pathlib import Path

import pytest
from made_results import cell, full_results, results

from reports.numbers.study import count_states, split_studies
from sweep.storage import load_results


def test_made_rows_have_the_columns_of_the_view(database: Path) -> None:
    assert set(results([cell(1.0)]).columns) == set(load_results(f"sqlite:///{database}").columns)


def test_no_rows_are_no_grids() -> None:
    assert split_studies(results([cell()]).iloc[:0]) == []


def test_outcomes_are_counted() -> None:
    states = ["DIVERGED", "FAILED", "WAITING", "RUNNING"]
    (grid,) = split_studies(results([cell(3.0), *(cell(state=state) for state in states), cell(-1e-17)]))
    assert list(grid.trials["outcome"]) == ["scored", "diverged", "failed", "waiting", "waiting", "scored"]


def test_a_score_that_is_not_finite_counts_as_diverged() -> None:
    (grid,) = split_studies(results([cell(3.0), cell(4.0) | {"score": None}]))
    assert list(grid.prefix["value"]) == [3.0, 0.0]


@pytest.mark.parametrize(
    "key, value", [("formula", "other"), ("classifier", "d" * 64), ("n_samples", 9), ("z_seed", 1)]
)
def test_two_ways_of_scoring_are_never_pooled(key: str, value: object) -> None:
    rows = results([cell(3.0), cell(4.0), cell(14.0, **{key: value})])
    (grid,) = split_studies(rows)
    assert sorted(grid.prefix["value"]) == [3.0, 4.0]
    assert any("1 trial was scored another way" in note for note in grid.notes)


def test_a_trial_without_the_score_of_its_last_step_is_left_out_and_named() -> None:
    (grid,) = split_studies(results([cell(3.0), cell(state="COMPLETE")]))
    assert list(grid.prefix["value"]) == [3.0]
    assert grid.notes == ("1 complete trial has no score of the last step and is left out.",)


def test_only_the_largest_space_of_a_family_is_drawn() -> None:
    extra = [cell(9.0, family="ebgan", space="laptop/extra")]
    rows = results([*(cell(1.0, family="ebgan") for _ in range(2)), *extra])
    (grid,) = split_studies(rows)
    assert list(grid.prefix["value"]) == [1.0, 1.0]
    assert grid.notes == ("laptop/extra (1 trial of EBGAN) is left out: a larger space holds the same family.",)


def test_a_space_that_varies_the_margin_alone_is_not_part_of_the_grid() -> None:
    study = [cell(9.0, family="ebgan", margin=float(m), seed=m, size_g=8, space="laptop/some") for m in (1, 2)]
    (grid,) = split_studies(results([cell(1.0, family="ebgan", margin=10.0), *study]))
    assert list(grid.prefix["value"]) == [1.0]
    assert list(grid.margins["margin"]) == [1.0, 2.0]
    assert grid.notes == ()


def test_a_margin_study_alone_is_a_grid_without_trials() -> None:
    study = [cell(9.0, family="ebgan", margin=float(m), size_g=8, space="laptop/some") for m in (1, 2)]
    (grid,) = split_studies(results(study))
    assert grid.trials.empty and len(grid.margins) == 2


@pytest.mark.parametrize("other", [{"margin": 1.0}, {"size_g": 9}, {"lr": 0.5}, {"pt_weight": 0.1}])
def test_a_space_that_varies_no_margin_or_more_than_it_is_a_grid(other: dict[str, object]) -> None:
    rows = [
        cell(9.0, **({"family": "ebgan", "margin": m, "size_g": 8} | change)) for m, change in ((1.0, {}), (2.0, other))
    ]
    (grid,) = split_studies(results(rows))
    assert grid.margins.empty and len(grid.trials) == 2


def test_spaces_in_no_folder_are_one_study_if_one_sweep_was_the_first_to_declare_them() -> None:
    own = [cell(1.0, space="mine", sweep_id=2), cell(1.0, family="ebgan", space="yours.yaml", sweep_id=2)]
    later = [cell(1.0, space="mine", sweep_id=3), cell(1.0, space="another", sweep_id=3)]
    grids = split_studies(results([*own, *later, cell(space="deep/folder/more")]))
    assert {grid.name: len(grid.declared) for grid in grids} == {"mine, yours": 3, "another": 1, "folder": 1}


@pytest.mark.parametrize("change", [{"space": "paper/mnist_gan"}, {"steps": 600}, {"beta1": 0.9}])
def test_folders_and_training_settings_make_grids_of_their_own(change: dict[str, object]) -> None:
    grids = split_studies(results([cell(1.0), cell(9.0, **change), cell(9.5, **change)]))
    assert [list(grid.prefix["value"]) for grid in grids] == [[9.0, 9.5], [1.0]]


def test_every_declared_trial_is_counted() -> None:
    rows = full_results()
    (grid,) = split_studies(rows)
    counts = count_states(grid.declared)
    assert dict(zip(counts["family"], counts["declared"], strict=True)) == {"gan": 6144, "ebgan": 512, "ebgan_pt": 512}
    assert counts["COMPLETE"].sum() == len(rows)
