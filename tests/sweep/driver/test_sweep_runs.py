"""Whole sweeps by the real command on Ray: interrupted, gone on with, hit by a dying worker, and out of time.

Ray takes ten seconds to start, so there are three runs that do work, and every test looks at what one of them left.
The first of these is the one real sweep among the quick tests.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from made_trials import rows, write_space
from processes import listening, on_one_core, workers_of

from data.mnist.dataset import ensure_mnist
from sweep.planning.machine import this_machine

PATIENCE_S = 120.0
LAYERS = (2, 3, 4, 5, 6)
CELLS, MORE_CELLS = 2 * len(LAYERS), 3 * len(LAYERS)  # with two rates, and with one more
MINUTES = 0.2
ALL_STATES = "SELECT trial_id, state, attempts, lr FROM trials ORDER BY position"
pytestmark = pytest.mark.skipif(bool(this_machine().gpus), reason="made for the pace of a CPU")


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it left."""

    code: int
    output: str
    errors: str
    seconds: float
    trials: list[tuple[str, str, int, float]]
    attempts: list[tuple[str, str | None]]

    def states(self) -> Counter[str]:
        return Counter(state for _, state, _, _ in self.trials)


class Sweeping:
    """A sweep that runs as a process of its own, in a session of its own as from a terminal."""

    def __init__(self, space: str, file: Path, *options: str) -> None:
        self.file = file
        command = [sys.executable, "-m", "sweep", "run", space, "--db", f"sqlite:///{file}", *options]
        pipe = subprocess.PIPE

        def begin() -> None:
            if "--workers" in options:  # else a worker a core
                on_one_core()()
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a script starts what it leaves in the background

        self._start = time.monotonic()
        self.process = subprocess.Popen(
            command, stdout=pipe, stderr=pipe, text=True, preexec_fn=begin, start_new_session=True
        )

    def wait_for(self, ready: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not ready():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < end, "it took too long"
            time.sleep(0.1)

    def states(self) -> Counter[str]:
        if not self.file.exists() or not rows(self.file, "SELECT name FROM sqlite_master WHERE name = 'trials'"):
            return Counter()
        return Counter(state for (state,) in rows(self.file, "SELECT state FROM trials"))

    def end(self) -> Ended:
        output, errors = self.process.communicate(timeout=PATIENCE_S)
        return Ended(
            code=self.process.returncode,
            output=output,
            errors=errors,
            seconds=time.monotonic() - self._start,
            trials=rows(self.file, ALL_STATES),
            attempts=rows(self.file, "SELECT trial_id, outcome FROM attempts ORDER BY attempt_id"),
        )

    def workers(self) -> list[int]:
        """Processes in which Ray runs our cohorts: descendants of the command that call themselves ray::."""
        return workers_of(self.process.pid)


@contextmanager
def sweeping(space: str, file: Path, *options: str) -> Iterator[Sweeping]:
    running = Sweeping(space, file, *options)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            os.killpg(running.process.pid, signal.SIGKILL)
            running.process.wait()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    ensure_mnist()
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def addresses() -> set[str]:
    """Where the processes of the sweep below listened; known once it has run."""
    return set()


@pytest.fixture(scope="module")
def interrupted(folder: Path, addresses: set[str]) -> tuple[Ended, float]:
    """Ctrl-C once the first cohort is stored; and the seconds it then took to end."""
    space = write_space(folder / "grid.yaml", LAYERS, steps=150)
    with sweeping(space, folder / "results.db") as running:
        running.wait_for(lambda: running.states()["COMPLETE"] > 0)
        addresses |= listening(running.process.pid)
        os.killpg(running.process.pid, signal.SIGINT)
        asked = time.monotonic()
        ended = running.end()
        return ended, time.monotonic() - asked


@pytest.fixture(scope="module")
def resumed(folder: Path, interrupted: tuple[Ended, float]) -> tuple[Ended, int]:
    """The same command on a grid with one more rate; a worker is killed on the way."""
    space = write_space(folder / "grid.yaml", LAYERS, rates=(0.01, 0.001, 0.0001), steps=150)
    with sweeping(space, folder / "results.db", "--workers", "1") as running:
        running.wait_for(lambda: running.states()["RUNNING"] > 0 and bool(running.workers()))
        victim = running.workers()[0]
        os.kill(victim, signal.SIGKILL)
        return running.end(), victim


@pytest.fixture(scope="module")
def again(folder: Path, resumed: tuple[Ended, int]) -> Ended:
    with sweeping(str(folder / "grid.yaml"), folder / "results.db") as running:
        return running.end()


@pytest.fixture(scope="module")
def out_of_time(folder: Path) -> Ended:
    """Seconds for what takes minutes."""
    space = write_space(folder / "long.yaml", range(2, 14), steps=4000)
    with sweeping(space, folder / "long.db", "--workers", "1", "--minutes", str(MINUTES)) as running:
        return running.end()


class TestInterrupted:
    def test_ctrl_c_ends_it_with_130_soon_and_in_words(self, interrupted: tuple[Ended, float]) -> None:
        ended, seconds = interrupted
        assert ended.code == 130
        assert seconds < 20
        assert "Stopped. Finished cohorts are stored; the same command goes on with the rest." in ended.output
        assert "Traceback" not in ended.output + ended.errors

    def test_finished_cohorts_are_stored_and_nothing_is_left_running(self, interrupted: tuple[Ended, float]) -> None:
        ended, _ = interrupted
        states = ended.states()
        assert states.total() == CELLS
        assert set(states) == {"COMPLETE", "WAITING"}
        assert states["COMPLETE"] >= 2
        assert states["COMPLETE"] % 2 == 0
        outcomes = Counter(outcome for _, outcome in ended.attempts)
        assert outcomes["COMPLETE"] == states["COMPLETE"]
        assert set(outcomes) <= {"COMPLETE", "INTERRUPTED"}

    def test_what_it_said_before_ray_started(self, interrupted: tuple[Ended, float]) -> None:
        plan, rest = interrupted[0].output.split("\n", 1)
        assert plan == f"{CELLS} cells: {CELLS} gan; {CELLS} to run in {len(LAYERS)} cohorts"
        assert "Starting Ray" in rest

    def test_nobody_else_on_the_network_can_reach_it(
        self, interrupted: tuple[Ended, float], addresses: set[str]
    ) -> None:
        assert addresses
        assert addresses <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


@pytest.mark.slow
class TestResumed:
    def test_it_completes_the_grid_although_a_worker_died(self, resumed: tuple[Ended, int]) -> None:
        ended, _ = resumed
        assert ended.code == 0
        assert ended.states() == {"COMPLETE": MORE_CELLS}
        assert "Traceback" not in ended.output + ended.errors

    def test_the_killed_cohort_was_tried_again(
        self, resumed: tuple[Ended, int], interrupted: tuple[Ended, float]
    ) -> None:
        ended, victim = resumed
        assert not Path(f"/proc/{victim}").exists()
        new = ended.attempts[len(interrupted[0].attempts) :]
        lost = {trial_id for trial_id, outcome in new if outcome == "LOST"}
        assert 1 <= len(lost) <= 3
        for trial_id in lost:
            assert [outcome for i, outcome in new if i == trial_id] == ["LOST", "COMPLETE"]

    def test_only_what_was_missing_ran(self, resumed: tuple[Ended, int], interrupted: tuple[Ended, float]) -> None:
        before, (ended, _) = interrupted[0], resumed
        done = {trial_id for trial_id, state, _, _ in before.trials if state == "COMPLETE"}
        cells, missing = MORE_CELLS, MORE_CELLS - len(done)
        assert ended.output.startswith(f"{cells} cells: {cells} gan; {missing} to run in {len(LAYERS)} cohorts\n")
        new = {trial_id for trial_id, _ in ended.attempts[len(before.attempts) :]}
        assert new == {trial_id for trial_id, _, _, _ in ended.trials} - done
        assert Counter(lr for trial_id, _, _, lr in ended.trials if trial_id in new)[0.0001] == len(LAYERS)

    def test_every_cell_has_a_score_and_a_sheet(self, folder: Path, resumed: tuple[Ended, int]) -> None:
        (counts,) = rows(
            folder / "results.db",
            "SELECT count(*), count(score), count(frechet), count(duration_s), count(DISTINCT device) FROM results",
        )
        assert counts == (*[MORE_CELLS] * 4, 1)
        sheets = "SELECT count(*) FROM samples WHERE hex(substr(png, 1, 8)) = '89504E470D0A1A0A'"
        assert rows(folder / "results.db", sheets) == [(MORE_CELLS,)]
        assert rows(folder / "results.db", "SELECT finished_at IS NULL FROM sweeps ORDER BY sweep_id") == [(1,), (0,)]


@pytest.mark.slow
class TestDoneAlready:
    def test_a_finished_grid_runs_nothing_and_says_so_without_ray(
        self, folder: Path, again: Ended, resumed: tuple[Ended, int]
    ) -> None:
        assert again.code == 0
        first, second, _ = again.output.splitlines()
        assert first == f"{MORE_CELLS} cells: {MORE_CELLS} gan; 0 to run in 0 cohorts"
        assert second == f"All {MORE_CELLS} trials are done."
        assert again.errors == ""
        assert again.trials == resumed[0].trials
        assert again.attempts == resumed[0].attempts
        assert rows(folder / "results.db", "SELECT count(*) FROM sweeps") == [(2,)]


@pytest.mark.slow
class TestOutOfTime:
    def test_it_stops_by_itself_in_good_order(self, out_of_time: Ended) -> None:
        assert out_of_time.code == 0
        assert 0 <= out_of_time.seconds - 60 * MINUTES < 40  # Ray alone may take half a minute to come and go
        assert "Traceback" not in out_of_time.output + out_of_time.errors

    def test_what_it_did_not_reach_is_waiting(self, out_of_time: Ended) -> None:
        states = out_of_time.states()
        assert states.total() == 24
        assert set(states) <= {"COMPLETE", "WAITING"}
        assert states["WAITING"] > 0
        reached = [state for _, state, _, _ in out_of_time.trials].index("WAITING")
        # One worker takes cohorts in order, so what is done is a first part of the grid.
        assert "COMPLETE" not in [state for _, state, _, _ in out_of_time.trials[reached:]]
