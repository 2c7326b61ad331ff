"""What is handed out, and what becomes of results, workers and errors, without Ray."""

import io
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from made_trials import IDENTITIES, IDENTITY, complete, diverged, failed, rows, trials
from rich.console import Console

from search_spaces.trial import Trial
from sweep.driver import dispatcher as module
from sweep.driver.dispatcher import Dispatcher, Settings, signature
from sweep.driver.display import Display
from sweep.driver.event_log import EventLog
from sweep.driver.progress import Progress
from sweep.planning.cohorts import Cohort
from sweep.planning.plan import Plan
from sweep.planning.rates import Rates
from sweep.planning.resources import Resources
from sweep.records import Record
from sweep.storage import Storage, StorageError, sqlite_file
from sweep.worker.checkpoint_folder import CheckpointFolder

SIZES = (8, 16, 4096, 8)  # the third cohort takes far longer than the rest


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "results.db"


@pytest.fixture
def storage(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT_S", 0.1)
    monkeypatch.setattr(module, "RECHECK_S", 0.0)
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
    return Plan((), grid, cohorts, Resources(workers=2, cores=1, gpus=0, memory=2**30), Rates(1e9, 0.0, 0.0, "made"))


def dispatcher(
    plan: Plan,
    storage: Storage,
    deadline: float | None = None,
    sweep_id: int = 1,
    journal: EventLog = EventLog(None),  # noqa: B008 (has no state)
    checkpoints: CheckpointFolder | None = None,
) -> Dispatcher:
    progress = Progress(storage.counts(), sum(map(plan.seconds, plan.cohorts)))
    display = Display(Console(file=io.StringIO()), progress)
    settings = Settings(deadline)
    return Dispatcher(plan, storage, sweep_id, IDENTITIES, progress, display, journal, settings, checkpoints)


def states(file: Path) -> list[str]:
    return [state for (state,) in rows(file, "SELECT state FROM trials ORDER BY position")]


def members(plan: Plan, number: int) -> tuple[Trial, ...]:
    return plan.cohorts[number].trials


def broken(trial: Trial, line: int = 7) -> Record:
    error = f'Traceback (most recent call last):\n  File "a.py", line {line}, in step\nValueError: {trial.trial_id}'
    return Record(trial.trial_id, "FAILED", error=error, reason="error")


class TestHandingOut:
    def test_cohorts_go_out_once_and_in_order(self, plan: Plan, storage: Storage) -> None:
        running = dispatcher(plan, storage)
        assert [running.next() for _ in range(6)] == [0, 1, 2, 3, "wait", "wait"]

    def test_when_all_have_ended_there_is_no_more(self, plan: Plan, storage: Storage) -> None:
        running = dispatcher(plan, storage)
        while (number := running.next()) != "done":
            assert isinstance(number, int)
            running.ended(number, [complete(trial) for trial in members(plan, number)])
        running.close()
        assert storage.counts()["ebgan"]["COMPLETE"] == 8

    def test_none_go_out_after_an_interrupt(self, plan: Plan, storage: Storage) -> None:
        running = dispatcher(plan, storage)
        assert running.next() == 0
        assert not running.must_stop()
        running.interrupted = True
        assert running.next() == "done"
        assert running.must_stop()

    def test_a_cohort_that_would_not_end_in_time_does_not_start_nor_do_any_after_it(
        self, plan: Plan, storage: Storage
    ) -> None:
        seconds = [plan.seconds(cohort) for cohort in plan.cohorts]
        assert seconds[3] < seconds[2] / 4
        running = dispatcher(plan, storage, time.monotonic() + seconds[2] / 2)
        assert [running.next() for _ in range(4)] == [0, 1, "done", "done"]
        assert not running.must_stop()
        for number in (0, 1):
            running.ended(number, [complete(trial) for trial in members(plan, number)])
        text = "the next cohort (2 ebgan, 4x4096 against 2x8) would take about"
        assert str(running.time_limit()).startswith(text)
        assert str(running.time_limit()).endswith(", and without checkpoints it was not started")

    def test_the_measured_rate_counts_once_there_is_one(
        self, plan: Plan, storage: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seconds = plan.seconds(plan.cohorts[2])
        running = dispatcher(plan, storage, time.monotonic() + seconds / 2)
        assert [running.next() for _ in range(2)] == [0, 1]
        # Each of the two workers must be twice as fast as was thought, so both together four times.
        monkeypatch.setattr(Progress, "work_per_second", 3)
        assert running.next() == "done"
        monkeypatch.setattr(Progress, "work_per_second", 5)
        assert [running.next() for _ in range(2)] == [2, 3]

    def test_with_checkpoints_it_starts(self, plan: Plan, storage: Storage, tmp_path: Path) -> None:
        seconds = plan.seconds(plan.cohorts[2])
        kept = CheckpointFolder(tmp_path / "kept")
        running = dispatcher(plan, storage, time.monotonic() + seconds / 2, checkpoints=kept)
        assert [running.next() for _ in range(5)] == [0, 1, 2, 3, "wait"]


class TestTimeLimit:
    """The deadline passes while two of four cohorts run."""

    @pytest.fixture
    def late(self, plan: Plan, storage: Storage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Dispatcher:
        checkpoints = CheckpointFolder(tmp_path / "kept")
        log = EventLog(tmp_path / "log")
        running = dispatcher(plan, storage, time.monotonic() + 1000, checkpoints=checkpoints, journal=log)
        for _ in range(2):
            running.started(int(running.next()))
        running.progressed(0, 0.9)
        running.progressed(1, 0.25)
        now = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: now() + 1001)
        return running

    def test_nothing_starts_and_what_runs_is_told_once(self, late: Dispatcher, tmp_path: Path) -> None:
        assert [late.next(), late.next()] == ["done", "done"]
        assert not late.must_stop()
        (line,) = [line for line in (tmp_path / "log").read_text().splitlines() if "The time limit has come" in line]
        assert "2 ebgan, 2x8 against 2x8 (90% done); 2 ebgan, 3x16 against 2x8 (25% done)" in line

    def test_one_is_finished_the_other_stops_and_is_given_back(
        self, plan: Plan, storage: Storage, late: Dispatcher, file: Path
    ) -> None:
        late.ended(0, [complete(trial) for trial in members(plan, 0)])
        late.stopped(1)
        text = "2 ebgan, 3x16 against 2x8 (25% done), did not end and goes on from its checkpoint"
        assert late.time_limit() == text
        late.close()
        assert states(file) == ["COMPLETE"] * 2 + ["WAITING"] * 6
        outcomes = rows(file, "SELECT outcome, error FROM attempts ORDER BY attempt_id")
        assert outcomes == [("COMPLETE", None)] * 2 + [("INTERRUPTED", None)] * 2

    def test_when_all_that_ran_has_ended_the_next_one_did_not_fit(self, plan: Plan, late: Dispatcher) -> None:
        for number in (0, 1):
            late.ended(number, [complete(trial) for trial in members(plan, number)])
        assert str(late.time_limit()).startswith("the next cohort (2 ebgan, 4x4096 against 2x8) would take about")
        assert "without checkpoints" not in str(late.time_limit())

    def test_workers_that_do_not_stop_are_ended(self, late: Dispatcher, monkeypatch: pytest.MonkeyPatch) -> None:
        now = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: now() + module.FINISH_S)
        assert not late.must_stop()
        monkeypatch.setattr(time, "monotonic", lambda: now() + module.LATEST_S)
        assert late.must_stop()

    def test_a_run_that_did_everything_was_not_limited(self, plan: Plan, storage: Storage, late: Dispatcher) -> None:
        for number in (0, 1):
            late.ended(number, [complete(trial) for trial in members(plan, number)])
        late._queue.clear()
        assert late.time_limit() is None

    def test_ctrl_c_comes_first(self, late: Dispatcher) -> None:
        late.interrupted = True
        assert late.must_stop()
        assert late.time_limit() is None


class TestStoring:
    def test_a_cohort_is_stored_when_it_ends(self, plan: Plan, storage: Storage, file: Path) -> None:
        running = dispatcher(plan, storage)
        assert running.next() == 0
        running.started(0)
        assert states(file) == ["RUNNING"] * 2 + ["WAITING"] * 6
        running.progressed(0, 0.5)
        one, two = members(plan, 0)
        running.ended(0, [complete(one), diverged(two)])
        assert states(file)[:2] == ["COMPLETE", "DIVERGED"]
        assert running.failed == 0
        assert rows(file, "SELECT score, real_score > 10 FROM results WHERE score IS NOT NULL") == [(7.0, 1)]

    def test_what_comes_twice_counts_once(self, plan: Plan, storage: Storage, file: Path) -> None:
        running = dispatcher(plan, storage)
        running.next()
        running.ended(0, [failed(t) for t in members(plan, 0)])
        running.ended(0, [complete(t) for t in members(plan, 0)])
        assert running.failed == 2
        assert states(file)[:2] == ["FAILED", "FAILED"]

    def test_while_the_database_is_locked_nothing_starts_and_results_wait(
        self, plan: Plan, storage: Storage, file: Path
    ) -> None:
        running = dispatcher(plan, storage)
        assert [running.next(), running.next()] == [0, 1]
        lock = sqlite3.connect(file, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        running.ended(0, [complete(t) for t in members(plan, 0)])
        running.ended(1, [complete(t) for t in members(plan, 1)])
        assert running.next() == "wait"
        assert states(file)[:4] == ["RUNNING"] * 4
        with pytest.raises(StorageError, match="database is locked: 4 results could not be stored"):
            running.close()
        lock.execute("ROLLBACK")
        lock.close()
        running.tick()
        assert states(file) == ["COMPLETE"] * 4 + ["WAITING"] * 4
        assert running.next() == 2
        running.close()
        assert states(file) == ["COMPLETE"] * 4 + ["WAITING"] * 4


class TestLosses:
    def test_what_a_dead_worker_ran_goes_out_again_and_the_attempt_is_a_row(
        self, plan: Plan, storage: Storage, file: Path
    ) -> None:
        running = dispatcher(plan, storage)
        assert [running.next(), running.next()] == [0, 1]
        running.lost(0, "killed")
        assert states(file)[:2] == ["WAITING"] * 2
        assert running.next() == 0
        running.ended(0, [complete(t) for t in members(plan, 0)])
        outcomes = rows(file, "SELECT outcome, error FROM attempts WHERE outcome IS NOT NULL ORDER BY attempt_id")
        assert outcomes == [("LOST", "killed")] * 2 + [("COMPLETE", None)] * 2
        assert running.failed == 0

    def test_a_cohort_whose_workers_die_again_and_again_fails(self, plan: Plan, storage: Storage, file: Path) -> None:
        running = dispatcher(plan, storage)
        for _ in range(3):
            assert running.next() == 0
            running.lost(0, "killed")
        assert running.failed == 2
        assert running.next() == 1
        assert states(file)[:2] == ["FAILED"] * 2
        found = rows(file, "SELECT outcome, reason, error FROM attempts ORDER BY attempt_id")[-3:-2]
        assert found == [("FAILED", "lost", "its worker died 3 times: killed")]

    def test_what_ray_left_behind_goes_out_again_however_often_it_fails(self, plan: Plan, storage: Storage) -> None:
        for _ in range(5):
            running = dispatcher(plan, storage)
            assert [running.next() for _ in range(2)] == [0, 1]
            running.save()
            storage.release(1, "LOST", "Ray failed")  # as the supervisor does
            assert running.failed == 0

    def test_a_loss_that_could_not_be_stored_is_no_obstacle(self, plan: Plan, storage: Storage, file: Path) -> None:
        running = dispatcher(plan, storage)
        assert running.next() == 0
        lock = sqlite3.connect(file, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        running.lost(0, "killed")
        lock.execute("ROLLBACK")
        lock.close()
        assert running.next() == 0


class TestErrors:
    def fail(self, running: Dispatcher, plan: Plan, make: Callable[[Trial], Record]) -> None:
        number = running.next()
        assert isinstance(number, int)
        running.ended(number, [make(t) for t in members(plan, number)])

    def test_three_times_the_same_stops_the_sweep_with_the_traceback(self, plan: Plan, storage: Storage) -> None:
        running = dispatcher(plan, storage)
        for _ in range(3):
            assert running.repeated_error is None
            self.fail(running, plan, broken)
        assert running.must_stop()
        assert running.next() == "done"
        assert "ValueError" in str(running.repeated_error)

    @pytest.mark.parametrize("between", [complete, lambda trial: broken(trial, line=8)])
    def test_others_in_between_do_not(self, plan: Plan, storage: Storage, between: Callable[[Trial], Record]) -> None:
        running = dispatcher(plan, storage)
        for make in (broken, broken, between, broken):
            self.fail(running, plan, make)
        assert running.repeated_error is None

    def test_errors_are_the_same_by_place_and_kind(self) -> None:
        one, two = trials(2)
        assert signature(str(broken(one).error)) == signature(str(broken(two).error))
        assert signature(str(broken(one).error)) != signature(str(broken(one, line=8).error))
        assert signature("") == signature("\n")


class TestSharing:
    """Two drivers on one database; a file takes one, but its storage knows the difference."""

    @pytest.fixture
    def second(self, plan: Plan, storage: Storage) -> Dispatcher:
        return dispatcher(plan, storage, sweep_id=storage.declare("second", {}, {}, "1"))

    def test_each_cohort_runs_once(self, plan: Plan, storage: Storage, second: Dispatcher) -> None:
        first = dispatcher(plan, storage)
        assert [first.next(), second.next(), first.next(), second.next()] == [0, 1, 2, 3]
        assert [first.next(), second.next()] == ["wait", "wait"]
        for running, number in ((first, 0), (second, 1), (first, 2), (second, 3)):
            running.ended(number, [complete(t) for t in members(plan, number)])
        assert [first.next(), second.next()] == ["done", "done"]
        assert storage.counts()["ebgan"]["COMPLETE"] == 8

    def test_the_cohorts_of_a_dead_driver_are_taken_over(
        self, plan: Plan, storage: Storage, file: Path, second: Dispatcher, tmp_path: Path
    ) -> None:
        told = tmp_path / "log"
        first = dispatcher(plan, storage, journal=EventLog(told))
        assert first.next() == 0
        assert [second.next() for _ in range(4)] == [1, 2, 3, "wait"]
        with sqlite3.connect(file) as connection:
            connection.execute("UPDATE sweeps SET last_heartbeat = '2000-01-01 00:00:00.000000' WHERE sweep_id = 1")
        assert second.next() == 0
        first.ended(0, [failed(t) for t in members(plan, 0)])  # it was not dead, only slow: too late
        assert states(file)[:2] == ["RUNNING"] * 2
        second.ended(0, [complete(t) for t in members(plan, 0)])
        assert states(file)[:2] == ["COMPLETE"] * 2
        outcomes = rows(file, "SELECT outcome FROM attempts WHERE sweep_id = 1")
        assert outcomes == [("LOST",)] * 2
        assert "2 results came too late" in told.read_text()

    def test_a_cohort_of_which_a_part_is_held_elsewhere_runs_in_parts(
        self, plan: Plan, storage: Storage, second: Dispatcher, file: Path
    ) -> None:
        one, two = members(plan, 0)
        held = storage.lease(2, [one.trial_id], "a part", IDENTITY).cohort_id
        assert held is not None
        first = dispatcher(plan, storage)
        assert first.next() == 0
        assert first.cohort(0).trials == (two,)
        first.ended(0, [complete(two)])
        assert [first.next() for _ in range(4)] == [1, 2, 3, "wait"]
        storage.lost(held, "died")
        rest = first.next()
        assert isinstance(rest, int)
        assert first.cohort(rest).trials == (one,)

    def test_a_sign_of_life_carries_progress(self, plan: Plan, storage: Storage, file: Path) -> None:
        first = dispatcher(plan, storage)
        assert first.next() == 0
        first.started(0)
        first.progressed(0, 0.25)
        storage.heartbeat(1, {flight.cohort_id: flight.share for flight in first._in_flight.values()})
        (cohort,) = storage.running()
        assert (cohort["title"], cohort["members"], cohort["share"]) == ("2 ebgan, 2x8 against 2x8", 2, 0.25)
        assert cohort["silent_s"] < 30


class TestTelling:
    def test_the_journal_has_a_line_for_what_happened(self, plan: Plan, storage: Storage, tmp_path: Path) -> None:
        progress = Progress(storage.counts(), 1)
        display = Display(Console(file=io.StringIO()), progress)
        journal = EventLog(tmp_path / "logs" / "sweep.jsonl")
        running = Dispatcher(plan, storage, 1, IDENTITIES, progress, display, journal, Settings())
        running.next()
        running.lost(0, "killed")
        running.next()
        running.ended(0, [complete(t) for t in members(plan, 0)])
        lines = [json.loads(line) for line in (tmp_path / "logs" / "sweep.jsonl").read_text().splitlines()]
        assert [line["event"] for line in lines] == ["leased", "lost", "leased", "ended"]
        assert lines[1]["reason"] == "killed"
        assert lines[3]["states"] == {"COMPLETE": 2}

    def test_a_line_that_a_full_disk_cut_spoils_no_other(self, tmp_path: Path) -> None:
        file = tmp_path / "log"
        EventLog(file).write("one")
        with file.open("ab") as log:
            log.write(b'{"at": "20')
        EventLog(file).write("two")
        EventLog(file).write("three")
        lines = file.read_text().splitlines()
        assert [json.loads(lines[i])["event"] for i in (0, 2, 3)] == ["one", "two", "three"]

    def test_a_journal_that_cant_be_written_stops_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        EventLog(tmp_path / "file" / "log.jsonl").write("event")
        EventLog(None).write("event")

    def test_the_last_line_counts_and_names_the_best(self, plan: Plan, storage: Storage) -> None:
        output = io.StringIO()
        storage.add_trials(storage.declare("more", {}, {}, "1"), trials(5, space="more"))
        counts = storage.counts({trial.trial_id for trial in plan.trials})
        progress = Progress(counts, sum(map(plan.seconds, plan.cohorts)))
        display = Display(Console(file=output, width=200), progress)
        running = Dispatcher(plan, storage, 1, IDENTITIES, progress, display, EventLog(None), Settings())
        with display:
            for _ in range(2):
                running.started(int(running.next()))
            running.ended(0, [complete(members(plan, 0)[0], score=9.125), failed(members(plan, 0)[1])])
            running.ended(1, [complete(t, score=3.0) for t in members(plan, 1)])
        (line,) = output.getvalue().splitlines()
        assert "ebgan 3/8, 1 failed, best 9.12" in line
        assert "gan 0/5" not in line
        assert "trials/min" in line

    @pytest.mark.parametrize(
        ("deadline", "told"),
        [
            (None, "about 60 seconds left for the whole grid"),
            (90.49, "about 60 seconds left for the whole grid, stops in 0:01:30"),
            (-1.0, "finishing at the time limit"),
        ],
    )
    def test_time_left_is_told_until_the_time_limit(self, storage: Storage, deadline: float | None, told: str) -> None:
        output = io.StringIO()
        progress = Progress(storage.counts(), 10.0, None if deadline is None else time.monotonic() + deadline)
        progress.started(0, "half", 10.0)
        progress.progressed(0, 0.5)
        progress._start -= 60
        with Display(Console(file=output, width=200), progress):
            pass
        assert output.getvalue().endswith(f"0.0 trials/min, {told}\n")

    def test_progress_is_measured_in_expected_seconds(self, plan: Plan, storage: Storage) -> None:
        progress = Progress(storage.counts(), 1)
        display = Display(Console(file=io.StringIO()), progress)
        running = Dispatcher(plan, storage, 1, IDENTITIES, progress, display, EventLog(None), Settings())
        assert progress.work_per_second is None
        running.next()
        running.started(0)
        running.progressed(0, 0.5)
        time.sleep(0.05)
        rate = progress.work_per_second
        assert rate is not None
        assert 0 < rate < plan.seconds(plan.cohorts[0]) / 2 / 0.05
