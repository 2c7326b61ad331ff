"""Files of a report: all at once or not at all, and soon enough also for very many cells."""

import time
from pathlib import Path

import pandas as pd
import pytest
from made_results import full_results

from reports.page.output_folder import staging
from reports.report import make_sections


def test_a_crash_leaves_the_former_report(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("former")
    with pytest.raises(ZeroDivisionError), staging(tmp_path) as stage:
        (stage / "figure2.svg").write_text("half")
        (stage / "index.html").write_text("half")
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    assert (tmp_path / "index.html").read_text() == "former"


def test_a_report_replaces_only_its_own_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "index.html").write_text("former")
    (tmp_path / "sheets").mkdir()
    (tmp_path / "sheets" / "old.png").write_text("former")
    with staging(tmp_path) as stage:
        (stage / "sheets").mkdir()
        (stage / "sheets" / "new.png").write_text("new")
        (stage / "index.html").write_text("new")
    assert sorted(path.name for path in (tmp_path / "sheets").iterdir()) == ["new.png", "old.png"]
    (tmp_path / "sheets" / "new.png").unlink()
    (tmp_path / "sheets" / "old.png").unlink()
    (tmp_path / "sheets").rmdir()
    assert sorted((path.name, path.read_text()) for path in tmp_path.iterdir()) == [
        ("index.html", "new"),
        ("notes.txt", "mine"),
    ]


@pytest.mark.slow
def test_time_and_memory_grow_with_the_cells_and_not_with_their_pairs() -> None:
    """71,680 cells, one shape as often as seeds: with pairs of cells in memory it would be 200 MB for each draw."""
    copies = [full_results().assign(seed=seed, position=full_results()["position"] * 10 + seed) for seed in range(10)]
    many = pd.concat(copies, ignore_index=True)
    many["trial_id"] = [f"{n:016x}" for n in range(len(many))]
    start = time.process_time()
    (section,) = make_sections(many)
    assert time.process_time() - start < 60
    (compared,) = (figure.table for figure in section.figures if figure.name == "comparisons")
    paired = compared[compared["pairing"] == "by trial"]
    assert set(paired["cells_one"]) == {5120}
    assert (paired["low"] <= paired["high"]).all()
