"""What a results database is asked: what is declared, what is missing, who runs what, what came out.

Drivers are the only writers. A driver of its own leases cohorts: a trial has one holder, and a holder that gave no
sign of life for a while loses what it held to whoever asks next.
"""

import itertools
import math
import os
import platform
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Select,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy import exists as exists_row

from metrics.identity import ScoreIdentity
from search_spaces.trial import AXES, Training, Trial
from sweep import tables
from sweep.database import DEFAULT_URL, Database, StorageError, exists
from sweep.records import Record

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DEFAULT_URL", "LEASE_S", "Lease", "Reference", "Storage", "StorageError", "exists", "load_results"]

LEASE_S = 60.0  # without a sign of life, after which a driver counts as dead
ROWS_AT_ONCE = 10_000  # a row waiting to be inserted takes 2 kB, so a million of them would take 2 GB


@dataclass(frozen=True)
class Reference:
    """What real images score under an identity, kept beside it."""

    real_score: float
    real_inception_score: float
    classifier_accuracy: float


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
        StorageError: see `sweep.database.Database`; every method raises it if the database fails.
    """

    def __init__(self, url: str, create: bool = False) -> None:
        self._database = Database(url, create)
        self.url = self._database.url
        self.name = self._database.name
        self.is_file = self._database.is_file

    def close(self) -> None:
        self._database.close()

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
            own = {"started_at": now, "heard_at": now, "host": platform.node(), "pid": os.getpid()}
            result = connection.execute(insert(tables.sweeps).values(**own, **values))
            return int(result.inserted_primary_key[0])  # type: ignore[index]

    def add_trials(self, sweep_id: int, trials: Iterable[Trial]) -> None:
        """Make sure that every trial is there, with its place in this order; those already known are left alone."""
        with self._database.write() as connection:
            if not self.is_file:  # drivers that start at one moment would add the same trials
                connection.execute(text("LOCK TABLE trials IN SHARE ROW EXCLUSIVE MODE"))
            known = set(connection.scalars(select(tables.trials.c.trial_id)))
            rows = (
                {"sweep_id": sweep_id, "position": position, "state": "WAITING"} | _columns(trial)
                for position, trial in enumerate(trials)
                if trial.trial_id not in known
            )
            while part := list(itertools.islice(rows, ROWS_AT_ONCE)):
                connection.execute(insert(tables.trials), part)

    def finished(self, identities: Iterable[ScoreIdentity]) -> set[str]:
        """Trials that need no more work: scored under one of these identities, diverged, or failed."""
        with self._database.read() as connection:
            return _finished(connection, identities)

    def lease(
        self, sweep_id: int, trial_ids: Collection[str], title: str, identities: Iterable[ScoreIdentity]
    ) -> Lease:
        """Take the trials of a cohort that are neither finished nor held by a driver that lives; they run now.

        Args:
            identities: as in `finished`.
        """
        t, holders = tables.trials, tables.sweeps
        with self._database.write() as connection:
            now = self._database.now(connection)
            rows = connection.execute(
                select(t.c.trial_id, t.c.state, t.c.cohort_id.label("held_by"), holders.c.sweep_id, holders.c.heard_at)
                .outerjoin(tables.cohorts, tables.cohorts.c.cohort_id == t.c.cohort_id)
                .outerjoin(holders, holders.c.sweep_id == tables.cohorts.c.sweep_id)
                .where(t.c.trial_id.in_(trial_ids))
                .with_for_update(skip_locked=True, of=t)
            ).all()
            finished = _finished(connection, identities, trial_ids)
            taken = frozenset(
                row.trial_id
                for row in rows
                if row.trial_id not in finished
                and (row.state != "RUNNING" or row.sweep_id == sweep_id or _expired(row.heard_at, now))
            )
            cohort_id = _start(connection, sweep_id, taken, title, now) if taken else None
            _end_empty(connection, {row.held_by for row in rows if row.trial_id in taken} - {None})
        return Lease(cohort_id, taken, frozenset(trial_ids) - taken - finished)

    def beat(self, sweep_id: int, shares: Mapping[int, float]) -> None:
        """Give a sign of life, with how far the cohorts of this driver are, 0 to 1."""
        with self._database.write() as connection:
            now = self._database.now(connection)
            this = tables.sweeps.c.sweep_id == sweep_id
            connection.execute(update(tables.sweeps).where(this).values(heard_at=now))
            if shares:
                cohort = tables.cohorts.c.cohort_id == bindparam("number")
                connection.execute(
                    update(tables.cohorts).where(cohort).values(share=bindparam("done")),
                    [{"number": number, "done": share} for number, share in shares.items()],
                )

    def record(self, cohort_id: int, records: Sequence[Record], reference: Reference | None) -> None:
        """Keep how the trials of a cohort ended, all of them or none; doing it twice is doing it once.

        What the driver does not hold any more, because it was taken for dead, is left to the new holder.

        Args:
            reference: belongs to scored trials.
        """
        with self._database.write() as connection:
            now = self._database.now(connection)
            held = select(tables.trials.c.trial_id).where(tables.trials.c.cohort_id == cohort_id)
            if not self.is_file:
                held = held.with_for_update()
            own = set(connection.scalars(held))
            _put(connection, [record for record in records if record.trial_id in own], reference, now)
            _put_back(connection, [cohort_id], "LOST", now, "no record of it came back")

    def lost(self, cohort_id: int, error: str) -> None:
        """Put the trials of a cohort whose worker died back to what they were."""
        with self._database.write() as connection:
            _put_back(connection, [cohort_id], "LOST", self._database.now(connection), error)

    def release(self, sweep_id: int | None = None) -> None:
        """Put back the trials that a stopped driver left running: this one's, or all that nobody holds.

        One that was being scored anew goes back to the scores it has.
        """
        c = tables.cohorts.c
        with self._database.write() as connection:
            now = self._database.now(connection)
            query = select(c.cohort_id).join(tables.sweeps)
            if sweep_id is not None:
                query = query.where(c.sweep_id == sweep_id)
            elif not self.is_file:  # a file has one driver, the one that asks
                query = query.where(_silent(now))
            _put_back(connection, list(connection.scalars(query)), "INTERRUPTED", now)
            if self.is_file and sweep_id is None:
                _put_back(connection, [None], "INTERRUPTED", now)  # left by an older version

    def retry(self, reason: str | None = None) -> int:
        """Put failed trials back to waiting, all or those of one of `tables.REASONS`; returns how many."""
        t, a = tables.trials.c, tables.attempts.c
        chosen = t.state == "FAILED"
        if reason is not None:
            last = select(func.max(a.attempt_id)).group_by(a.trial_id)
            chosen &= t.trial_id.in_(select(a.trial_id).where(a.attempt_id.in_(last), a.reason == reason))
        with self._database.write() as connection:
            return connection.execute(update(tables.trials).where(chosen).values(state="WAITING")).rowcount

    def finish(self, sweep_id: int) -> None:
        """Note that a sweep has done all it was going to do."""
        with self._database.write() as connection:
            this = tables.sweeps.c.sweep_id == sweep_id
            connection.execute(update(tables.sweeps).where(this).values(finished_at=self._database.now(connection)))

    def counts(self, trial_ids: Collection[str] | None = None) -> dict[str, dict[str, int]]:
        """Trials by family and state, of these or of all."""
        table = tables.trials.c
        query = select(table.trial_id, table.family, table.state).order_by(table.family)
        counts: dict[str, dict[str, int]] = {}
        with self._database.read() as connection:
            for trial_id, family, state in connection.execute(query):
                if trial_ids is None or trial_id in trial_ids:
                    counts.setdefault(family, dict.fromkeys(tables.STATES, 0))[state] += 1
        return counts

    def results(self) -> "pd.DataFrame":
        """The view `results`: one row per trial."""
        frame = self.frame(text("SELECT * FROM results ORDER BY sweep_id, position"))
        times = {name: frame[name].astype("datetime64[us]") for name in ("started_at", "finished_at")}
        return frame.astype({"dropout_d": bool}).assign(**times)

    def sweeps(self) -> "pd.DataFrame":
        """What was run into this database: one row per execution."""
        return self.frame(select(tables.sweeps).order_by(tables.sweeps.c.sweep_id))

    def running(self) -> list[dict[str, Any]]:
        """Cohorts in flight: title, members, share, started_at, and their driver's host, pid and seconds of silence."""
        c, s = tables.cohorts.c, tables.sweeps.c
        query = (
            select(c.title, c.members, c.share, c.started_at, s.host, s.pid, s.heard_at)
            .join_from(tables.cohorts, tables.sweeps)
            .order_by(c.cohort_id)
        )
        with self._database.read() as connection:
            now = self._database.now(connection)
            rows = [dict(row) for row in connection.execute(query).mappings()]
        for row in rows:
            row["silent_s"] = max(0.0, (now - row.pop("heard_at")).total_seconds())
        return rows

    def outcomes(self) -> "pd.DataFrame":
        """Attempts that have ended, in their order: trial_id, outcome, reason, started_at, ended_at."""
        a = tables.attempts.c
        columns = (a.trial_id, a.outcome, a.reason, a.started_at, a.ended_at)
        return self.frame(select(*columns).where(a.outcome.is_not(None)).order_by(a.attempt_id))

    def now(self) -> datetime:
        """UTC by the clock that all drivers of this database share."""
        with self._database.read() as connection:
            return self._database.now(connection)

    def sheets(self, trial_ids: Sequence[str]) -> dict[str, bytes]:
        """Sample sheets (PNG) of these trials, as far as there are any."""
        table = tables.samples
        with self._database.read() as connection:
            return {r.trial_id: r.png for r in connection.execute(select(table).where(table.c.trial_id.in_(trial_ids)))}

    def frame(self, query: Executable) -> "pd.DataFrame":
        """The rows of a query."""
        import pandas as pd  # a second of loading that planning does without

        with self._database.read() as connection:
            rows = connection.execute(query)
            return pd.DataFrame.from_records(rows.all(), columns=list(rows.keys()), coerce_float=True)


def load_results(url: str) -> "pd.DataFrame":
    """One row per trial of the database at `url`, as the view `results` gives it."""
    storage = Storage(url)
    try:
        return storage.results()
    finally:
        storage.close()


_TRAINING = [field.name for field in fields(Training)]


def _columns(trial: Trial) -> dict[str, Any]:
    values = {axis: getattr(trial, axis) for axis in AXES}
    own = {"trial_id": trial.trial_id, "space": trial.space, "family": trial.family}
    training = {name: getattr(trial.training, name) for name in _TRAINING}  # asdict is slow
    return own | values | training


def _finished(
    connection: Connection, identities: Iterable[ScoreIdentity], among: Collection[str] | None = None
) -> set[str]:
    trials, scores, known = tables.trials, tables.scores, tables.identities
    wanted = {tuple(asdict(identity).values()) for identity in identities}
    rows = connection.execute(select(known))
    same = [r.identity_id for r in rows if (r.formula, r.classifier, r.n_samples, r.z_seed) in wanted]
    scored = (
        select(trials.c.trial_id)
        .join(scores)
        .where(trials.c.state == "COMPLETE", scores.c.step == trials.c.steps, scores.c.identity_id.in_(same))
    )
    ended = select(trials.c.trial_id).where(trials.c.state.in_(("DIVERGED", "FAILED")))
    found: set[str] = set()
    for query in (scored, ended):
        found |= set(connection.scalars(query if among is None else query.where(trials.c.trial_id.in_(among))))
    return found


def _expired(heard_at: datetime | None, now: datetime) -> bool:
    return heard_at is None or heard_at < now - timedelta(seconds=LEASE_S)


def _silent(now: datetime) -> ColumnElement[bool]:
    heard_at = tables.sweeps.c.heard_at
    return or_(heard_at.is_(None), heard_at < now - timedelta(seconds=LEASE_S))


def _start(connection: Connection, sweep_id: int, trial_ids: Collection[str], title: str, now: datetime) -> int:
    """Mark trials as running in a new cohort; each gets an attempt."""
    _close_attempts(connection, trial_ids, "LOST", now, "its driver died")
    cohort = {"sweep_id": sweep_id, "title": title, "members": len(trial_ids), "share": 0.0, "started_at": now}
    result = connection.execute(insert(tables.cohorts).values(**cohort))
    cohort_id = int(result.inserted_primary_key[0])  # type: ignore[index]
    connection.execute(
        update(tables.trials)
        .where(tables.trials.c.trial_id.in_(trial_ids))
        .values(state="RUNNING", attempts=tables.trials.c.attempts + 1, started_at=now, cohort_id=cohort_id)
    )
    connection.execute(
        insert(tables.attempts), [{"trial_id": t, "started_at": now, "sweep_id": sweep_id} for t in trial_ids]
    )
    return cohort_id


def _put(connection: Connection, records: Sequence[Record], reference: Reference | None, now: datetime) -> None:
    """Write records: states, attempts, scores and sheets, each kind in one go."""
    if not records:
        return
    known = tables.trials.c.trial_id == bindparam("known")
    connection.execute(
        update(tables.trials).where(known),
        [
            {
                "known": record.trial_id,
                "state": record.state,
                "finished_at": now,
                "duration_s": record.duration_s,
                "device": record.device,
                "cohort_id": None,
            }
            for record in records
        ],
    )
    attempt = tables.attempts.c
    connection.execute(
        update(tables.attempts).where(attempt.trial_id == bindparam("known"), attempt.outcome.is_(None)),
        [
            {
                "known": record.trial_id,
                "outcome": record.state,
                "ended_at": now,
                "error": record.error,
                "reason": record.reason,
            }
            for record in records
        ],
    )
    numbers: dict[ScoreIdentity, int] = {}
    scores = []
    for record in records:
        if record.scores is None or record.identity is None or reference is None:
            continue
        if record.identity not in numbers:
            numbers[record.identity] = _identity_id(connection, record.identity, reference)
        values = {name: value if math.isfinite(value) else None for name, value in record.scores.items()}
        scores.append(
            {"trial_id": record.trial_id, "step": record.step, "identity_id": numbers[record.identity]} | values
        )
    _replace(connection, tables.scores, ("trial_id", "step", "identity_id"), scores)
    sheets = [{"trial_id": record.trial_id, "png": record.sheet} for record in records if record.sheet is not None]
    _replace(connection, tables.samples, ("trial_id",), sheets)


def _replace(connection: Connection, table: Any, key: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        same = [table.c[name] == bindparam(f"old_{name}") for name in key]
        connection.execute(delete(table).where(*same), [{f"old_{name}": row[name] for name in key} for row in rows])
        connection.execute(insert(table), list(rows))


def _put_back(
    connection: Connection, cohort_ids: Sequence[int | None], outcome: str, now: datetime, error: str | None = None
) -> None:
    """Trials that run in these cohorts go back to what they were; None stands for those in no cohort."""
    t = tables.trials
    for cohort_id in cohort_ids:
        held = (t.c.cohort_id.is_(None) & (t.c.state == "RUNNING")) if cohort_id is None else t.c.cohort_id == cohort_id
        _close_attempts(connection, select(t.c.trial_id).where(held), outcome, now, error)
        scored = exists_row().where(tables.scores.c.trial_id == t.c.trial_id, tables.scores.c.step == t.c.steps)
        before = case((scored, "COMPLETE"), else_="WAITING")
        connection.execute(update(t).where(held).values(state=before, cohort_id=None))
        if cohort_id is not None:
            _end(connection, cohort_id)


def _end(connection: Connection, cohort_id: int) -> None:
    connection.execute(delete(tables.cohorts).where(tables.cohorts.c.cohort_id == cohort_id))


def _end_empty(connection: Connection, cohort_ids: Collection[int]) -> None:
    """End cohorts that hold no trial any more."""
    c = tables.cohorts.c
    holds = exists_row().where(tables.trials.c.cohort_id == c.cohort_id)
    if cohort_ids:
        connection.execute(delete(tables.cohorts).where(c.cohort_id.in_(cohort_ids), ~holds))


def _close_attempts(
    connection: Connection,
    trial_ids: Collection[str] | Select[tuple[str]],
    outcome: str,
    now: datetime,
    error: str | None = None,
) -> None:
    table = tables.attempts
    running = table.c.trial_id.in_(trial_ids) & table.c.outcome.is_(None)
    connection.execute(update(table).where(running).values(outcome=outcome, ended_at=now, error=error))


def _identity_id(connection: Connection, identity: ScoreIdentity, reference: Reference) -> int:
    table = tables.identities
    values = asdict(identity)
    same = select(table.c.identity_id).where(*(table.c[name] == value for name, value in values.items()))
    found = connection.scalar(same)
    if found is not None:
        return int(found)
    result = connection.execute(insert(table).values(**values, **asdict(reference)))
    return int(result.inserted_primary_key[0])  # type: ignore[index]
