"""The database server hangs in the middle of a sweep and says nothing: the sweep waits for it, and can be stopped."""

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from made_trials import IDENTITIES, complete, put, trials, write_space
from processes import beginning_with, descendants
from rich.console import Console
from sqlalchemy import create_engine, make_url, text

from data.mnist.dataset import ensure_mnist
from sweep.driver import dispatcher
from sweep.driver.dispatcher import Dispatcher, Settings
from sweep.driver.display import Display
from sweep.driver.event_log import EventLog
from sweep.driver.progress import Progress
from sweep.planning.cohorts import Cohort
from sweep.planning.machine import this_machine
from sweep.planning.plan import Plan
from sweep.planning.resources import Resources
from sweep.storage import Storage, StorageError, engine

PATIENCE_S = 60.0
SOON_S = 15.0
LONGEST_S = 25.0  # for which a server hangs here
# A driver of short patience, and one that is stopped in the middle of a transaction.
IMPATIENT = "from sweep.driver import dispatcher\ndispatcher.HEARTBEAT_S, dispatcher.ANSWER_S = 0.5, 2.0"
STOPPED = """
import os, signal, sys
from sqlalchemy import text
from sweep.storage import engine
engine.BRIEF_S = 1.0
with engine.Database(sys.argv[1]).write(brief=True) as connection:
    connection.execute(text("LOCK TABLE trials IN EXCLUSIVE MODE"))
    print("in the middle", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
"""


@contextmanager
def for_a_while(end: Callable[[], object]) -> Iterator[None]:
    """What has begun ends with this block, or after `LONGEST_S`, so that nobody waits for ever."""
    last = threading.Timer(LONGEST_S, end)
    last.start()
    try:
        yield
    finally:
        last.cancel()
        end()


@contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    def tell(what: int) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):  # a server ends some of its processes now and then
                os.kill(pid, what)

    with for_a_while(lambda: tell(signal.SIGCONT)):
        tell(signal.SIGSTOP)
        yield


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Somebody has locked all trials."""
    engine = create_engine(url)
    connection = engine.connect()
    connection.execute(text("LOCK TABLE trials IN EXCLUSIVE MODE"))
    with for_a_while(connection.rollback):
        yield
    connection.close()
    engine.dispose()


@contextmanager
def soon() -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < SOON_S


def wait_for(event: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not event():
        assert time.monotonic() < end
        time.sleep(0.1)


def whole(postgres: Any) -> list[int]:
    """All processes of a server, the one first that starts the others."""
    first = psutil.Process(postgres.get_pid())
    return [first.pid, *(child.pid for child in first.children(recursive=True))]


def backends(url: str) -> list[int]:
    """The processes of a server that serve those who are connected to a database."""
    engine = create_engine(url)
    with engine.connect() as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        found = list(connection.scalars(text(query)))
    engine.dispose()
    return found


def next_keepalive_s(local: int, remote: int) -> float:
    """Seconds until the kernel looks whether the other end of a connection is still there."""
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        parts = line.split()
        if [int(part.partition(":")[2], 16) for part in parts[1:3]] == [local, remote]:
            kind, ticks = parts[5].split(":")
            assert kind == "02"  # of keepalive
            return int(ticks, 16) / os.sysconf("SC_CLK_TCK")
    raise LookupError(f"no connection from {local} to {remote}")


class Sweep:
    """Two cohorts of two trials, the first of which runs."""

    def __init__(self, url: str) -> None:
        self.url, self.storage = url, Storage(url, create=True)
        self.cohorts = tuple(Cohort(tuple(trials(2, size_g=size))) for size in (8, 9))
        grid = tuple(trial for cohort in self.cohorts for trial in cohort.trials)
        sweep_id = self.storage.declare("tiny", {}, {}, "1")
        self.storage.add_trials(sweep_id, grid)
        told = io.StringIO()
        self.said = told.getvalue
        progress = Progress(self.storage.counts(), 1)
        display = Display(Console(file=told, width=300), progress)
        plan = Plan((), grid, self.cohorts, Resources(workers=2, cores=1, gpus=0, memory=2**30))
        self.running = Dispatcher(
            plan, self.storage, sweep_id, IDENTITIES, progress, display, EventLog(None), Settings()
        )
        assert self.running.next() == 0

    def end(self, number: int) -> None:
        self.running.ended(number, [complete(trial) for trial in self.cohorts[number].trials])

    def go_on(self) -> None:
        """Run what is left; each trial is there once."""
        end = time.monotonic() + PATIENCE_S
        while (number := self.running.next()) != "done":
            assert time.monotonic() < end
            if number == "wait":
                time.sleep(0.1)
            else:
                assert isinstance(number, int)
                self.end(number)
        self.running.close()
        assert list(self.storage.results()["state"]) == ["COMPLETE"] * 4
        assert list(self.storage.outcomes()["outcome"]) == ["COMPLETE"] * 4


@pytest.fixture
def sweep(new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Sweep]:
    monkeypatch.setattr(dispatcher, "ANSWER_S", 1.0, raising=False)
    monkeypatch.setattr(dispatcher, "STOPPING_S", 0.5, raising=False)
    monkeypatch.setattr(dispatcher, "RECHECK_S", 0.1)
    monkeypatch.setattr(engine, "CONNECT_TIMEOUT_S", 2)  # libpq takes 1 for 2
    made = Sweep(new_database())
    yield made
    made.storage.close()


class TestADriver:
    def test_says_so_and_goes_on_when_the_server_does(self, sweep: Sweep, postgres: Any) -> None:
        with frozen(whole(postgres)), soon():
            sweep.end(0)
            assert sweep.running.next() == "wait"
            assert sweep.said().count("Paused, because the database fails") == 1
            assert "it does not answer" in sweep.said()
        sweep.go_on()
        assert "going on" in sweep.said()

    def test_leaves_a_connection_that_hangs_alone(self, sweep: Sweep) -> None:
        with frozen(backends(sweep.url)), soon():
            sweep.end(0)
            sweep.go_on()

    def test_gives_up_in_the_middle_of_a_transaction(self, sweep: Sweep) -> None:
        with locked(sweep.url), soon():
            sweep.end(0)
            assert sweep.said().count("Paused, because the database fails") == 1
            assert "it does not answer" in sweep.said()
        sweep.go_on()

    @pytest.mark.slow
    def test_that_stops_waits_no_longer(self, sweep: Sweep, postgres: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dispatcher, "ANSWER_S", 2 * LONGEST_S, raising=False)

        def stop() -> None:
            sweep.running.interrupted = True

        with frozen(whole(postgres)), soon():
            threading.Timer(1.0, stop).start()
            sweep.end(0)
            assert sweep.running.next() == "done"
            with pytest.raises(StorageError, match="2 results could not be stored; the same command computes them"):
                sweep.running.close()
        assert sweep.said().count("Paused, because the database fails") == 1


@pytest.mark.slow
@pytest.mark.skipif(bool(this_machine().gpus), reason="made for the pace of a CPU")
def test_the_command_says_so_and_ends_at_ctrl_c(tmp_path: Path, new_database: Callable[[], str], postgres: Any) -> None:
    ensure_mnist()
    url, log = make_url(new_database()).set(password="geheim"), tmp_path / "log.jsonl"
    space = write_space(tmp_path / "grid.yaml", range(2, 12), steps=20_000)
    command = [sys.executable, "-m", "sweep", "run", space, "--db", url.render_as_string(hide_password=False)]
    driver = subprocess.Popen(
        [*command, "--workers", "1", "--log", str(log)],
        env=beginning_with(IMPATIENT, tmp_path / "impatient"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        wait_for(lambda: log.is_file() and "leased" in log.read_text(), PATIENCE_S)
        lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in descendants(driver.pid)]
        with frozen(whole(postgres)):
            wait_for(lambda: "paused" in log.read_text(), SOON_S)
            driver.send_signal(signal.SIGINT)
            output, _ = driver.communicate(timeout=15)
    finally:
        if driver.poll() is None:
            os.killpg(driver.pid, signal.SIGKILL)
            driver.wait()
    assert driver.returncode == 2, output
    assert output.count("Paused, because the database fails") == 1
    assert "Traceback" not in output
    # Ray keeps the command line of its driver, for all who may ask it.
    assert any(b"raylet" in line for line in lines)
    assert [line for line in lines if b"geheim" in line] == []
    assert "geheim" not in output


@pytest.fixture
def storage(new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    monkeypatch.setattr(engine, "BRIEF_S", 0.5, raising=False)
    opened = Storage(new_database(), create=True)
    opened.add_trials(opened.declare("tiny", {}, {}, "1"), trials(2))
    yield opened
    opened.close()


class TestTheServer:
    @pytest.mark.slow
    def test_is_given_up_where_the_network_is_gone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engine, "CONNECT_TIMEOUT_S", 2)
        with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor() as pool, soon():
            port = silent.getsockname()[1]
            opening = pool.submit(Storage, f"postgresql+psycopg://127.0.0.1:{port}/x?sslmode=disable")
            connection, (_, ours) = silent.accept()
            assert connection.recv(4)
            assert next_keepalive_s(ours, port) <= 10
            with pytest.raises(StorageError, match="connection timeout expired"):
                opening.result()
            connection.close()

    @pytest.mark.slow
    def test_ends_what_should_be_brief_and_nothing_else(self, storage: Storage) -> None:
        url = storage.url.render_as_string(hide_password=False)
        with locked(url), soon(), pytest.raises(StorageError, match="canceling statement due to statement timeout"):
            put(storage, [complete(trial) for trial in trials(2)])
        with locked(url):
            adding = threading.Thread(target=storage.add_trials, args=(1, trials(4)))
            adding.start()
            adding.join(4 * 0.5)
            assert adding.is_alive()
        adding.join()
        assert storage.counts()["gan"]["WAITING"] == 4

    def test_ends_what_a_stopped_driver_has_begun(self, storage: Storage) -> None:
        command = [sys.executable, "-c", STOPPED, storage.url.render_as_string(hide_password=False)]
        driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert driver.stdout is not None
        with for_a_while(driver.kill):
            assert driver.stdout.readline() == "in the middle\n"
            with soon():
                storage.add_trials(1, trials(4))
        driver.communicate()
