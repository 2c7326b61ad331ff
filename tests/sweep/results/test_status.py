"""What `sweep status` tells of a sweep that runs, was disturbed, or failed."""

import os
import sqlite3
from pathlib import Path

import pytest
from made_trials import IDENTITY, complete, failed, lease, put, trial, trials

from sweep.driver.progress import Progress
from sweep.planning.cohorts import Cohort
from sweep.planning.plan import Plan
from sweep.planning.resources import Resources
from sweep.results.status import read_status, status_text
from sweep.storage import Storage

SECONDS = 60  # since the sweep began


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "results.db"


@pytest.fixture
def storage(file: Path) -> Storage:
    made = Storage(f"sqlite:///{file}", create=True)
    made.add_trials(made.declare("tiny", {}, {}, "1"), [*trials(6), *trials(4, size_g=9)])
    return made


def back_date(file: Path) -> None:
    """The sweep and what it has finished began a minute ago."""
    with sqlite3.connect(file) as connection:
        for table in ("sweeps", "trials", "attempts", "cohorts"):
            connection.execute(
                f"UPDATE {table} SET started_at = strftime('%Y-%m-%d %H:%M:%f000', started_at, '-{SECONDS} seconds')"
            )


def test_an_idle_database_has_counts_and_nothing_more(storage: Storage) -> None:
    found = read_status(storage)
    assert found["counts"]["gan"]["WAITING"] == 10
    assert (found["running"], found["failed"], found["repeated"]) == ([], {}, 0)
    assert (found["cells_per_minute"], found["hours_left"]) == (None, None)
    assert len(status_text(found).splitlines()) == 1


def test_a_running_sweep_shows_its_cohorts_its_pace_and_what_is_left(storage: Storage, file: Path) -> None:
    put(storage, [complete(one) for one in trials(3)])
    put(storage, [complete(one) for one in trials(2, size_g=9)])
    cohort = storage.lease(1, [trial(seed=4).trial_id], "one gan", IDENTITY).cohort_id
    assert cohort is not None
    storage.heartbeat(1, {cohort: 0.5})
    back_date(file)
    found = read_status(storage)
    (running,) = found["running"]
    assert (running["title"], running["share"], running["pid"], running["alive"]) == ("one gan", 0.5, os.getpid(), True)
    assert found["cells_per_minute"] == pytest.approx(5 / SECONDS * 60, rel=0.1)
    low, high = found["hours_left"]
    # Five and a half of ten trials took a minute; the other four and a half are nearly of the same size.
    assert low < 4.5 / 5.5 * SECONDS / 3600 < high
    text = status_text(found)
    assert "running: one gan: 50% since" in text
    assert "trials/min" in text


def test_cohorts_in_flight_count_as_they_do_in_the_live_display(storage: Storage, file: Path) -> None:
    """One cohort is half done, and nothing has ended: both say that the rest takes as long again, and its neighbour."""
    cohorts = [Cohort(tuple(trials(5, steps=20_000, size_g=size))) for size in (8, 9)]
    grid = [one for cohort in cohorts for one in cohort.trials]
    storage.add_trials(storage.declare("long", {}, {}, "1"), grid)
    storage.heartbeat(2, {lease(storage, grid[:5], 2): 0.5})
    back_date(file)
    found = read_status(storage)
    low, high = found["hours_left"]
    plan = Plan((), tuple(grid), tuple(cohorts), Resources(workers=2, cores=1, gpus=0, memory=2**30))
    shown = Progress(storage.counts(), sum(map(plan.seconds, cohorts)))
    shown.started(0, "five", plan.seconds(cohorts[0]))
    shown.progressed(0, 0.5)
    shown._start -= SECONDS
    assert shown.seconds_left == pytest.approx(3 * SECONDS, rel=0.01)
    assert (low + high) / 2 * 3600 == pytest.approx(3 * SECONDS, rel=0.1)


def test_a_driver_that_is_silent_is_told(storage: Storage, file: Path) -> None:
    lease(storage, trials(1))
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE sweeps SET last_heartbeat = '2000-01-01 00:00:00.000000'")
    found = read_status(storage)
    assert not found["running"][0]["alive"]
    assert found["cells_per_minute"] is None
    assert "silent for" in status_text(found)


def test_lost_and_repeated_work_and_failures_by_kind(storage: Storage, file: Path) -> None:
    cohort = lease(storage, trials(2))
    back_date(file)
    storage.lost(cohort, "killed")
    put(storage, [complete(trial()), failed(trial(seed=1))])
    lease(storage, trials(3)[2:])
    storage.release(1)
    found = read_status(storage)
    assert found["lost"]["attempts"] == 2
    assert found["lost"]["hours"] == pytest.approx(SECONDS / 3600, rel=0.1)  # of one cohort
    assert found["interrupted"]["attempts"] == 1
    assert found["repeated"] == 2
    assert found["failed"] == {"error": 1}
    assert "failed: 1 by error; the last: ValueError: it broke" in status_text(found).splitlines()
    assert "started more than once: 2 trials" in status_text(found)
    assert storage.retry("memory") == 0
    assert storage.retry("error") == 1
