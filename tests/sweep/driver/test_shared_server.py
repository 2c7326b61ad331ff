"""Two real drivers on one PostgreSQL: they share the work, and when one is killed the other finishes it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made_trials import write_space
from processes import beginning_with, on_one_core
from sqlalchemy import create_engine, text

from data.mnist.dataset import ensure_mnist
from sweep.planning.machine import this_machine

PATIENCE_S = 180.0
LAYERS = tuple(range(2, 8))
VALUES = "SELECT trial_id, state, score, frechet, coverage FROM results ORDER BY trial_id"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(this_machine().gpus), reason="made for the pace of a CPU"),
]

SHORT_LEASES = "from sweep.storage import leases\nleases.LEASE_S = 12.0"


def start(space: str, url: str, core: int = 0) -> "subprocess.Popen[str]":
    """A driver with one worker on one core that takes another for dead after some seconds."""
    return subprocess.Popen(
        [sys.executable, "-m", "sweep", "run", space, "--db", url, "--workers", "1"],
        env=beginning_with(SHORT_LEASES, Path(space).parent / "lease"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=on_one_core(core),
    )


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    return found


@pytest.fixture
def drivers() -> Iterator[list["subprocess.Popen[str]"]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for driver in started:
        if driver.poll() is None:
            os.killpg(driver.pid, signal.SIGKILL)
            driver.wait()


def test_one_is_killed_and_the_other_finishes(
    tmp_path: Path, new_database: Callable[[], str], drivers: list["subprocess.Popen[str]"]
) -> None:
    ensure_mnist()
    space = write_space(tmp_path / "grid.yaml", LAYERS, steps=1000)
    quiet, shared = f"sqlite:///{tmp_path}/quiet.db", new_database()
    drivers.append(start(space, quiet))
    assert drivers[0].wait(PATIENCE_S) == 0

    drivers += [start(space, shared, core=0), start(space, shared, core=1)]
    end = time.monotonic() + PATIENCE_S
    working = f"SELECT 1 FROM cohorts JOIN sweeps USING (sweep_id) WHERE ended_at IS NULL AND pid = {drivers[1].pid}"
    while not rows(shared, "SELECT 1 FROM pg_tables WHERE tablename = 'cohorts'") or not rows(shared, working):
        assert time.monotonic() < end
        time.sleep(0.1)
    os.killpg(drivers[1].pid, signal.SIGKILL)
    drivers[1].wait()
    output, _ = drivers[2].communicate(timeout=PATIENCE_S)
    assert drivers[2].returncode == 0, output
    assert rows(shared, VALUES) == rows(quiet, VALUES)
    assert {state for _, state, *_ in rows(shared, VALUES)} == {"COMPLETE"}
    outcomes = dict(rows(shared, "SELECT outcome, count(*) FROM attempts GROUP BY outcome"))
    assert outcomes["LOST"] >= 2
    assert outcomes["COMPLETE"] == 2 * len(LAYERS)
    assert rows(shared, "SELECT * FROM cohorts WHERE ended_at IS NULL") == []
