"""The two-sample test of precisions: it sees a shift, passes equals, and runs."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.precision import compare, main, sample_cells


def test_equal_scores_agree_and_shifted_ones_differ() -> None:
    scores = np.random.default_rng(1).gamma(2.0, 1.0, 300)
    same = compare("same", scores, scores)
    assert (same.statistic, same.p_value, same.difference, same.interval) == (0, 1, 0, (0, 0))
    shifted = compare("shifted", scores, scores + 0.8)
    assert shifted.difference == pytest.approx(0.8)
    assert same.agrees
    assert not shifted.agrees


def test_two_draws_of_one_distribution_agree() -> None:
    # At level 0.01 about one in a hundred may not; the interval is to hold 0 in about 95 of a hundred.
    numbers = np.random.default_rng(2)
    found = [compare("", numbers.gamma(2.0, 1.0, 200), numbers.gamma(2.0, 1.0, 200)) for _ in range(100)]
    assert sum(not c.agrees for c in found) <= 4
    assert 88 <= sum(c.interval[0] <= 0 <= c.interval[1] for c in found) <= 100


def test_a_diverged_cell_counts_as_no_score() -> None:
    found = compare("", [1.0, 2.0, float("nan")], [1.0, 2.0, 3.0])
    assert found.difference == pytest.approx(1.0)


def test_cells_are_spread_over_the_axes() -> None:
    cells = sample_cells("laptop", 64, 3)
    assert {cell.training.steps for cell in cells} == {3}
    for axis, values in {"n_layer_g": 4, "n_layer_d": 4, "size_g": 4, "size_d": 4, "optim_g": 2, "lr": 3}.items():
        assert len({getattr(cell.settings, axis) for cell in cells}) == values
    assert {cell.family for cell in cells} == {"gan", "ebgan", "ebgan_pt"}


def test_the_command_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--cells", "2", "--steps", "2", "--out", str(tmp_path)])
    (file,) = tmp_path.glob("precision-*.json")
    found = json.loads(file.read_text())
    assert found["found"][-1]["name"] == "float32, another seed"
    assert found["found"][-1]["n"] == 2
    assert "another seed" in capsys.readouterr().out
