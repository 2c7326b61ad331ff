"""One small database and one full-size report, shared by the tests of the package."""

import time
from pathlib import Path

import pandas as pd
import pytest
from made_results import fill_database, full_results, full_steps, sheet
from svg_alone import draw_svg_alone

from reports.figures.figure import Sources
from reports.page.page import render_page
from reports.report import Section, as_files, make_sections


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SQLite file of an unfinished sweep: 300 of 7,168 cells are done."""
    file = tmp_path_factory.mktemp("sweep") / "runs" / "results.db"
    fill_database(f"sqlite:///{file}", finished=300)
    return file


@pytest.fixture(scope="session")
def sweeps() -> pd.DataFrame:
    row = {"name": "made", "spaces": {"laptop/mnist_gan": {"family": "gan"}}, "settings": {"workers": 2}}
    times = {"started_at": pd.Timestamp("2026-01-02 03:04:05"), "finished_at": pd.NaT}
    return pd.DataFrame([row | times | {"sweep_id": 1, "code_version": "abc1234"}])


@pytest.fixture(scope="session")
def full_report(sweeps: pd.DataFrame) -> tuple[list[Section], dict[str, bytes], float]:
    """Sections and files of a report on 7,168 scored cells, and the seconds of a processor that this took."""
    results, steps = full_results(), full_steps()
    start = time.process_time()
    sections = make_sections(results, Sources(lambda trial_ids: dict.fromkeys(trial_ids, sheet()), steps))
    files = as_files(sections, render_page(sections, sweeps, ["import pandas as pd"]))
    return sections, files, time.process_time() - start


@pytest.fixture
def svg_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    draw_svg_alone(monkeypatch)
