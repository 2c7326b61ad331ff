"""The finished prefix, however fast the trials after it were, and the shares that rest on it."""

import numpy as np
import pandas as pd
import pytest
from made_results import cell, full_results, results

from reports.numbers.prefix import finished_prefix, shares
from reports.numbers.study import split_studies
from reports.numbers.values import WAITING

WIDTHS = (50, 100, 200, 400)


def grid(outcomes: str, **values: object) -> pd.DataFrame:
    """Shapes of two cells each, by width; s scored (the width / 100), d diverged, f failed, w waiting."""
    rows = []
    for number, outcome in enumerate(outcomes):
        width = WIDTHS[number // 2]
        states = {"d": "DIVERGED", "f": "FAILED", "w": "WAITING", "s": "COMPLETE"}
        score = width / 100 if outcome == "s" else None
        rows.append(cell(score, size_g=width, lr=(0.01, 0.001)[number % 2], state=states[outcome]) | values)
    (found,) = split_studies(results(rows))
    return found.trials


@pytest.mark.parametrize(
    ("outcomes", "n"), [("ssssssss", 8), ("sswsssss", 2), ("swssssss", 0), ("dffsssww", 6), ("wwwwwwww", 0)]
)
def test_it_ends_before_the_first_shape_that_is_not_whole(outcomes: str, n: int) -> None:
    cells = grid(outcomes)
    chosen = finished_prefix(cells)
    assert list(chosen.index) == list(cells.index[:n])
    assert list(chosen["unit"]) == [i // 2 for i in range(n)]


def test_the_order_is_that_of_positions_not_of_rows() -> None:
    cells = grid("sswsssss").iloc[::-1]
    assert list(finished_prefix(cells)["position"]) == [0, 1]


def test_diverged_trials_count_as_the_worst_score_and_failed_ones_as_nothing() -> None:
    values = finished_prefix(grid("sdfs"))["value"]
    assert list(values.dropna()) == [0.5, 0.0, 1.0] and np.isnan(values.iloc[2])


def test_a_failed_trial_may_have_scored_anything() -> None:
    cells = grid("ssfs")
    prefix = finished_prefix(cells)
    estimate, low, high = shares(prefix, cells, prefix["value"].to_numpy()[:, None] > np.array([0.7, 0.0, 9.0]))
    assert list(estimate) == pytest.approx([1 / 3, 1.0, 0.0])
    assert (list(low), list(high)) == ([0.25, 0.75, 0.0], [0.5, 1.0, 0.25])


def test_families_and_declarations_have_first_parts_of_their_own() -> None:
    rows = [
        cell(score, size_g=50, **own)
        for score, own in (
            (1.0, {}),
            (None, {}),
            (2.0, {"family": "ebgan"}),
            (3.0, {"sweep_id": 2, "size_d": 32}),
            (None, {"sweep_id": 2, "size_d": 64}),
        )
    ]
    (found,) = split_studies(results(rows))
    chosen = found.prefix
    assert sorted(chosen["value"]) == [2.0, 3.0]
    assert list(chosen["unit"]) == [0, 0]


def test_shares_of_a_whole_grid_are_exact() -> None:
    rows = full_results()
    (found,) = split_studies(rows)
    chosen = found.prefix
    for family, own in chosen.groupby("family"):
        declared = found.trials[found.trials["family"] == family]
        estimate, low, high = shares(own, declared, own["value"].to_numpy()[:, None] > np.array([1.0, 5.0]))
        expected = [(rows.loc[rows["family"] == family, "score"] > s).mean() for s in (1.0, 5.0)]
        assert list(estimate) == list(low) == list(high) == pytest.approx(expected)


def test_an_unknown_declaration_leaves_its_part_open() -> None:
    rows = [cell(9.0, size_g=width) for width in WIDTHS] + [cell(size_g=800, sweep_id=2, position=n) for n in range(4)]
    (found,) = split_studies(results(rows))
    chosen = found.prefix
    estimate, low, high = shares(chosen, found.trials, chosen["value"].to_numpy()[:, None] > 5)
    assert (estimate[0], low[0], high[0]) == (1.0, 0.5, 1.0)


def test_unequal_shapes_weigh_by_their_cells() -> None:
    rows = [cell(9.0, size_g=50)] + [cell(0.0, size_g=100, seed=seed) for seed in range(3)]
    (found,) = split_studies(results(rows))
    chosen = found.prefix
    estimate, low, high = shares(chosen, found.trials, chosen["value"].to_numpy()[:, None] > 5)
    assert estimate[0] == low[0] == high[0] == 0.25


def test_bands_of_shapes_hold_at_every_look() -> None:
    """Cells that are alike within shapes, shapes that end in any order: the whole way, from positions to intervals."""
    rng = np.random.default_rng(0)
    n_shapes, wrong, repeats = 32, 0, 60
    per_shape = rng.beta(0.4, 1.0, n_shapes)
    for _ in range(repeats):
        order = rng.permutation(n_shapes)
        rows = [
            cell(10.0 if rng.random() < per_shape[shape] else 1.0, size_g=int(shape), seed=seed)
            for shape in order
            for seed in range(6)
        ]
        (whole,) = split_studies(results(rows))
        cells = whole.trials.sort_values("position")
        truth = (cells["score"] > 5).mean()
        slow = per_shape[order] + rng.random(n_shapes)  # shapes with high scores take longer
        outside = False
        for moment in (0.5, 0.8, 1.0, 1.2, 1.5):
            waiting = np.repeat(slow > moment, 6)
            seen = cells.assign(outcome=cells["outcome"].mask(waiting, WAITING), value=cells["value"].mask(waiting))
            chosen = finished_prefix(seen)
            _, low, high = shares(chosen, seen, chosen["value"].to_numpy()[:, None] > 5)
            outside |= not low[0] - 1e-12 <= truth <= high[0] + 1e-12
        wrong += outside
    assert wrong / repeats <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / repeats)
