"""The time limit of a run: it ends soon after it, and the next run goes on from checkpoints to the same scores."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from made_trials import rows, trials, write_space
from processes import beginning_with, on_one_core, workers_of

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
# The driver waits as long as the test: a worker that did not stop by itself would end its cohort.
IMPATIENT = f"""
from sweep.planning import estimate
estimate.FINISH_S = {IMPATIENT_S}
from sweep.driver import dispatcher
dispatcher.LATEST_S = 1000.0
"""
PATIENCE_S = 240.0
STEPS = 6000
SCORES = "SELECT trial_id, state, score, frechet, d_loss FROM results ORDER BY trial_id"


@contextmanager
def sweeping(
    space: str, folder: Path, *options: str, environment: Mapping[str, str] = os.environ
) -> Iterator["subprocess.Popen[str]"]:
    """The real command, in a process of its own."""
    command = [sys.executable, "-m", "sweep", "run", space, "--db", f"sqlite:///{folder}/results.db"]
    hook = ["--workers", "1", "--notify", 'echo "told: $SWEEP_STATE"']
    process = subprocess.Popen(
        [*command, *hook, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        preexec_fn=on_one_core(),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def sweep(space: str, folder: Path) -> str:
    """Output of a sweep that ends in good order."""
    with sweeping(space, folder) as process:
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    return output


@pytest.mark.slow
@pytest.mark.skipif(bool(this_machine().gpus), reason="made for the pace of a CPU")
def test_a_limit_shorter_than_the_only_cohort_makes_progress(tmp_path: Path) -> None:
    """The worker stands still from its first checkpoint until the limit, which no machine is too fast or slow for."""
    ensure_mnist()
    (tmp_path / "whole").mkdir()
    space = write_space(tmp_path / "grid.yaml", layers=(2,), steps=STEPS)
    file, folder = tmp_path / "results.db", tmp_path / "results-checkpoints"
    start = time.time()
    sweep(space, tmp_path / "whole")
    limit = time.time() - start + 5  # seconds; by then the worker has begun
    start = time.time()
    options = ["--minutes", str(limit / 60), "--since", str(start), "--checkpoint-minutes", "0.01"]
    environment = beginning_with(IMPATIENT, tmp_path / "impatient")
    with sweeping(space, tmp_path, *options, environment=environment) as first:
        while not list(folder.glob("*/*.safetensors")):
            assert first.poll() is None, first.communicate()
            time.sleep(0.02)
        (worker,) = workers_of(first.pid)
        os.kill(worker, signal.SIGSTOP)
        before = list(folder.glob("*/*.safetensors"))
        time.sleep(max(0, start + limit + 2 * IMPATIENT_S - time.time()))
        os.kill(worker, signal.SIGCONT)
        output, _ = first.communicate(timeout=PATIENCE_S)
        seconds = time.time() - start
    assert first.returncode == 0, output
    assert limit <= seconds < limit + PATIENT_S
    assert "told: time limit" in output
    assert "0 of 2 trials are done" in output
    assert "The same command goes on with the rest." in output
    (row,) = rows(file, "SELECT state, note, finished_at IS NULL FROM sweeps")
    assert (row[0], row[2]) == ("time limit", 1)
    assert row[1].startswith("2 gan, 2x16 against 2x16 (")
    assert row[1].endswith(" done), did not end and goes on from its checkpoint")
    assert (
        rows(file, "SELECT state, outcome FROM trials JOIN attempts USING (trial_id)")
        == [("WAITING", "INTERRUPTED")] * 2
    )
    newest = max(folder.glob("*/*.safetensors"))
    assert newest not in before
    assert 0 < int(newest.name.partition("-")[0]) < STEPS

    assert "told: done" in sweep(space, tmp_path)
    assert rows(file, "SELECT state, finished_at IS NULL FROM sweeps ORDER BY sweep_id")[1] == ("done", 0)
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
