"""Learning curves, and EBGANs against their equilibrium."""

from collections.abc import Iterable
from typing import Any

import pandas as pd
import pytest
from made_results import cell, results

from reports.figures.equilibrium import caption_of
from reports.figures.figure import Sources
from reports.figures.learning_curves import learning_curves_figure
from reports.numbers.equilibrium import POINTS, equilibrium
from reports.numbers.learning_curves import learning_curves
from reports.numbers.scorings import NO_STEPS
from reports.numbers.study import Study, split_studies
from search_spaces.experiments.mnist_gan import MNIST_GAN

SCORE = MNIST_GAN.scores[0]


def one_grid(rows: Iterable[dict[str, Any]]) -> Study:
    (grid,) = split_studies(results(rows))
    return grid


def steps_of(scores: dict[str, dict[int, float]]) -> pd.DataFrame:
    rows = [{"trial_id": t, "step": step, "score": s} for t, own in scores.items() for step, s in own.items()]
    return pd.DataFrame(rows).reindex(columns=NO_STEPS.columns)


class TestLearningCurves:
    def test_means_and_quantiles_by_family_and_step(self) -> None:
        cells = [cell(3.0), cell(5.0), cell(1.0, family="ebgan")]
        grid = one_grid(cells)
        a, b, c = grid.trials.sort_values("position")["trial_id"]
        table = learning_curves(
            grid.prefix, steps_of({a: {100: 1.0, 300: 3.0}, b: {100: 2.0, 300: 5.0}, c: {300: 1.0}}), SCORE
        )
        assert table.to_dict("list") == {
            "family": ["gan", "gan"],
            "step": [100, 300],
            "cells": [2, 2],
            "mean": [1.5, 4.0],
            "low": pytest.approx([1.1, 3.2]),
            "high": pytest.approx([1.9, 4.8]),
        }

    def test_a_trial_counts_0_from_where_it_diverged_and_failed_ones_are_missing(self) -> None:
        grid = one_grid([cell(4.0), *(cell(state="DIVERGED") for _ in range(3)), cell(state="FAILED")])
        a, b, _, _, _ = grid.trials.sort_values("position")["trial_id"]
        table = learning_curves(grid.prefix, steps_of({a: {100: 2.0, 200: 3.0, 300: 4.0}, b: {100: 2.0}}), SCORE)
        assert list(table["cells"]) == [4, 4, 4]
        assert list(table["mean"]) == [1.0, 0.75, 1.0]

    def test_only_steps_at_which_all_were_scored_and_only_known_cells(self) -> None:
        grid = one_grid([cell(3.0), cell(5.0), cell(), cell(7.0)])
        a, b, _, d = grid.trials.sort_values("position")["trial_id"]
        scores = {a: {100: 1.0, 200: 2.0, 300: 3.0}, b: {150: 2.0, 200: 4.0, 300: 5.0}, d: {200: 9.0, 300: 7.0}}
        table = learning_curves(grid.prefix, steps_of(scores), SCORE)
        assert (list(table["step"]), list(table["mean"]), list(table["cells"])) == ([200, 300], [3.0, 4.0], [2, 2])

    @pytest.mark.parametrize("only_end", [True, False])
    def test_there_is_no_figure_where_nothing_was_scored_in_training(self, only_end: bool) -> None:
        grid = one_grid([cell(3.0), cell(5.0, state="DIVERGED")])
        steps = steps_of({grid.trials["trial_id"].iloc[0]: {300: 3.0}}) if only_end else NO_STEPS
        assert learning_curves(grid.prefix, steps, SCORE).empty
        assert list(learning_curves_figure(grid, Sources(steps=steps))) == []


def energies(v: float | None) -> dict[str, Any]:
    return {"d_loss": v, "energy_real": v and v - 1, "energy_fake": v and v - 2}


class TestEquilibrium:
    def test_rows_are_scored_ebgans_that_were_measured_and_the_margin_study(self) -> None:
        cells = [
            cell(1.0, **energies(None) | {"d_loss": 1.4}),  # a GAN
            cell(2.0, family="ebgan", margin=10.0, **energies(12.0)),
            cell(3.0, family="ebgan", margin=10.0, **energies(None)),  # of an older version
            cell(4.0, family="ebgan_pt", margin=10.0, pt_weight=0.1, **energies(11.0)),
            cell(family="ebgan", margin=10.0, state="DIVERGED"),
            *(
                cell(m, family="ebgan", margin=m, size_g=8, space="laptop/mnist_margin", **energies(m + 1))
                for m in (8.0, 2.0)
            ),
        ]
        grid = one_grid(cells)
        table = equilibrium(grid.prefix, grid.margins)
        assert list(table["study"]) == ["grid", "grid", "margins", "margins"]
        assert list(table["family"]) == ["ebgan", "ebgan_pt", "ebgan", "ebgan"]
        assert list(table["d_loss"]) == [12.0, 11.0, 3.0, 9.0]
        assert list(table["energy_fake"]) == [10.0, 9.0, 1.0, 7.0]
        assert (
            "EBGAN: the median of V/m is 1.20, the middle 80 % from 1.20 to 1.20. EBGAN-PT: the median of V/m is 1.10"
            in caption_of(table)[1]
        )

    def test_many_cells_are_sampled_the_same_way_every_time(self) -> None:
        cells = [cell(1.0, family="ebgan", margin=10.0, **energies(10.0 + n)) for n in range(POINTS + 50)]
        grid = one_grid(cells)
        table = equilibrium(grid.prefix, grid.margins)
        assert len(table) == table["trial_id"].nunique() == POINTS
        pd.testing.assert_frame_equal(table, equilibrium(grid.prefix, grid.margins))

    def test_where_there_are_no_ebgans_there_is_nothing(self) -> None:
        grid = one_grid([cell(1.0)])
        assert equilibrium(grid.prefix, grid.margins).empty
