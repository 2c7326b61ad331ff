"""What the driver does between Ray Tune and the database, without Ray running."""

import io
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_trials import complete, diverged, failed, rows, trials
from rich.console import Console

from search_spaces.trial import Trial
from sweep import storage as storage_module
from sweep.cohorts import Cohort
from sweep.driver import Sweep
from sweep.panel import Panel
from sweep.plan import Plan, Resources, cohort_flops
from sweep.storage import Storage, StorageError

SIZES = (8, 16, 4096, 8)  # the third cohort takes far longer than the rest


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "results.db"


@pytest.fixture
def storage(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    monkeypatch.setattr(storage_module, "BUSY_TIMEOUT_S", 0.1)
    opened = Storage(f"sqlite:///{file}", create=True)
    yield opened
    opened.close()


@pytest.fixture
def plan(storage: Storage) -> Plan:
    """Four cohorts of two trials; a worker does a thousand million operations a second."""
    cohorts = tuple(
        Cohort(tuple(trials(2, size_g=size, n_layer_g=layers, family="ebgan")))
        for layers, size in enumerate(SIZES, start=2)
    )
    grid = tuple(trial for cohort in cohorts for trial in cohort.trials)
    storage.add_trials(storage.declare("tiny", {}, {}, "1"), grid)
    return Plan((), grid, cohorts, Resources(workers=2, cores=1, gpus=0, memory=2**30, flops=1e9))


def sweep(plan: Plan, storage: Storage, deadline: float | None = None) -> Sweep:
    operations = sum(map(cohort_flops, plan.cohorts))
    panel = Panel(Console(file=io.StringIO()), storage.counts(), operations)
    return Sweep(plan, storage, panel, deadline)


def states(file: Path) -> list[str]:
    return [state for (state,) in rows(file, "SELECT state FROM trials ORDER BY position")]


def members(plan: Plan, number: int) -> tuple[Trial, ...]:
    return plan.cohorts[number].trials


class TestHandingOut:
    def test_cohorts_go_out_once_and_in_order(self, plan: Plan, storage: Storage) -> None:
        running = sweep(plan, storage)
        assert [running.hand_out() for _ in range(6)] == [0, 1, 2, 3, None, None]

    def test_none_go_out_after_an_interrupt(self, plan: Plan, storage: Storage) -> None:
        running = sweep(plan, storage)
        assert running.hand_out() == 0
        assert not running.must_stop()
        running.interrupted = True
        assert running.hand_out() is None
        assert running.must_stop()

    def test_a_cohort_that_would_not_end_in_time_does_not_start_nor_do_any_after_it(
        self, plan: Plan, storage: Storage
    ) -> None:
        seconds = [cohort_flops(cohort) / plan.resources.flops for cohort in plan.cohorts]
        assert seconds[3] < seconds[2] / 4
        running = sweep(plan, storage, time.monotonic() + seconds[2] / 2)
        assert [running.hand_out() for _ in range(4)] == [0, 1, None, None]
        assert not running.must_stop()

    def test_the_measured_rate_counts_once_there_is_one(
        self, plan: Plan, storage: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seconds = cohort_flops(plan.cohorts[2]) / plan.resources.flops
        running = sweep(plan, storage, time.monotonic() + seconds / 2)
        assert [running.hand_out() for _ in range(2)] == [0, 1]
        # Each of the two workers must be twice as fast as was thought, so both together four times.
        monkeypatch.setattr(Panel, "operations_per_second", 3 * plan.resources.flops)
        assert running.hand_out() is None
        monkeypatch.setattr(Panel, "operations_per_second", 5 * plan.resources.flops)
        assert [running.hand_out() for _ in range(2)] == [2, 3]

    def test_a_run_that_is_late_from_the_start_still_finishes_something(self, plan: Plan, storage: Storage) -> None:
        running = sweep(plan, storage, time.monotonic() - 1)
        assert [running.hand_out() for _ in range(3)] == [0, 1, None]
        assert not running.must_stop()
        running.started(0)
        running.ended(0, [complete(trial) for trial in members(plan, 0)])
        assert running.must_stop()


class TestStoring:
    def test_a_cohort_is_stored_when_it_ends(self, plan: Plan, storage: Storage, file: Path) -> None:
        running = sweep(plan, storage)
        running.started(0)
        assert states(file) == ["RUNNING"] * 2 + ["WAITING"] * 6
        running.progressed(0, 0.5)
        one, two = members(plan, 0)
        running.ended(0, [complete(one), diverged(two)])
        assert states(file)[:2] == ["COMPLETE", "DIVERGED"]
        assert running.failed == 0
        assert rows(file, "SELECT score, real_score > 10 FROM results WHERE score IS NOT NULL") == [(7.0, 1)]

    def test_what_comes_twice_counts_once(self, plan: Plan, storage: Storage, file: Path) -> None:
        running = sweep(plan, storage)
        running.started(0)
        running.ended(0, [failed(t) for t in members(plan, 0)])
        running.ended(0, [complete(t) for t in members(plan, 0)])
        assert running.failed == 2
        assert states(file)[:2] == ["FAILED", "FAILED"]

    def test_a_worker_that_is_lost_fails_its_cohort(self, plan: Plan, storage: Storage, file: Path) -> None:
        running = sweep(plan, storage)
        running.started(1)
        running.lost(1, "the worker was lost")
        assert running.failed == 2
        assert states(file) == ["WAITING"] * 2 + ["FAILED"] * 2 + ["WAITING"] * 4
        assert rows(file, "SELECT DISTINCT outcome, error FROM attempts") == [("FAILED", "the worker was lost")]

    def test_while_the_database_is_locked_results_wait(self, plan: Plan, storage: Storage, file: Path) -> None:
        running = sweep(plan, storage)
        running.started(0)
        running.started(1)
        lock = sqlite3.connect(file, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        running.ended(0, [complete(t) for t in members(plan, 0)])
        running.ended(1, [complete(t) for t in members(plan, 1)])
        assert states(file)[:4] == ["RUNNING"] * 4
        with pytest.raises(StorageError, match="database is locked"):
            running.check_saved()
        lock.execute("ROLLBACK")
        lock.close()
        running.started(2)
        running.ended(2, [complete(t) for t in members(plan, 2)])
        assert states(file) == ["COMPLETE"] * 6 + ["WAITING"] * 2
        running.check_saved()

    def test_results_that_waited_are_stored_at_the_end(self, plan: Plan, storage: Storage, file: Path) -> None:
        running = sweep(plan, storage)
        lock = sqlite3.connect(file, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        running.started(0)
        running.ended(0, [complete(t) for t in members(plan, 0)])
        lock.execute("ROLLBACK")
        lock.close()
        assert states(file) == ["WAITING"] * 8
        running.check_saved()
        assert states(file) == ["COMPLETE"] * 2 + ["WAITING"] * 6


class TestPanel:
    def test_the_last_line_counts_and_names_the_best(self, plan: Plan, storage: Storage) -> None:
        output = io.StringIO()
        storage.add_trials(storage.declare("more", {}, {}, "1"), trials(5, space="more"))
        counts = storage.counts({trial.trial_id for trial in plan.trials})
        panel = Panel(Console(file=output, width=200), counts, sum(map(cohort_flops, plan.cohorts)))
        running = Sweep(plan, storage, panel, None)
        with panel:
            running.started(0)
            running.ended(0, [complete(members(plan, 0)[0], score=9.125), failed(members(plan, 0)[1])])
            running.started(1)
            running.ended(1, [complete(t, score=3.0) for t in members(plan, 1)])
        (line,) = output.getvalue().splitlines()
        assert "ebgan 3/8, 1 failed, best 9.12" in line
        assert "gan 0/5" not in line
        assert "cells/min" in line

    def test_progress_is_measured_in_operations(self, plan: Plan, storage: Storage) -> None:
        running = sweep(plan, storage)
        assert running.panel.operations_per_second is None
        running.started(0)
        running.progressed(0, 0.5)
        time.sleep(0.05)
        rate = running.panel.operations_per_second
        assert rate is not None
        assert 0 < rate < cohort_flops(plan.cohorts[0]) / 2 / 0.05
