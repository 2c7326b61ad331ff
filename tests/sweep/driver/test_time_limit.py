"""The time limit of a run: it ends soon after it, and the next run goes on from checkpoints to the same scores."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from made_trials import rows, trials, write_space
from processes import beginning_with, on_one_core

from data.mnist.dataset import ensure_mnist
from search_spaces.space import expand
from search_spaces.space_file import load_space
from sweep.driver import supervisor
from sweep.driver.dispatcher import Settings
from sweep.driver.event_log import EventLog
from sweep.driver.supervisor import ChildConfig, supervise
from sweep.planning.machine import this_machine
from sweep.planning.plan import make_plan
from sweep.planning.resources import share_out
from sweep.storage import Storage

PATIENT_S, IMPATIENT_S = 60, 1  # seconds that a cohort may need after the limit, as it is and as this test has it
IMPATIENT = f"from sweep.planning import estimate; estimate.FINISH_S = {IMPATIENT_S}"
MINUTES = 0.4  # Ray takes about ten seconds to start
SCORES = "SELECT trial_id, state, score, frechet, d_loss FROM results ORDER BY trial_id"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    output: str
    seconds: float


def sweep(space: str, folder: Path, *options: str, environment: Mapping[str, str] = os.environ) -> Ended:
    start = time.monotonic()
    command = [sys.executable, "-m", "sweep", "run", space, "--db", f"sqlite:///{folder}/results.db"]
    hook = ["--workers", "1", "--notify", 'echo "told: $SWEEP_STATE"']
    done = subprocess.run(
        [*command, *hook, *options],
        capture_output=True,
        text=True,
        timeout=240,
        env=environment,
        preexec_fn=on_one_core(),
    )
    return Ended(done.returncode, done.stdout + done.stderr, time.monotonic() - start)


@pytest.mark.slow
@pytest.mark.skipif(bool(this_machine().gpus), reason="made for the pace of a CPU")
def test_a_limit_shorter_than_the_only_cohort_makes_progress(tmp_path: Path) -> None:
    ensure_mnist()
    (tmp_path / "whole").mkdir()
    space = write_space(tmp_path / "grid.yaml", layers=(2,), steps=12_000)
    file = tmp_path / "results.db"
    environment = beginning_with(IMPATIENT, tmp_path / "impatient")
    first = sweep(space, tmp_path, "--minutes", str(MINUTES), environment=environment)
    assert first.code == 0, first.output
    assert 60 * MINUTES <= first.seconds < 60 * MINUTES + PATIENT_S
    assert "told: time limit" in first.output
    assert "0 of 2 trials are done" in first.output
    assert "The same command goes on with the rest." in first.output
    (row,) = rows(file, "SELECT state, note, finished_at IS NULL FROM sweeps")
    assert (row[0], row[2]) == ("time limit", 1)
    assert row[1].startswith("2 gan, 2x16 against 2x16 (")
    assert row[1].endswith(" done), did not end and goes on from its checkpoint")
    assert (
        rows(file, "SELECT state, outcome FROM trials JOIN attempts USING (trial_id)")
        == [("WAITING", "INTERRUPTED")] * 2
    )
    (checkpoint,) = (tmp_path / "results-checkpoints").glob("*/*.safetensors")
    done = int(checkpoint.name.partition("-")[0])
    assert 0 < done < 12_000

    second = sweep(space, tmp_path)
    assert second.code == 0, second.output
    assert "told: done" in second.output
    assert rows(file, "SELECT state, finished_at IS NULL FROM sweeps ORDER BY sweep_id")[1] == ("done", 0)
    whole = sweep(space, tmp_path / "whole")
    assert whole.code == 0
    assert rows(file, SCORES) == rows(tmp_path / "whole" / "results.db", SCORES)


def test_a_driver_that_dies_after_the_limit_is_not_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, storage = _config(tmp_path, deadline=time.monotonic() + 1000)
    children: list[str] = []
    now = time.monotonic

    def dies(self: Any, scratch: str, result: Any) -> None:
        children.append(scratch)
        monkeypatch.setattr(time, "monotonic", lambda: now() + 1001)

    monkeypatch.setattr(supervisor._Supervisor, "_run_child", dies)
    outcome = supervise(config, storage, EventLog(tmp_path / "log"), print)
    assert len(children) == 1
    assert (outcome.state, outcome.is_complete, outcome.failed) == ("time limit", False, 0)
    assert [json.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()] == ["died"]


def test_a_limit_that_has_passed_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, storage = _config(tmp_path, deadline=time.monotonic() - 1)
    monkeypatch.setattr(supervisor._Supervisor, "_run_child", None)
    assert supervise(config, storage, EventLog(None), print).state == "time limit"


def _config(folder: Path, deadline: float) -> tuple[ChildConfig, Storage]:
    space = load_space(write_space(folder / "grid.yaml"))
    plan = make_plan([space], expand([space]), share_out([this_machine()]))
    storage = Storage(f"sqlite:///{folder}/results.db", create=True)
    sweep_id = storage.declare("tiny", {}, {}, "1")
    storage.add_trials(sweep_id, trials(1))
    return ChildConfig(str(storage.url), sweep_id, plan, Settings(deadline), None, None), storage
