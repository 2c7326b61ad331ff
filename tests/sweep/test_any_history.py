"""Any sequence of planning, running, killing, editing the grid and retrying leaves every trial in one right state."""

import io
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from made_trials import IDENTITIES, IDENTITY, complete, diverged, failed, rows, trials
from rich.console import Console

from search_spaces.trial import Trial
from sweep.driver.dispatcher import Dispatcher, Settings
from sweep.driver.display import Display
from sweep.driver.event_log import EventLog
from sweep.driver.progress import Progress
from sweep.planning.plan import make_plan
from sweep.planning.resources import Resources
from sweep.records import Record
from sweep.storage import Storage

RESOURCES = Resources(workers=2, cores=1, gpus=0, memory=2**40)


class Histories(RuleBasedStateMachine):
    """One database, one driver at a time, and beside it what everybody may expect to find."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.file = Path(self.folder.name) / "results.db"
        self.storage = Storage(f"sqlite:///{self.file}", create=True)
        self.grid: list[Trial] = trials(3)
        self.ended: dict[str, str] = {}
        self.known: set[str] = set()
        self.running: Dispatcher | None = None
        self.flights: dict[int, list[Trial]] = {}

    def teardown(self) -> None:
        if hasattr(self, "storage"):
            self.storage.close()
            self.folder.cleanup()

    @rule(sizes=st.sets(st.integers(8, 12), min_size=1), seeds=st.integers(1, 3))
    def edit_the_grid(self, sizes: set[int], seeds: int) -> None:
        self.grid = [trial for size in sorted(sizes) for trial in trials(seeds, size_g=size)]

    @rule()
    def start_a_driver(self) -> None:
        """A new driver; one that ran before it was killed."""
        self.storage.claim()
        self.storage.release()
        self.flights.clear()
        plan = make_plan([], self.grid, RESOURCES, self.storage.finished(IDENTITY))
        ids = {trial.trial_id for trial in self.grid}
        assert {t.trial_id for c in plan.cohorts for t in c.trials} == ids - self.ended.keys()
        sweep_id = self.storage.declare("any", {}, {}, "1")
        self.storage.add_trials(sweep_id, plan.trials)
        self.known |= ids
        progress = Progress(self.storage.counts(ids), 1)
        display = Display(Console(file=io.StringIO()), progress)
        self.running = Dispatcher(
            plan, self.storage, sweep_id, IDENTITIES, progress, display, EventLog(None), Settings()
        )

    @rule()
    def hand_out(self) -> None:
        number = self.running.next() if self.running else "done"
        if isinstance(number, int):
            assert self.running
            self.flights[number] = list(self.running.cohort(number).trials)

    @rule(data=st.data())
    def end_a_cohort(self, data: st.DataObject) -> None:
        if not self.flights or not self.running:
            return
        number = data.draw(st.sampled_from(sorted(self.flights)))
        records: list[Record] = []
        for trial in self.flights.pop(number):
            make = data.draw(st.sampled_from([complete, diverged, failed]))
            records.append(make(trial))
            self.ended[trial.trial_id] = records[-1].state
        self.running.ended(number, records)

    @rule(data=st.data())
    def lose_a_worker(self, data: st.DataObject) -> None:
        if self.flights and self.running:
            number = data.draw(st.sampled_from(sorted(self.flights)))
            lost = self.flights.pop(number)
            self.running.lost(number, "killed")
            if number in self.running._losses and self.running._losses[number] >= 3:
                self.ended |= {trial.trial_id: "FAILED" for trial in lost}

    @rule()
    def stop_the_driver(self) -> None:
        if self.running:
            self.running.interrupted = True
            self.running.close()
            self.running = None
            self.flights.clear()

    @rule()
    def retry(self) -> None:
        failures = {trial_id for trial_id, state in self.ended.items() if state == "FAILED"}
        assert self.storage.retry() == len(failures)
        for trial_id in failures:
            del self.ended[trial_id]

    @invariant()
    def every_trial_is_in_one_right_state(self) -> None:
        if not hasattr(self, "storage"):
            return
        flying = {trial.trial_id for flight in self.flights.values() for trial in flight}
        found = rows(self.file, "SELECT trial_id, state FROM trials")
        assert len(found) == len(self.known)
        for trial_id, state in found:
            expected = {self.ended.get(trial_id, "RUNNING" if trial_id in flying else "WAITING")}
            # What a driver ran that was killed without a word counts as running until the next one starts.
            assert state in expected | ({"RUNNING"} if self.running is None else set()), trial_id
        scores = Counter(trial_id for (trial_id,) in rows(self.file, "SELECT trial_id FROM scores"))
        assert set(scores.values()) <= {1}
        assert {i for i, state in self.ended.items() if state == "COMPLETE"} <= set(scores)
        open_attempts = rows(self.file, "SELECT trial_id FROM attempts WHERE outcome IS NULL")
        assert sorted(i for (i,) in open_attempts) == sorted(flying)


TestAnyHistory = Histories.TestCase
TestAnyHistory.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
