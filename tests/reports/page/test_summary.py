"""What the command says at its end."""

from pathlib import Path

import pandas as pd
import pytest
from made_results import cell, results

from reports import report
from reports.page.summary import summary
from reports.report import make_sections


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command says nothing of figures, and to make them takes most of a report's time."""
    monkeypatch.setattr(report, "REPORTS", {})
    monkeypatch.setattr(report, "GENERAL", ())


def lines_of(rows: pd.DataFrame) -> list[str]:
    return summary(Path("index.html"), make_sections(rows), []).splitlines()


def test_a_finished_grid_has_no_intervals() -> None:
    lines = lines_of(results([cell(6.0), cell(1.0)]))
    assert lines[2] == "50 % of GANs score above a third of the real-data score."
    assert lines[5].split() == ["GAN", "2/2", "50.0", "%", "0.0", "%"]
    assert "intervals" not in "".join(lines)


def test_an_unfinished_grid_has_intervals() -> None:
    lines = lines_of(results([cell(6.0), cell(1.0), cell()]))
    assert lines[5].split()[:5] == ["GAN", "2/3", "50.0", "%", "[33.3-66.7]"]
    assert lines[6].startswith("[95 % intervals")


@pytest.mark.parametrize("space", ["my <b>digits</b> & co", "study/gan", "rate 0.5", "v1.5/gan"])
def test_a_grid_of_one_space_is_called_by_its_whole_name(space: str) -> None:
    assert f"grid {space}: mnist, 300 steps of 64 images" in lines_of(results([cell(6.0, space=space)]))


def test_a_grid_of_several_spaces_is_called_by_their_folder_or_by_all_their_names() -> None:
    spaces = ["study/gan", "study/ebgan", "rate 0.5", "rate 0.1"]
    lines = lines_of(results([cell(6.0, space=space) for space in spaces]))
    grids = [line.split(":")[0] for line in lines if line.startswith("grid ")]
    assert sorted(grids) == ["grid rate 0.1, rate 0.5", "grid study"]


def test_a_margin_study_alone_is_no_empty_grid() -> None:
    rows = [cell(m, family="ebgan", margin=m, size_g=8, space="laptop/mnist_margin") for m in (1.0, 2.0)]
    lines = lines_of(results([*rows, cell(family="ebgan", margin=4.0, size_g=8, space="laptop/mnist_margin")]))
    assert "margin study: 2 of 3 trials have ended" in lines
    assert "no trial has a score" not in lines
