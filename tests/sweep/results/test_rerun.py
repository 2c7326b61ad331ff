"""A finished trial, run again by the real command."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from made_trials import diverged, put, rows, trials

from data.mnist.dataset import ensure_mnist
from sweep.planning.cohorts import Cohort, partition
from sweep.results.rerun import rerun, rerun_text, stored_trial
from sweep.storage import Storage, StorageError
from sweep.worker.train import run_cohort

GRID = trials(2, steps=20)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """One trial that was really trained, and one that diverged."""
    ensure_mnist()
    made = Storage(f"sqlite:///{tmp_path}/results.db", create=True)
    made.add_trials(made.declare("tiny", {}, {}, "1"), GRID)
    records = run_cohort(Cohort((GRID[0],)))
    assert isinstance(records, list)
    put(made, [*records, diverged(GRID[1])])
    return made


def test_the_stored_trial_is_the_declared_one(storage: Storage) -> None:
    found, row = stored_trial(storage, GRID[0].trial_id)
    assert found == GRID[0]
    assert found.trial_id == row["trial_id"]


def test_the_same_numbers_come_back_and_nothing_is_stored(storage: Storage, tmp_path: Path) -> None:
    everything = "SELECT * FROM results ORDER BY trial_id"
    before = rows(tmp_path / "results.db", everything)
    found = rerun(storage, GRID[0].trial_id, "cpu")
    assert found.state == ("COMPLETE", "COMPLETE")
    assert {one == other for one, other in found.scores.values()} == {True}
    assert rows(tmp_path / "results.db", everything) == before


def test_among_the_same_others_the_same_bits_come_back(tmp_path: Path) -> None:
    """Half of the 12 trials of a shape ran together; one of them diverged."""
    ensure_mnist()
    made = Storage(f"sqlite:///{tmp_path}/results.db", create=True)
    rates = [t.changed(lr=lr) for lr in (1e-2, 1e-4) for t in trials(6, steps=20, optim_d="sgd")]
    made.add_trials(made.declare("tiny", {}, {"worker": {"cores": 1}}, "1"), rates)
    halves = partition(rates, 2**62)[0].halves()
    for half in halves:
        records = run_cohort(half)
        assert isinstance(records, list)
        put(made, [replace(records[0], state="DIVERGED", scores={}), *records[1:]])
    for half in halves:
        trial_id = half.trial_ids[3]
        assert {row["trial_id"] for row in made.ran_with(trial_id)[1]} == set(half.trial_ids)
        seen: list[float] = []
        found = rerun(made, trial_id, "cpu", whole_cohort=True, progress=seen.append)
        assert {one == other for one, other in found.scores.values()} == {True}
    assert made.ran_with("0" * 16) == ({}, [])


def test_a_difference_is_shown(storage: Storage, tmp_path: Path) -> None:
    with storage._database.write() as connection:
        connection.exec_driver_sql("UPDATE scores SET score = score + 1")
    text = rerun_text(rerun(storage, GRID[0].trial_id, "cpu"))
    (line,) = [line for line in text.splitlines() if line.startswith("score ")]
    assert line.split()[-1] == "-1"


@pytest.mark.parametrize("whole_cohort", [True, False])
def test_a_trial_that_was_trained_alone_is_said_to_differ(storage: Storage, whole_cohort: bool) -> None:
    text = rerun_text(rerun(storage, GRID[0].trial_id, "cpu", whole_cohort))
    assert ("--cohort" in text) is ("Trained alone" in text) is not whole_cohort


@pytest.mark.parametrize(("trial_id", "words"), [("0" * 16, "no trial 0000"), (GRID[1].trial_id, "is DIVERGED")])
def test_what_has_no_score_is_refused(storage: Storage, trial_id: str, words: str) -> None:
    with pytest.raises(StorageError, match=words):
        rerun(storage, trial_id, "cpu")


def test_the_command(storage: Storage, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sweep", "rerun", GRID[0].trial_id, "--db", f"sqlite:///{tmp_path}/results.db"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert "difference" in done.stdout
    assert "COMPLETE before, COMPLETE now" in done.stdout
