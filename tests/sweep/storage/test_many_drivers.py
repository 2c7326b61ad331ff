"""Several drivers on one PostgreSQL ask in the same moment: nobody gets what another one holds."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from made_trials import IDENTITY, complete, failed, trials
from sqlalchemy import create_engine, text

from search_spaces.trial import Trial
from sweep.storage import Lease, Storage

DRIVERS = 4
ROUNDS = 3
TRIALS = 3000  # of a round: so many that locking them all takes as long as some other leases
PATIENCE_S = 30.0


@pytest.fixture
def url(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture
def drivers(url: str) -> Iterator[list[tuple[Storage, int]]]:
    """Each with a connection and a sweep of its own."""
    opened = [Storage(url, create=True) for _ in range(DRIVERS)]
    yield [(storage, storage.declare("tiny", {}, {}, "1")) for storage in opened]
    for storage in opened:
        storage.close()


def lease(driver: tuple[Storage, int], trials: Sequence[Trial]) -> Lease:
    storage, sweep_id = driver
    return storage.lease(sweep_id, [trial.trial_id for trial in trials], "some", IDENTITY)


def end(driver: tuple[Storage, int], lease: Lease, trials: Sequence[Trial]) -> None:
    """Give a sign of life and record how the trials ended that were taken; the shortest record is that of a failure."""
    if lease.cohort_id is not None:
        storage, sweep_id = driver
        storage.heartbeat(sweep_id, {lease.cohort_id: 0.5})
        storage.record(lease.cohort_id, [failed(t) for t in trials if t.trial_id in lease.taken])


@pytest.mark.slow
def test_nobody_gets_what_another_one_has_just_taken(drivers: list[tuple[Storage, int]]) -> None:
    """In each round one driver asks for all trials, while the others take some of them one by one."""
    grid = trials(ROUNDS * TRIALS)
    drivers[0][0].add_trials(1, grid)
    together = threading.Barrier(DRIVERS, timeout=PATIENCE_S)

    def drive(number: int) -> None:
        for begin in range(0, len(grid), TRIALS):
            part = grid[begin : begin + TRIALS]
            asks = [part] if number == 0 else [[trial] for trial in part[-number::-DRIVERS][:40]]
            together.wait()
            leases = [lease(drivers[number], asked) for asked in asks]
            together.wait()
            for found in leases:
                end(drivers[number], found, part)
            together.wait()
            if number == 0:
                end(drivers[0], lease(drivers[0], part), part)

    with ThreadPoolExecutor(DRIVERS) as pool:
        for done in [pool.submit(drive, number) for number in range(DRIVERS)]:
            done.result()
    storage = drivers[0][0]
    assert set(storage.outcomes()["outcome"]) == {"FAILED"}
    assert list(storage.results()["attempts"]) == [1] * len(grid)
    assert storage.running() == []


def test_all_write_their_first_scores_at_once(drivers: list[tuple[Storage, int]]) -> None:
    grid = trials(DRIVERS)
    drivers[0][0].add_trials(1, grid)
    cohorts = [lease(driver, [trial]).cohort_id for driver, trial in zip(drivers, grid, strict=True)]
    together = threading.Barrier(DRIVERS, timeout=PATIENCE_S)

    def write(number: int) -> None:
        cohort_id = cohorts[number]
        assert cohort_id is not None
        together.wait()
        drivers[number][0].record(cohort_id, [complete(grid[number])])

    with ThreadPoolExecutor(DRIVERS) as pool:
        for done in [pool.submit(write, number) for number in range(DRIVERS)]:
            done.result()
    assert drivers[0][0].counts()["gan"]["COMPLETE"] == DRIVERS


def test_a_cohort_is_not_cut_where_two_ask_for_it_at_once(drivers: list[tuple[Storage, int]], url: str) -> None:
    three = trials(3)
    drivers[0][0].add_trials(1, three)
    everything = frozenset(trial.trial_id for trial in three)
    engine = create_engine(url)
    with engine.connect() as another:
        another.execute(text("SELECT 1 FROM trials WHERE trial_id = :id FOR UPDATE"), {"id": three[1].trial_id})
        assert lease(drivers[0], three) == Lease(None, frozenset(), everything)
    engine.dispose()
    assert lease(drivers[0], three).taken == everything


@pytest.mark.parametrize(("ahead_s", "taken"), [(30, 0), (3600, 3)])
def test_a_sign_of_life_from_far_in_the_future_keeps_nothing(
    drivers: list[tuple[Storage, int]], url: str, ahead_s: int, taken: int
) -> None:
    """A server's clock was wrong, and a driver died before it was put right."""
    three = trials(3)
    drivers[0][0].add_trials(1, three)
    lease(drivers[0], three)
    engine = create_engine(url)
    with engine.begin() as connection:
        later = drivers[0][0].now() + timedelta(seconds=ahead_s)
        connection.execute(text("UPDATE sweeps SET last_heartbeat = :later WHERE sweep_id = 1"), {"later": later})
    engine.dispose()
    assert len(lease(drivers[1], three).taken) == taken


def test_who_takes_back_and_who_takes_over_do_not_wait_for_each_other(
    drivers: list[tuple[Storage, int]], url: str
) -> None:
    """One that starts puts back what a dead driver held, while another one is about to take it."""
    three = trials(3)
    (storage, dead), (starting, _), *_ = drivers
    storage.add_trials(dead, three)
    lease(drivers[0], three)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE sweeps SET last_heartbeat = NULL WHERE sweep_id = :dead"), {"dead": dead})
    with ThreadPoolExecutor() as pool, engine.begin() as another:
        another.execute(text("SELECT 1 FROM trials FOR UPDATE"))
        release = pool.submit(starting.release)
        waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        end = time.monotonic() + PATIENCE_S
        while not another.scalar(text(waits)):
            assert time.monotonic() < end
            time.sleep(0.05)
        another.execute(text("UPDATE attempts SET outcome = 'LOST'"))
        another.commit()
        release.result()
    engine.dispose()
    assert storage.counts()["gan"]["WAITING"] == 3
