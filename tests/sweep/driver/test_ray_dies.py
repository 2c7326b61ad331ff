"""Ray dies, and the sweep goes on; somebody stops every process at once, and the sweep stops cleanly."""

import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import pytest
from made_trials import cohorts_in_flight, cohorts_under_way, rows, write_space
from processes import HELPERS, alive, beginning_with, heed_signals, started_by, workers_of

from data.mnist.dataset import ensure_mnist
from sweep.planning.machine import this_machine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(this_machine().gpus), reason="made for the pace of a CPU"),
]
PATIENCE_S = 180.0
SOON_S = 15.0
LAYERS = tuple(range(2, 14))
NO_HOME = "/proc/nothere"  # a folder that can't be made
OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Running:
    """A sweep in a session of its own, as a service or a terminal would start it.

    Attributes:
        folder: of its database.
        scratch: of its temporary files, and of a home.
        output: file with all that it wrote.
    """

    process: "subprocess.Popen[bytes]"
    folder: Path
    scratch: Path
    output: Path

    @property
    def file(self) -> Path:
        return self.folder / "results.db"

    def complete(self) -> int:
        if not self.file.exists() or not rows(self.file, "SELECT 1 FROM sqlite_master WHERE name = 'results'"):
            return 0
        return len(rows(self.file, "SELECT 1 FROM trials WHERE state = 'COMPLETE'"))

    def wait_for(self, ready: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not ready():
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < end, self.output.read_text()
            time.sleep(0.05)

    def wait_for_a_cohort(self) -> None:
        before = self.complete()
        self.wait_for(lambda: self.complete() > before)

    def wait_for_a_worker(self) -> None:
        """Until a cohort is in flight, and a process that trains."""
        self.wait_for(lambda: cohorts_in_flight(self.file) and workers_of(self.process.pid))

    def below(self) -> list[psutil.Process]:
        """It and all that it started."""
        return started_by(self.process.pid)

    def helpers(self, names: Sequence[str]) -> list[psutil.Process]:
        """Helper processes of Ray with these names; none as long as one of them is missing."""
        found = [process for process in self.below() if process.name() in names]
        return found if len(found) == len(names) else []

    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.folder / "results-sweep-1.jsonl").read_text().splitlines()]


@contextmanager
def running(
    folder: Path, steps: int, layers: Sequence[int] = LAYERS, umask: int = 0o022, **environment: str
) -> Iterator[Running]:
    space = write_space(folder / "grid.yaml", layers, steps=steps)
    command = [sys.executable, "-m", "sweep", "run", space, "--db", f"sqlite:///{folder}/results.db"]
    output, scratch = folder / "output.txt", Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))
    own = {"TMPDIR": str(scratch), "HOME": str(scratch / "home"), "SWEEP_DATA": str(ensure_mnist())}
    with output.open("wb") as written:
        process = subprocess.Popen(
            [*command, "--notify", 'echo "told: $SWEEP_STATE"'],
            env=os.environ | own | environment,
            stdout=written,
            stderr=written,
            start_new_session=True,
            umask=umask,
            preexec_fn=heed_signals,
        )
    found = Running(process, folder, scratch, output)
    try:
        yield found
    finally:
        for one in found.below() if process.poll() is None else []:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()
        shutil.rmtree(scratch, ignore_errors=True)


def test_helpers_of_ray_die_one_after_the_other_and_the_sweep_completes_its_grid(tmp_path: Path) -> None:
    layers = LAYERS[:8]
    with running(tmp_path, steps=3000, layers=layers) as sweep:
        for names in (HELPERS[:1], HELPERS[1:2], HELPERS[2:]):
            sweep.wait_for_a_cohort()
            sweep.wait_for(partial(sweep.helpers, names))
            victims = sweep.helpers(names)
            for helper in victims:
                helper.kill()
            assert alive(victims, SOON_S) == []
        assert sweep.process.wait(PATIENCE_S) == 0, sweep.output.read_text()
        output = sweep.output.read_text()
        assert list(sweep.scratch.glob("sweep-*")) == []
    assert "told: done\n" in output
    assert "Traceback" not in output
    assert output.count("Ray failed, starting it again") >= 2  # two may have gone at once
    assert sweep.complete() == 2 * len(layers)
    ended = "SELECT count(*) FROM attempts WHERE outcome = 'COMPLETE' GROUP BY trial_id"
    assert rows(sweep.file, ended) == [(1,)] * 2 * len(layers)
    assert rows(sweep.file, "SELECT DISTINCT outcome FROM attempts ORDER BY outcome") == [("COMPLETE",), ("LOST",)]
    assert [event["event"] for event in sweep.events()][-1] == "over"


def test_a_database_that_fails_while_ray_is_started_again_is_waited_for(tmp_path: Path) -> None:
    impatient = "from sweep.storage import sqlite_file\nsqlite_file.BUSY_TIMEOUT_S = 0.5"
    path = beginning_with(impatient, tmp_path / "impatient")["PYTHONPATH"]
    with running(tmp_path, steps=1000, layers=(2, 3, 4), PYTHONPATH=path) as sweep:
        sweep.wait_for_a_worker()
        with closing(sqlite3.connect(sweep.file, isolation_level=None, timeout=60)) as other:
            other.execute("BEGIN IMMEDIATE")
            (raylet,) = sweep.helpers(["raylet"])
            psutil.Process(raylet.ppid()).kill()
            sweep.wait_for(lambda: "Paused, because the database fails" in sweep.output.read_text())
            other.execute("ROLLBACK")
        assert sweep.process.wait(PATIENCE_S) == 0, sweep.output.read_text()
    assert sweep.complete() == 6


@dataclass(frozen=True)
class Stopped:
    """What a sweep left that was stopped while it ran, and what others could have read while it did.

    Attributes:
        file: a copy of its database.
        left: processes that outlived it.
        left_over: temporary folders that did.
        readable, tokens: temporary files that other users could read, and tokens of Ray in files.
    """

    code: int
    seconds: float
    output: str
    events: list[dict[str, object]]
    file: Path
    left: list[psutil.Process]
    left_over: list[Path]
    readable: list[str]
    tokens: list[Path]


STOPS = {
    "TERM to the group": (signal.SIGTERM, False, 0o022),
    "HUP to all": (signal.SIGHUP, True, 0o077),
}


@pytest.fixture(scope="module", params=STOPS)
def stopped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    number, every, umask = STOPS[request.param]
    with running(tmp_path_factory.mktemp("stopped"), steps=6000, umask=umask) as sweep:
        sweep.wait_for(lambda: cohorts_under_way(sweep.file))
        places = list(sweep.scratch.iterdir())
        readable = [path.name for path in places if path.lstat().st_mode & OTHERS]
        tokens = list(sweep.scratch.rglob("auth_token"))
        below = sweep.below()
        start = time.monotonic()
        for process in below if every else []:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        if not every:
            os.killpg(sweep.process.pid, number)
        code = sweep.process.wait(PATIENCE_S)
        seconds = time.monotonic() - start
        left = alive(below)
        left_over = list(sweep.scratch.glob("sweep-*"))
        copy = shutil.copy(sweep.file, sweep.folder / "copy.db")  # of this file alone
        return Stopped(code, seconds, sweep.output.read_text(), sweep.events(), copy, left, left_over, readable, tokens)


class TestStopped:
    def test_it_ends_soon_and_in_words(self, stopped: Stopped) -> None:
        assert stopped.code == 130
        assert stopped.seconds < SOON_S
        assert "Stopped. Finished cohorts are stored; the same command goes on with the rest.\n" in stopped.output
        assert "Traceback" not in stopped.output

    def test_whoever_wanted_to_know_is_told(self, stopped: Stopped) -> None:
        assert "told: stopped\n" in stopped.output
        assert stopped.events[-1]["event"] == "over"
        assert stopped.events[-1]["interrupted"] is True

    def test_nothing_is_left_running(self, stopped: Stopped) -> None:
        assert stopped.left == []
        assert stopped.left_over == []
        states = rows(stopped.file, "SELECT DISTINCT state FROM trials WHERE state != 'COMPLETE'")
        assert states == [("WAITING",)]
        assert rows(stopped.file, "SELECT count(*) FROM attempts WHERE outcome IS NULL") == [(0,)]

    def test_other_users_could_not_read_the_files_of_ray(self, stopped: Stopped) -> None:
        assert stopped.readable == []
        assert stopped.tokens == []


def test_a_ray_that_never_works_is_told_of_in_one_line(tmp_path: Path) -> None:
    """It ends its driver from C++, without an exception; so does this stand-in."""
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "__init__.py").write_text("import os\nos._exit(1)\n")
    with running(tmp_path, steps=3, PYTHONPATH=str(tmp_path)) as sweep:
        assert sweep.process.wait(PATIENCE_S) == 1
        lines = sweep.output.read_text().splitlines()
    assert [line for line in lines if line.startswith("error: ")] == [
        "error: Ray failed 3 times in a row: its driver died"
    ]
    assert lines[-1] == "error: Ray failed 3 times in a row: its driver died"
    assert "told: failed" in lines
    assert sweep.events()[-1]["event"] == "over"


def test_a_killed_sweep_takes_ray_along_and_the_next_one_clears_up_without_streams_or_a_home(tmp_path: Path) -> None:
    with running(tmp_path, steps=1000) as sweep:
        sweep.wait_for_a_worker()
        below = sweep.below()
        sweep.process.kill()
        sweep.process.wait()
        assert alive(below, SOON_S) == []
        before = sweep.complete()
        (left,) = sweep.scratch.glob("sweep-*")
        long_ago = time.time() - 1000
        os.utime(left, (long_ago, long_ago))
        command = f"{sys.executable} -m sweep run {tmp_path}/grid.yaml --limit 1 --db sqlite:///{sweep.file}"
        own = os.environ | {"TMPDIR": str(sweep.scratch), "HOME": NO_HOME, "SWEEP_DATA": str(ensure_mnist())}
        # No file may take the place of a stream that is closed, else what is printed would go into the database.
        assert subprocess.run(f"{command} <&- >&- 2>&-", shell=True, env=own, timeout=PATIENCE_S).returncode == 0
        assert list(sweep.scratch.glob("sweep-*")) == []
        assert sweep.complete() == before + 2
