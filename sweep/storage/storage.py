"""The results database as drivers, commands and notebooks use it. Drivers are the only writers."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import String

from metrics.identity import ScoreIdentity
from search_spaces.trial import Trial
from sweep.errors import StorageError
from sweep.records import Record
from sweep.storage import leases, results, sweeps, tables
from sweep.storage.engine import Database

if TYPE_CHECKING:
    import pandas as pd


class Storage:
    """One results database.

    Args:
        url: SQLAlchemy URL, such as sqlite:///runs/mnist/results.db.
        create: whether a missing database is made; otherwise it is an error.

    Raises:
        StorageError: see `sweep.storage.engine.Database`; every method raises it if the database fails.
    """

    def __init__(self, url: str, create: bool = False) -> None:
        self._database = Database(url, create)
        self.url = self._database.url
        self.name = self._database.name
        self.is_file = self._database.is_file

    @property
    def path(self) -> Path:
        """The SQLite file itself, links followed."""
        return self._database.path

    def disconnect(self) -> None:
        """Close every connection, and keep a claim. The file then holds everything, and needs no write-ahead log."""
        self._database.disconnect()

    def close(self) -> None:
        """Close every connection, and end a claim."""
        self._database.close()

    def cut(self) -> None:
        """End a wait for a server that hangs, from another thread: the method that waits raises a StorageError."""
        self._database.cut()

    def claim(self) -> None:
        """Make sure that no other sweep runs on this file until it is closed.

        Raises:
            StorageError: another sweep is running on it.
        """
        self._database.claim()

    def now(self) -> datetime:
        """UTC by the clock that all drivers of this database share."""
        with self._database.read() as connection:
            return self._database.now(connection)

    def declare(self, name: str, spaces: Mapping[str, Any], settings: Mapping[str, Any], code_version: str) -> int:
        """Register a sweep that this process runs, and return its number."""
        return sweeps.declare(self._database, name, spaces, settings, code_version)

    def declared(self) -> list[tuple[Any, Any]]:
        """Spaces and settings of every sweep that `declare` registered, the earliest first."""
        return sweeps.declared(self._database)

    def add_trials(self, sweep_id: int, trials: Iterable[Trial]) -> None:
        """Add trials in their random order, and declare them in their spaces.

        A trial that the database has stays as it is, and so does its place in a space that has it.
        """
        sweeps.add_trials(self._database, sweep_id, trials)

    def retry(self, reason: str | None = None) -> int:
        """Put failed trials back to waiting, all or those of one of `tables.REASONS`; return how many."""
        return sweeps.retry(self._database, reason)

    def finish(self, sweep_id: int, state: str = "done", note: str | None = None, complete: bool = True) -> None:
        """Write down how a sweep ended.

        Args:
            state: "done", "done with failures", "time limit", "stopped" or "failed".
            note: why it ended, where there is more to say than its state.
            complete: whether it has done all that it was going to do.
        """
        sweeps.finish(self._database, sweep_id, state, note, complete)

    def sweeps(self) -> "pd.DataFrame":
        """One row for each sweep that was started on this database."""
        return sweeps.sweeps(self._database)

    def spaces(self) -> set[str]:
        """Names of the search spaces that it holds."""
        return sweeps.spaces(self._database)

    def counts(self, trial_ids: Collection[str] | None = None) -> dict[str, dict[str, int]]:
        """How many trials are in each state, by family; all trials, or only these."""
        return sweeps.counts(self._database, trial_ids)

    def n_rows(self) -> int:
        """Rows of the table `trials`, including those that no sweep wrote."""
        return sweeps.n_rows(self._database)

    def lease(self, sweep_id: int, trial_ids: Collection[str], title: str, identity: ScoreIdentity) -> leases.Lease:
        """Take the trials of a cohort that are neither finished nor held by a living driver, and mark them as running.

        Args:
            identity: identity of the scores of all these trials, by which `finished` judges.
        """
        return leases.lease(self._database, sweep_id, trial_ids, title, identity)

    def heartbeat(self, sweep_id: int, progress: Mapping[int, float]) -> None:
        """Show that a driver lives, and how far its cohorts are: progress, 0 to 1, by cohort number."""
        leases.heartbeat(self._database, sweep_id, progress)

    def record(self, cohort_id: int, records: Sequence[Record]) -> int:
        """Store how the trials of a cohort ended, all of them or none. Calling it twice is the same as calling it once.

        A driver that was taken for dead may have lost trials to another driver. Records of those trials are left out.

        Returns:
            How many records were stored.
        """
        return leases.record(self._database, cohort_id, records)

    def lost(self, cohort_id: int, error: str) -> None:
        """Requeue the trials of a cohort whose worker died."""
        leases.lost(self._database, cohort_id, error)

    def release(
        self,
        sweep_id: int | None = None,
        outcome: Literal["INTERRUPTED", "LOST"] = "INTERRUPTED",
        error: str | None = None,
    ) -> None:
        """Requeue the trials that a driver left running: those of one sweep, or those of all dead drivers.

        A trial that was being scored again keeps the scores it has.

        Args:
            outcome, error: how the attempts of this sweep ended, and why. A dead driver's attempts are LOST.
        """
        leases.release(self._database, sweep_id, outcome, error)

    def running(self) -> list[dict[str, Any]]:
        """Cohorts in flight: title, members, share, started_at, and their driver's host, pid and seconds of silence."""
        return leases.running(self._database)

    def in_flight(self) -> "pd.DataFrame":
        """Trials of cohorts in flight: trial_id, progress (0 to 1), started_at."""
        return leases.in_flight(self._database)

    def outcomes(self) -> "pd.DataFrame":
        """Attempts that have ended, in their order: trial_id, cohort_id, outcome, reason, started_at, ended_at."""
        return leases.outcomes(self._database)

    def finished(self, identity: ScoreIdentity) -> set[str]:
        """Identities of trials that need no more work: scored under this identity, diverged, or failed."""
        with self._database.read() as connection:
            return results.finished(connection, identity)

    def results(self) -> "pd.DataFrame":
        """The view `results`, one row per trial, without rows that no sweep can have written (`values.py`)."""
        return results.results(self._database)

    def results_by_space(self) -> "pd.DataFrame":
        """The same with a row for each search space that declares a trial: space, sweep_id and position are its own.

        Trials that no search space declares are left out.
        """
        return results.results_by_space(self._database)

    def result(self, trial_id: str) -> dict[str, Any] | None:
        """The row of one trial in the view `results`; None if there is no such trial."""
        return results.result(self._database, trial_id)

    def ran_with(self, trial_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The sweep's settings and the cohort with which a trial got its result.

        Returns:
            The settings, and the rows of the view `results` of all trials of the cohort, including this one, in
            the random order; both are empty if the trial never got a result.
        """
        return results.ran_with(self._database, trial_id)

    def last_error(self) -> str | None:
        """What the last attempt that failed ended with, most often a traceback; None if none did."""
        return results.last_error(self._database)

    def timed(self, device: str) -> list[dict[str, Any]]:
        """The last scored trials on a kind of device, as many as say how fast it is.

        Returns:
            For each its trial_id, experiment, family, shape, training, n_samples, n_scored (steps at which it was
            scored) and duration_s, which is above 0.
        """
        return results.timed(self._database, device)

    def steps(self) -> "pd.DataFrame":
        """The ranking score of every trial by step and by score identity: trial_id, step, identity_id, score."""
        return results.steps(self._database)

    def identities(self) -> "pd.DataFrame":
        """The score identities by rank: identity_id, network, rank, real_score and what two scores must share."""
        return results.identities(self._database)

    def sheets(self, trial_ids: Sequence[str]) -> dict[str, bytes]:
        """Sample sheets (PNG) of those of these trials that have one."""
        return results.sheets(self._database, trial_ids)

    @contextmanager
    def describing(self) -> Iterator[None]:
        """Turn every error into a StorageError of one line, for code that reads and describes a stranger's database.

        Commands use it as a last resort. No sweep runs within it, because it hides the traceback of a fault in this
        project.

        Raises:
            StorageError: the code within has failed. An OSError, as from writing a file, passes unchanged.
        """
        try:
            yield
        except (StorageError, OSError):
            raise
        except Exception as error:
            what = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise StorageError(f"{self.name}: holds what no sweep wrote: {what}") from error


# All text in the view but a trial's id is one of a few names.
_CATEGORIES = [c.name for c in tables.results.columns if isinstance(c.type, String) and c.name != "trial_id"]


def load_results(source: str | Storage) -> "pd.DataFrame":
    """One row per trial, as the view `results` gives it, ready for pandas.

    Names that repeat are categories: family, optimizers, state, space, data, precision, device, formula, classifier.
    Times are UTC without a zone.

    Args:
        source: URL of the database, or the database itself.

    Raises:
        StorageError: it can't be read.
    """
    storage = Storage(source) if isinstance(source, str) else source
    try:
        return storage.results().astype(dict.fromkeys(_CATEGORIES, "category"))
    finally:
        if storage is not source:
            storage.close()
