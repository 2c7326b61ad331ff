"""Decides which cohort runs next, and stores what comes back. It knows the plan and the database, but not Ray."""

import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from metrics.identity import ScoreIdentity
from search_spaces.axis import SharedSettings
from sweep.driver.display import Display
from sweep.driver.event_log import EventLog
from sweep.driver.progress import Progress
from sweep.planning.cohorts import Cohort
from sweep.planning.estimate import FINISH_S
from sweep.planning.plan import Plan
from sweep.records import Record
from sweep.storage import Storage, StorageError
from sweep.storage.patience import answers_within
from sweep.text import counted, duration
from sweep.worker.checkpoint_folder import CheckpointFolder

T = TypeVar("T")
HEARTBEAT_S = 5.0  # seconds between two heartbeats
RECHECK_S = 5.0  # seconds before another try of cohorts that other drivers hold, or of a database that failed
ANSWER_S = 40.0  # seconds after which a database that does not answer counts as failed
STOPPING_S = 3.0  # the same, but for a sweep that is stopping
SAME_ERRORS = 3  # equal errors in a row that stop a sweep
# Seconds after the deadline at which workers are ended that still run: one may score for a while before it stops.
LATEST_S = FINISH_S + 15.0


@dataclass(frozen=True)
class Settings:
    """How a dispatcher works through its plan.

    Attributes:
        deadline: value of time.monotonic() at which the sweep stops; None for no limit.
        max_attempts: attempts for a cohort whose worker dies.
    """

    deadline: float | None = None
    max_attempts: int = 3


@dataclass
class _InFlight:
    """A cohort that runs: its number in the database, and the share of its training that is done, 0 to 1."""

    cohort_id: int
    share: float = 0.0


@dataclass
class _Outage:
    """The error of a database that fails, and the time.monotonic() of it."""

    error: StorageError
    at: float = field(default_factory=time.monotonic)


class Dispatcher:
    """Hands out the cohorts of a plan, stores what comes back, and knows when to stop.

    While the database fails, no cohort starts; results wait in memory and are stored when it works again.

    Attributes:
        deadline: as in the settings.
        interrupted: set it to stop the sweep.
        failed: number of trials of this run that failed.
        n_ended: number of cohorts that have ended.
        repeated_error: traceback that came `SAME_ERRORS` times in a row and stopped the sweep.
    """

    def __init__(
        self,
        plan: Plan,
        storage: Storage,
        sweep_id: int,
        identities: Mapping[SharedSettings, ScoreIdentity],
        progress: Progress,
        display: Display,
        log: EventLog,
        settings: Settings,
        checkpoints: CheckpointFolder | None = None,
    ) -> None:
        self._plan, self._storage, self._sweep_id, self._identities = plan, storage, sweep_id, identities
        self._progress, self._display, self._log = progress, display, log
        self._settings, self._checkpoints, self.deadline = settings, checkpoints, settings.deadline
        self.interrupted = False
        self.failed = 0
        self.repeated_error: str | None = None
        self._cohorts = dict(enumerate(plan.cohorts))
        self._queue = deque(self._cohorts)
        self._numbers = itertools.count(len(self._cohorts))
        self._held_elsewhere: deque[int] = deque()
        self._checked = time.monotonic()
        self._in_flight: dict[int, _InFlight] = {}
        self._losses: Counter[int] = Counter()
        self._same_error: tuple[str, int] = ("", 0)
        self._unsaved: list[tuple[int, Sequence[Record]]] = []
        self._outage: _Outage | None = None
        self._heartbeat_at = 0.0
        self.n_ended = 0
        self._limit_told = False
        self._does_not_fit = False

    def cohort(self, number: int) -> Cohort:
        """A cohort that was handed out."""
        return self._cohorts[number]

    def next(self) -> int | Literal["wait", "done"]:
        """Lease the next cohort in the database, and return its number.

        Cohorts start in the plan's order, so the finished ones are a prefix of it and a fair sample of the grid. Those
        that another driver holds come last: it may finish them, or die.

        A cohort that is not expected to end before the deadline starts only if checkpoints let the next run go on with
        it. If it does not start, nothing after it does.
        """
        self.tick()
        if self.must_stop() or self._is_late():
            return "done"
        if self._outage:
            return "wait"
        if not self._queue and time.monotonic() - self._checked > RECHECK_S:
            self._checked = time.monotonic()
            self._queue, self._held_elsewhere = self._held_elsewhere, self._queue
        while self._queue:
            next_up = self._cohorts[self._queue[0]]
            if not self._checkpoints and self._misses_deadline(next_up):
                self._does_not_fit = True
                return "done"
            number = self._queue.popleft()
            if self._lease(number):
                return number
            if self._outage:
                return "wait"
        return "wait" if self._in_flight or self._held_elsewhere else "done"

    def started(self, number: int) -> None:
        """A worker begins with a cohort."""
        cohort = self._cohorts[number]
        self._progress.started(number, title(cohort), self._plan.seconds(cohort))
        self._display.update()

    def progressed(self, number: int, share: float, note: str | None = None) -> None:
        """A cohort has done this share of its training, 0 to 1; `note` is a message of its worker."""
        if note:
            self.note(note)
        if number in self._in_flight:
            self._in_flight[number].share = share
            self._progress.progressed(number, share)
            self._display.update()

    def ended(self, number: int, records: Sequence[Record]) -> None:
        """A cohort has ended; its records are stored, at once or as soon as the database works."""
        flight = self._in_flight.pop(number, None)
        if flight is None:
            return
        self.n_ended += 1
        cohort = self._cohorts.pop(number)
        self._unsaved.append((flight.cohort_id, records))
        self._log.write("ended", cohort=flight.cohort_id, states=dict(Counter(r.state for r in records)))
        if not self._backs_off():
            self.save()
        if self._checkpoints and not self._unsaved:
            self._checkpoints.drop(cohort)
        self.failed += sum(record.state == "FAILED" for record in records)
        trials = {trial.trial_id: trial for trial in cohort.trials}
        self._progress.ended(number, [trials[record.trial_id] for record in records], records)
        self._display.update()
        self._check_repeated_errors(records)

    def stopped(self, number: int) -> None:
        """A worker has stopped a cohort at the time limit; the database is told when the sweep ends."""
        if number in self._in_flight:
            flight = self._in_flight[number]
            self._progress.lost(number)
            self._log.write("stopped", cohort=flight.cohort_id, share=flight.share)

    def lost(self, number: int, reason: str) -> None:
        """The worker of a cohort died: the cohort runs again on any worker, or fails after `max_attempts`."""
        flight = self._in_flight.get(number)
        if flight is None:
            return
        self._losses[number] += 1
        if self._losses[number] >= self._settings.max_attempts:
            text = f"its worker died {self._losses[number]} times: {reason}"
            failed = [Record(i, "FAILED", error=text, reason="lost") for i in self._cohorts[number].trial_ids]
            self.ended(number, failed)
        else:
            self._requeue(number, reason)

    def note(self, text: str) -> None:
        """Show a line on the display and write it to the event log."""
        self._display.say(text)
        self._log.write("note", text=text)

    def tick(self) -> None:
        """Call this often: it sends the heartbeat, and stores what could not be stored before."""
        if self._backs_off():
            return
        self.save()
        if time.monotonic() - self._heartbeat_at > HEARTBEAT_S or self._outage:
            self._heartbeat_at = time.monotonic()
            shares = {flight.cohort_id: flight.share for flight in self._in_flight.values()}
            self._attempt(lambda: self._storage.heartbeat(self._sweep_id, shares))
        if self._is_late() and self._in_flight and not self._limit_told:
            self._limit_told = True
            running = "; ".join(self._described(number) for number in self._in_flight)
            self.note(f"The time limit has come. What ends within a minute is finished, the rest stops: {running}")

    def must_stop(self) -> bool:
        """Whether to end all workers: after Ctrl-C, a repeated error, or some time after the deadline."""
        return self.interrupted or self.repeated_error is not None or self._is_late(LATEST_S)

    def time_limit(self) -> str | None:
        """What the deadline left undone, in words; None if it left nothing. Call it when the workers have ended."""
        if self.interrupted or self.repeated_error or not (self._is_late() or self._does_not_fit):
            return None
        if self._in_flight:
            first, *others = self._in_flight
            more = f", and {counted(len(others), 'other cohort')}" if others else ""
            then = "goes on from its checkpoint" if self._checkpoints else "begins again, as there are no checkpoints"
            return f"{self._described(first)}{more}, did not end and {then}"
        if not self._queue:
            return "other drivers hold what is left" if self._held_elsewhere else None
        cohort = self._cohorts[self._queue[0]]
        why = ", and without checkpoints it was not started" if self._does_not_fit else ""
        return f"the next cohort ({title(cohort)}) would take {duration(self._seconds(cohort))}{why}"

    def _is_late(self, by: float = 0.0) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline + by

    def _described(self, number: int) -> str:
        return f"{title(self._cohorts[number])} ({self._in_flight[number].share:.0%} done)"

    def save(self) -> None:
        """Store the results that are not stored yet, until the database fails."""
        while self._unsaved:
            if self._attempt(self._store) is None:
                return
            self._unsaved.pop(0)

    def close(self) -> None:
        """Store the results that are not stored yet, and requeue the cohorts that still run.

        Raises:
            StorageError: the database fails; what is not stored is computed again by the next run.
        """
        self.save()
        if self._unsaved:
            lost = counted(sum(len(records) for _, records in self._unsaved), "result")
            problem = self._outage.error if self._outage else "the database fails"
            raise StorageError(f"{problem}: {lost} could not be stored; the same command computes them again")
        with answers_within(self._storage, self._answer_s):
            self._storage.release(self._sweep_id)

    def _requeue(self, number: int, reason: str) -> None:
        """Put a cohort back to the front of the queue."""
        cohort_id = self._in_flight.pop(number).cohort_id
        self._log.write("lost", cohort=cohort_id, times=self._losses[number], reason=reason)
        self._progress.lost(number)
        if not self._backs_off():
            self._attempt(lambda: self._storage.lost(cohort_id, reason))
        self._queue.appendleft(number)

    def _lease(self, number: int) -> bool:
        """Lease the trials of a cohort that are neither finished nor held by another driver, if there are any."""
        cohort = self._cohorts[number]
        identity = self._identities[cohort.trials[0].scoring]
        lease = self._attempt(lambda: self._storage.lease(self._sweep_id, cohort.trial_ids, title(cohort), identity))
        if lease is None:
            self._queue.appendleft(number)
            return False
        own = [trial for trial in cohort.trials if trial.trial_id in lease.taken]
        busy = [trial for trial in cohort.trials if trial.trial_id in lease.busy]
        finished = [t.family for t in cohort.trials if t.trial_id not in lease.taken | lease.busy]
        self._progress.finished_elsewhere(finished)
        if own and busy:  # the busy ones become a cohort of their own
            rest = next(self._numbers)
            self._cohorts[rest] = Cohort(tuple(busy))
            self._held_elsewhere.append(rest)
        elif busy:
            self._cohorts[number] = Cohort(tuple(busy))
            self._held_elsewhere.append(number)
        if lease.cohort_id is None:
            if not busy:
                del self._cohorts[number]
            return False
        self._cohorts[number] = Cohort(tuple(own))
        self._in_flight[number] = _InFlight(lease.cohort_id)
        self._log.write("leased", cohort=lease.cohort_id, title=title(cohort), members=len(own))
        return True

    def _misses_deadline(self, cohort: Cohort) -> bool:
        return self._is_late(-self._seconds(cohort))

    def _seconds(self, cohort: Cohort) -> float:
        """Expected seconds of a cohort on one worker, at the rate so far if there is one."""
        measured = self._progress.work_per_second
        return self._plan.seconds(cohort) * (self._plan.resources.workers / measured if measured else 1.0)

    def _store(self) -> bool:
        cohort_id, records = self._unsaved[0]
        late = len(records) - self._storage.record(cohort_id, records)
        if late:
            self.note(f"{counted(late, 'result')} came too late: another driver has taken the trials over.")
        return True

    def _attempt(self, action: Callable[[], T]) -> T | None:
        """The result of a database action; None if it fails, and then the sweep pauses."""
        try:
            with answers_within(self._storage, self._answer_s):
                result = action()
        except StorageError as error:
            if self._outage is None:
                self._display.say(f"Paused, because the database fails: {error}. Going on when it works again.")
                self._log.write("paused", error=str(error))
            self._outage = _Outage(error)
            return None
        if self._outage is not None:
            self._outage = None
            self._display.say("The database works again; going on.")
            self._log.write("resumed")
        return result

    def _answer_s(self) -> float:
        return STOPPING_S if self.interrupted else ANSWER_S

    def _backs_off(self) -> bool:
        """Whether to wait before asking a database that failed again. While the sweep stops, only `close` asks it."""
        return self._outage is not None and (self.interrupted or time.monotonic() - self._outage.at < RECHECK_S)

    def _check_repeated_errors(self, records: Sequence[Record]) -> None:
        """Stop when the same error comes several times in a row: the rest of the grid would fail, too."""
        errors = {signature(record.error or "") for record in records if record.reason == "error"}
        if len(errors) != 1 or any(record.reason != "error" for record in records):
            self._same_error = ("", 0)
            return
        (error,) = errors
        times = self._same_error[1] + 1 if self._same_error[0] == error else 1
        self._same_error = (error, times)
        if times >= SAME_ERRORS:
            self.repeated_error = records[0].error
            self._log.write("error", error=records[0].error)


def signature(error: str) -> str:
    """Two tracebacks count as the same error if they end at one place with one type of error."""
    lines = [line.strip() for line in error.strip().splitlines()]
    places = [line for line in lines if line.startswith("File ")]
    return f"{places[-1] if places else ''} {lines[-1].partition(':')[0] if lines else ''}"


def title(cohort: Cohort) -> str:
    """The number of members of a cohort, their families and their shape, as text."""
    first = cohort.trials[0]
    families = " + ".join(sorted({trial.family for trial in cohort.trials}))
    return f"{len(cohort.trials)} {families}, {first.kind.shape_text(first.settings)}"
