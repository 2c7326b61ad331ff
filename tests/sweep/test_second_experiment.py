"""An experiment of another package beside the project's own: planned, run on Ray, stored in one database, run again."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from made_trials import IDENTITY, write_space
from processes import ROOT

from data.mnist.dataset import ensure_mnist
from search_spaces.space_file import load_space
from sweep.planning.cohorts import Cohort
from sweep.storage import Storage
from sweep.worker.train import run_cohort

PACKAGE = Path(__file__).parent / "tiny_digits"
SPACE = """
experiment: tiny_digits
family: logistic
axes:
  side: [8, 16]
  lr: [0.01, 0.1, 1.0]
  decay: [0, 0.001]
training: {steps: 60, batch_size: 32}
"""


@dataclass(frozen=True)
class Installed:
    """A folder in which both experiments have been run, and how commands find the other package.

    Attributes:
        plain: output of `status` where the other package is not installed.
    """

    folder: Path
    environment: dict[str, str]
    plain: str

    def run(self, *words: str) -> str:
        return run(words, self.folder, self.environment)

    def read(self, query: str) -> pd.DataFrame:
        with closing(sqlite3.connect(self.folder / "results.db")) as connection:
            return pd.read_sql(query, connection)


def run(words: Sequence[str], folder: Path, environment: dict[str, str]) -> str:
    command = [sys.executable, "-m", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("two")
    source, target = shutil.copytree(PACKAGE, folder / "source"), folder / "packages"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", target, source], check=True, timeout=300)
    database = {"SWEEP_DB": "sqlite:///results.db", "SWEEP_DATA": str(ensure_mnist())}
    plain = os.environ | database | {"PYTHONPATH": str(ROOT)}
    both = plain | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(target)])}
    (folder / "digits.yaml").write_text(SPACE)
    run_gans(folder)
    run(("sweep", "run", "digits.yaml"), folder, both)
    return Installed(folder, both, run(("sweep", "status"), folder, plain))


def run_gans(folder: Path) -> None:
    """Make the database where the other experiment is not known, with two trials of the project's own."""
    space = load_space(write_space(folder / "gan.yaml", layers=(2,), steps=20))
    trials = tuple(space.trials())
    storage = Storage(f"sqlite:///{folder}/results.db", create=True)
    sweep_id = storage.declare(space.name, {space.name: space.as_dict()}, {}, "1")
    storage.add_trials(sweep_id, trials)
    cohort_id = storage.lease(sweep_id, [trial.trial_id for trial in trials], "two gans", IDENTITY).cohort_id
    assert cohort_id is not None
    storage.record(cohort_id, run_cohort(Cohort(trials)))
    storage.close()


@pytest.mark.slow
class TestASecondExperiment:
    def test_is_planned(self, installed: Installed) -> None:
        plan = json.loads(installed.run("sweep", "plan", "digits.yaml", "--db", "sqlite:///results.db", "--json"))
        assert plan["by_family"] == {"logistic": 12}
        assert plan["missing"] == 0

    def test_is_stored_beside_the_first(self, installed: Installed) -> None:
        counts = installed.read("SELECT experiment, state, count(*) AS n FROM results GROUP BY experiment, state")
        assert counts.to_numpy().tolist() == [["mnist_gan", "COMPLETE", 2], ["tiny_digits", "COMPLETE", 12]]
        own = installed.read("SELECT * FROM results_tiny_digits")
        assert {"side", "decay", "n_train", "test_error"} <= set(own)
        assert not {"margin", "z_dim", "coverage", "optim_g"} & set(own)
        assert own["test_error"].between(5, 90).all()
        assert own["side"].value_counts().to_dict() == {8: 6, 16: 6}

    def test_leaves_the_first_as_it_was(self, installed: Installed) -> None:
        own = installed.read("SELECT * FROM results_mnist_gan")
        assert list(own)[:3] == ["trial_id", "family", "n_layer_g"]
        assert not {"side", "decay", "test_error"} & set(own)
        assert own["score"].notna().all()

    def test_is_told_of_in_its_direction(self, installed: Installed) -> None:
        log = (installed.folder / "results-sweep-2.jsonl").read_text()
        assert '"title": "6 logistic, 8 x 8 pixels"' in log
        status = json.loads(installed.run("sweep", "status", "--json"))
        assert status["counts"]["logistic"]["COMPLETE"] == 12

    def test_is_run_again_to_the_same_number(self, installed: Installed) -> None:
        best = installed.read("SELECT trial_id FROM results_tiny_digits ORDER BY test_error LIMIT 1")
        said = installed.run("sweep", "rerun", best["trial_id"][0], "--cohort")
        (line,) = (line for line in said.splitlines() if line.startswith("test_error"))
        assert line.split()[-1] == "+0"

    def test_is_reported_in_its_direction(self, installed: Installed) -> None:
        best = installed.read("SELECT min(test_error) AS best FROM results")
        said = installed.run("reports")
        at = said.index("grid digits: 60 steps of 32 images")
        header, row = said[at:].splitlines()[1:3]
        assert header.split("  ")[-1].strip() == "best"
        assert "median test error, %" in header
        assert row.startswith("logistic regression  12/12 ")
        assert row.split()[-1] == f"{best['best'][0]:.3g}"
        page = (installed.folder / "report" / "index.html").read_text(encoding="utf-8")
        assert "test error, %" in page
        assert "weight decay" in page

    def test_can_be_counted_where_it_is_not_installed(self, installed: Installed) -> None:
        assert "logistic      12 trials: 12 complete" in installed.plain.replace("cells", "trials")
