"""What a results database is asked: what is declared, what is missing, who runs what, what came out.

Drivers are the only writers. A driver leases cohorts: a trial has one holder, and a holder without a heartbeat for
some time loses what it held to the next driver that asks.
"""

import functools
import itertools
import os
import platform
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Column, Select, String, bindparam, func, insert, null, select, text, type_coerce, update
from sqlalchemy.types import NullType

from metrics.identity import Reference, ScoreIdentity
from search_spaces.experiment import experiments
from search_spaces.trial import Trial
from sweep.records import Record
from sweep.storage import statements, tables, values
from sweep.storage.engine import DEFAULT_URL, Database, StorageError, exists
from sweep.storage.statements import LEASE_S

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DEFAULT_URL", "LEASE_S", "Lease", "Storage", "StorageError", "exists", "load_results"]

ROWS_AT_ONCE = 10_000  # a row waiting to be inserted takes 2 kB, so a million of them would take 2 GB


@dataclass(frozen=True)
class Lease:
    """What came of asking for the trials of a cohort.

    Attributes:
        cohort_id: number under which those that were taken run; None if there are none.
        taken: identities of the trials that the driver holds now.
        busy: of those that another driver holds; the rest is finished.
    """

    cohort_id: int | None
    taken: frozenset[str]
    busy: frozenset[str]


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
        if create:
            self._database.add_columns()
        self._absent = self._database.absent()
        self.url = self._database.url
        self.name = self._database.name
        self.is_file = self._database.is_file

    @property
    def path(self) -> Path:
        """The SQLite file itself, links followed."""
        return self._database.path

    def disconnect(self) -> None:
        """Close every connection, and keep a claim. What was written to a file is then in the file itself."""
        self._database.disconnect()

    def close(self) -> None:
        """Close every connection, and end a claim."""
        self._database.close()

    def cut(self) -> None:
        """End a wait for a server that hangs, from another thread: the method that waits raises a StorageError."""
        self._database.cut()

    def claim(self) -> None:
        """Be the only sweep on a file until it is closed.

        Raises:
            StorageError: another sweep is running on it.
        """
        self._database.claim()

    def declare(self, name: str, spaces: Mapping[str, Any], settings: Mapping[str, Any], code_version: str) -> int:
        """Register a sweep that this process runs, and give back its number."""
        values = {"name": name, "spaces": spaces, "settings": settings, "code_version": code_version}
        with self._database.write() as connection:
            now = self._database.now(connection)
            own = {"started_at": now, "last_heartbeat": now, "host": platform.node(), "pid": os.getpid()}
            result = connection.execute(insert(tables.sweeps).values(**own, **values))
            return int(result.inserted_primary_key[0])  # type: ignore[index]

    def declared(self) -> list[tuple[Any, Any]]:
        """Spaces and settings of every sweep that `declare` registered, the earliest first."""
        s = tables.sweeps.c
        rows = self._records(select(s.spaces, s.settings).order_by(s.sweep_id))
        return [(row["spaces"], row["settings"]) for row in rows]

    def add_trials(self, sweep_id: int, trials: Iterable[Trial]) -> None:
        """Make sure that every trial is there, and that its space has it, with its place in this order.

        Trials that are known are left alone, and so are those that their space has.
        """
        with self._database.write() as connection:
            if not self.is_file:  # drivers that start at one moment would add the same trials
                connection.execute(text("LOCK TABLE trials IN SHARE ROW EXCLUSIVE MODE"))
            known = set(connection.scalars(select(tables.trials.c.trial_id)))
            d = tables.declared.c
            declared = {tuple(row) for row in connection.execute(select(d.space, d.trial_id))}
            places = enumerate(trials)
            while part := list(itertools.islice(places, ROWS_AT_ONCE)):
                new = [
                    {"sweep_id": sweep_id, "position": position, "state": "WAITING"} | trial.columns
                    for position, trial in part
                    if trial.trial_id not in known
                ]
                members = [
                    {"space": space, "trial_id": trial.trial_id, "sweep_id": sweep_id, "position": position}
                    for position, trial in part
                    for space in (trial.space, *trial.also)
                    if (space, trial.trial_id) not in declared
                ]
                for table, rows in ((tables.trials, new), (tables.declared, members)):
                    if rows:
                        connection.execute(insert(table), rows)

    def finished(self, identity: ScoreIdentity) -> set[str]:
        """Trials that need no more work: scored under this identity, diverged, or failed."""
        with self._database.read() as connection:
            return statements.finished(connection, identity)

    def lease(self, sweep_id: int, trial_ids: Collection[str], title: str, identity: ScoreIdentity) -> Lease:
        """Take the trials of a cohort that are neither finished nor held by a driver that lives; they run now.

        Args:
            identity: as in `finished`; that of all these trials.
        """
        t = tables.trials.c
        with self._database.write(brief=True) as connection:
            now = self._database.now(connection)
            asked = select(t.trial_id, t.state, t.cohort_id).where(t.trial_id.in_(trial_ids))
            rows = connection.execute(asked.with_for_update(skip_locked=True)).all()
            # A statement after the locks sees the cohorts of all the locked rows. In a join with them, a row that was
            # leased while the statement ran would come with the cohorts and holders of before that lease.
            alive = statements.held_by_living_drivers(
                connection, {row.cohort_id for row in rows} - {None}, sweep_id, now
            )
            ended = {row.trial_id for row in rows if row.state not in ("WAITING", "RUNNING")}
            rest = select(t.trial_id).where(t.trial_id.in_(set(trial_ids) - {row.trial_id for row in rows}))
            unseen = set(connection.scalars(rest))  # another driver has its hands on them
            finished = statements.finished(connection, identity, ended | unseen) if ended | unseen else set()
            own = [row for row in rows if row.trial_id not in finished and row.cohort_id not in alive]
            if unseen - finished:  # two drivers that ask at the same time would cut the cohort into pieces
                own = []
            taken = frozenset(row.trial_id for row in own)
            cohort_id = statements.start_cohort(connection, sweep_id, taken, title, now) if taken else None
            statements.end_empty_cohorts(connection, {row.cohort_id for row in own} - {None}, now)
        return Lease(cohort_id, taken, frozenset(trial_ids) - taken - finished)

    def heartbeat(self, sweep_id: int, progress: Mapping[int, float]) -> None:
        """Show that a driver lives, and the progress of its cohorts by their numbers, 0 to 1."""
        with self._database.write(brief=True) as connection:
            now = self._database.now(connection)
            this = tables.sweeps.c.sweep_id == sweep_id
            connection.execute(update(tables.sweeps).where(this).values(last_heartbeat=now))
            if progress:
                cohort = tables.cohorts.c.cohort_id == bindparam("number")
                connection.execute(
                    update(tables.cohorts).where(cohort).values(progress=bindparam("done")),
                    [{"number": number, "done": done} for number, done in progress.items()],
                )

    def record(self, cohort_id: int, records: Sequence[Record], reference: Reference | None) -> int:
        """Keep how the trials of a cohort ended, all of them or none; doing it twice is doing it once.

        What the driver does not hold any more, because it was taken for dead, is left to the new holder.

        Args:
            reference: belongs to scored trials.

        Returns:
            How many were kept.
        """
        with self._database.write(brief=True) as connection:
            now = self._database.now(connection)
            held = select(tables.trials.c.trial_id).where(tables.trials.c.cohort_id == cohort_id)
            own = set(connection.scalars(held.with_for_update()))
            records = [record for record in records if record.trial_id in own]
            statements.write_records(connection, records, reference, now)
            if len(records) < len(own):
                statements.requeue(connection, [cohort_id], "LOST", now, "no record of it came back")
            statements.end_cohort(connection, cohort_id, now)
        return len(records)

    def lost(self, cohort_id: int, error: str) -> None:
        """Put the trials of a cohort whose worker died back to what they were."""
        with self._database.write(brief=True) as connection:
            statements.requeue(connection, [cohort_id], "LOST", self._database.now(connection), error)

    def release(
        self,
        sweep_id: int | None = None,
        outcome: Literal["INTERRUPTED", "LOST"] = "INTERRUPTED",
        error: str | None = None,
    ) -> None:
        """Put back the trials that a driver left running: those of one sweep, or those of all whose drivers died.

        A trial that was being scored again goes back to the scores it has.

        Args:
            outcome, error: how their attempts ended, and why, if `sweep_id` is given.
        """
        c = tables.cohorts.c
        with self._database.write(brief=sweep_id is not None) as connection:
            now = self._database.now(connection)
            query = select(c.cohort_id).join(tables.sweeps).where(c.ended_at.is_(None))
            if sweep_id is not None:
                found = list(connection.scalars(query.where(c.sweep_id == sweep_id)))
                statements.requeue(connection, found, outcome, now, error)
                return
            if not self.is_file:  # a file has one driver, the one that asks
                query = query.where(statements.lease_expired(now))
            dead: list[int | None] = list(connection.scalars(query))
            if self.is_file:
                dead.append(None)  # left by an older version
            statements.requeue(connection, dead, "LOST", now, statements.DRIVER_DIED, died=True)

    def retry(self, reason: str | None = None) -> int:
        """Put failed trials back to waiting, all or those of one of `tables.REASONS`; returns how many."""
        t, a = tables.trials.c, tables.attempts.c
        chosen = t.state == "FAILED"
        if reason is not None:
            last = select(func.max(a.attempt_id)).group_by(a.trial_id)
            chosen &= t.trial_id.in_(select(a.trial_id).where(a.attempt_id.in_(last), a.reason == reason))
        with self._database.write() as connection:
            return connection.execute(update(tables.trials).where(chosen).values(state="WAITING")).rowcount

    def finish(self, sweep_id: int, state: str = "done", note: str | None = None, complete: bool = True) -> None:
        """Keep how a sweep ended.

        Args:
            state: "done", "done with failures", "stopped" or "failed".
            note: why, where there is more to say.
            complete: whether it has done all that it was going to do.
        """
        with self._database.write(brief=True) as connection:
            values: dict[str, Any] = {"state": state, "note": note}
            if complete:
                values["finished_at"] = self._database.now(connection)
            connection.execute(update(tables.sweeps).where(tables.sweeps.c.sweep_id == sweep_id).values(**values))

    def spaces(self) -> set[str]:
        """Names of the search spaces that it has trials of."""
        return {row["space"] for row in self._records(select(tables.trials.c.space).distinct())}

    def counts(self, trial_ids: Collection[str] | None = None) -> dict[str, dict[str, int]]:
        """Trials by family and state, of these or of all."""
        t = tables.trials.c
        found = self._frame(select(t.trial_id, t.family, t.state).where(t.state.in_(tables.STATES)))
        if trial_ids is not None:
            found = found[found["trial_id"].isin(trial_ids)]
        counts: dict[str, dict[str, int]] = {}
        for family, own in found.groupby("family")["state"]:
            here = {str(state): int(n) for state, n in own.value_counts().items()}
            counts[str(family)] = dict.fromkeys(tables.GRID_STATES, 0) | here
        return counts

    def n_rows(self) -> int:
        """Rows of the table `trials`, also those that no sweep wrote."""
        with self._database.read() as connection:
            return int(connection.scalar(select(func.count()).select_from(tables.trials)) or 0)

    def results(self) -> "pd.DataFrame":
        """The view `results`, one row per trial. What no sweep can have written is left out: `sweep.storage.values`."""
        r = tables.results.c
        query = select(tables.results).where(r.state.in_(tables.STATES)).order_by(r.sweep_id, r.position)
        return self._frame(query, _has_its_settings)

    def result(self, trial_id: str) -> dict[str, Any] | None:
        """The row of one trial in the view `results`; None if there is no such trial."""
        rows = self._records(select(tables.results).where(tables.results.c.trial_id == trial_id))
        return next((row for row in rows if all(row[name] is not None for name in _needed(row["experiment"]))), None)

    def ran_with(self, trial_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Settings of the sweep in which a trial got its result, and the rows of the view `results` of all trials of
        the cohort it was in, itself among them, in the random order; empty if it never got one.
        """
        a, s, r = tables.attempts.c, tables.sweeps.c, tables.results.c
        last = (
            select(a.sweep_id, a.cohort_id)
            .where(a.cohort_id.is_not(None), a.trial_id == trial_id, a.outcome.in_(("COMPLETE", "DIVERGED")))
            .order_by(a.attempt_id.desc())
        )
        found = self._records(last.limit(1))
        if not found:
            return {}, []
        together = select(a.trial_id).where(a.cohort_id == found[0]["cohort_id"])
        rows = self._records(select(tables.results).where(r.trial_id.in_(together)).order_by(r.position))
        settings = self._records(select(s.settings).where(s.sweep_id == found[0]["sweep_id"]))
        return settings[0]["settings"] if settings else {}, rows

    def sweeps(self) -> "pd.DataFrame":
        """What was run into this database: one row per execution."""
        return self._frame(select(tables.sweeps).order_by(tables.sweeps.c.sweep_id))

    def running(self) -> list[dict[str, Any]]:
        """Cohorts in flight: title, members, share, started_at, and their driver's host, pid and seconds of silence."""
        c, s = tables.cohorts.c, tables.sweeps.c
        rows = self._records(
            select(c.title, c.members, c.progress, c.started_at, s.host, s.pid, s.last_heartbeat)
            .join_from(tables.cohorts, tables.sweeps)
            .where(c.ended_at.is_(None))
            .order_by(c.cohort_id)
        )
        now = self.now()
        for row in rows:
            row["share"] = row.pop("progress")
            heartbeat = row.pop("last_heartbeat")
            row["silent_s"] = max(0.0, (now - (heartbeat or row["started_at"])).total_seconds())
        return rows

    def in_flight(self) -> "pd.DataFrame":
        """Trials of cohorts in flight: trial_id, progress (0 to 1), started_at."""
        t, c = tables.trials.c, tables.cohorts.c
        query = select(t.trial_id, c.progress, c.started_at).join_from(
            tables.trials, tables.cohorts, t.cohort_id == c.cohort_id
        )
        return self._frame(query.where(c.ended_at.is_(None)))

    def outcomes(self) -> "pd.DataFrame":
        """Attempts that have ended, in their order: trial_id, cohort_id, outcome, reason, started_at, ended_at."""
        a = tables.attempts.c
        columns = (a.trial_id, a.cohort_id, a.outcome, a.reason, a.started_at, a.ended_at)
        return self._frame(select(*columns).where(a.outcome.is_not(None)).order_by(a.attempt_id))

    def steps(self) -> "pd.DataFrame":
        """The score that ranks every trial by step, as last scored: trial_id, step, score."""
        s, t = tables.scores.c, tables.trials.c
        ranking = {name: kind.scores[0].name for name, kind in experiments().items()}
        columns = (
            s.trial_id,
            s.step,
            s.identity_id,
            t.experiment,
            *(s[name] for name in sorted(set(ranking.values()))),
        )
        rows = self._frame(select(*columns).join_from(tables.scores, tables.trials))
        values = [rows[score].where(rows["experiment"] == name) for name, score in ranking.items()]
        rows["score"] = functools.reduce(lambda found, more: found.fillna(more), values)
        if len(rows["identity_id"].unique()) > 1:
            rows = rows.sort_values("identity_id", kind="stable").drop_duplicates(["trial_id", "step"], keep="last")
        return rows[["trial_id", "step", "score"]].reset_index(drop=True)

    def now(self) -> datetime:
        """UTC by the clock that all drivers of this database share."""
        with self._database.read() as connection:
            return self._database.now(connection)

    def sheets(self, trial_ids: Sequence[str]) -> dict[str, bytes]:
        """Sample sheets (PNG) of these trials, as far as there are any."""
        s = tables.samples.c
        query = select(s.trial_id, s.png).where(s.trial_id.in_(trial_ids), s.kind == tables.GENERATED).order_by(s.step)
        return {row["trial_id"]: row["png"] for row in self._records(query)}  # of each the last one

    @contextmanager
    def describing(self) -> Iterator[None]:
        """Around reading this database and telling what it holds: what fails by what it holds is one line.

        The last resort of the commands. It would hide where an error of this project is, so no sweep runs within it.

        Raises:
            StorageError: anything has failed but the writing of files.
        """
        try:
            yield
        except (StorageError, OSError):
            raise
        except Exception as error:
            what = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise StorageError(f"{self.name}: holds what no sweep wrote: {what}") from error

    def _frame(
        self, query: Select[Any], is_whole: "Callable[[pd.DataFrame], pd.Series] | None" = None
    ) -> "pd.DataFrame":
        """The rows of a query on tables of this project; `is_whole` as in `values.frame`."""
        return values.frame(self._rows(query), _columns(query), is_whole)

    def _records(self, query: Select[Any]) -> list[dict[str, Any]]:
        return values.records(self._rows(query), _columns(query))

    def _rows(self, query: Select[Any]) -> Sequence[Any]:
        """As the database gives them: SQLAlchemy's own conversion raises for what no sweep wrote."""
        raw = [
            (null() if column.name in self._absent else type_coerce(column, NullType())).label(column.name)
            for column in _columns(query)
        ]
        with self._database.read() as connection:
            return connection.execute(query.with_only_columns(*raw, maintain_column_froms=True)).all()


def _needed(name: str) -> list[str]:
    """Columns that every trial of an experiment has, whatever its family; none of an experiment that is not known."""
    kind = experiments().get(name)
    if kind is None:
        return []
    return [axis for axis, one in kind.axes.items() if not one.meaning.families] + list(kind.training_columns)


def _has_its_settings(found: "pd.DataFrame") -> "pd.Series":
    """Whether each row of the view has what all trials of its experiment have."""
    whole = found["experiment"].notna()
    for name in found["experiment"].dropna().unique():
        whole &= (found["experiment"] != name) | found[_needed(name)].notna().all(axis=1)
    return whole


def _columns(query: Select[Any]) -> list[Column[Any]]:
    return list(query.selected_columns)  # type: ignore[arg-type]


# All text in the view but a trial's id is one of a few names.
_CATEGORIES = [c.name for c in tables.results.columns if isinstance(c.type, String) and c.name != "trial_id"]


def load_results(source: str | Storage) -> "pd.DataFrame":
    """One row per trial, as the view `results` gives it, ready for pandas.

    Names that repeat are categories: family, optimisers, state, space, data, precision, device, formula, classifier.
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
