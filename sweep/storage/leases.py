"""Who runs what: drivers lease trials as cohorts, give signs of life, and return what they hold.

A trial has one holder. A driver without a heartbeat for `LEASE_S` counts as dead, and the next driver that asks gets
what it held. The public functions are the methods of `Storage` of the same names, which describe them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Select, Table, bindparam, case, exists, insert, or_, select, update

from metrics.identity import ScoreIdentity
from sweep.records import Record
from sweep.storage import reading, results, tables
from sweep.storage.engine import Database

if TYPE_CHECKING:
    import pandas as pd

LEASE_S = 60.0  # seconds without a heartbeat after which a driver counts as dead
_DRIVER_DIED = "its driver died"


@dataclass(frozen=True)
class Lease:
    """What a driver gets when it asks for the trials of a cohort. Trials in neither set are finished.

    Attributes:
        cohort_id: number of the cohort of the trials that it has taken; None if it has taken none.
        taken: identities of the trials that it holds now.
        busy: identities of the trials that another driver holds.
    """

    cohort_id: int | None
    taken: frozenset[str]
    busy: frozenset[str]


def lease(database: Database, sweep_id: int, trial_ids: Collection[str], title: str, identity: ScoreIdentity) -> Lease:
    t = tables.trials.c
    with database.write(brief=True) as connection:
        now = database.now(connection)
        asked = select(t.trial_id, t.state, t.cohort_id).where(t.trial_id.in_(trial_ids))
        rows = connection.execute(asked.with_for_update(skip_locked=True)).all()
        # A statement after the locks sees the cohorts of all the locked rows. In a join with them, a row that was
        # leased while the statement ran would come with the cohorts and holders of before that lease.
        alive = _held_by_living_drivers(connection, {row.cohort_id for row in rows} - {None}, sweep_id, now)
        ended = {row.trial_id for row in rows if row.state not in ("WAITING", "RUNNING")}
        rest = select(t.trial_id).where(t.trial_id.in_(set(trial_ids) - {row.trial_id for row in rows}))
        unseen = set(connection.scalars(rest))  # another driver has locked them
        finished = results.finished(connection, identity, ended | unseen) if ended | unseen else set()
        own = [row for row in rows if row.trial_id not in finished and row.cohort_id not in alive]
        if unseen - finished:  # two drivers that ask at the same time would cut the cohort into pieces
            own = []
        taken = frozenset(row.trial_id for row in own)
        cohort_id = _start_cohort(connection, sweep_id, taken, title, now) if taken else None
        _end_empty_cohorts(connection, {row.cohort_id for row in own} - {None}, now)
    return Lease(cohort_id, taken, frozenset(trial_ids) - taken - finished)


def heartbeat(database: Database, sweep_id: int, progress: Mapping[int, float]) -> None:
    with database.write(brief=True) as connection:
        now = database.now(connection)
        this = tables.sweeps.c.sweep_id == sweep_id
        connection.execute(update(tables.sweeps).where(this).values(last_heartbeat=now))
        if progress:
            cohort = tables.cohorts.c.cohort_id == bindparam("number")
            connection.execute(
                update(tables.cohorts).where(cohort).values(progress=bindparam("done")),
                [{"number": number, "done": done} for number, done in progress.items()],
            )


def record(database: Database, cohort_id: int, records: Sequence[Record]) -> int:
    with database.write(brief=True) as connection:
        now = database.now(connection)
        held = select(tables.trials.c.trial_id).where(tables.trials.c.cohort_id == cohort_id)
        own = set(connection.scalars(held.with_for_update()))
        records = [record for record in records if record.trial_id in own]
        results.write(connection, records, now)
        if len(records) < len(own):
            _requeue(connection, [cohort_id], "LOST", now, "no record of it came back")
        _end_cohort(connection, cohort_id, now)
    return len(records)


def lost(database: Database, cohort_id: int, error: str) -> None:
    with database.write(brief=True) as connection:
        _requeue(connection, [cohort_id], "LOST", database.now(connection), error)


def release(database: Database, sweep_id: int | None, outcome: str, error: str | None) -> None:
    c = tables.cohorts.c
    with database.write(brief=sweep_id is not None) as connection:
        now = database.now(connection)
        query = select(c.cohort_id).join(tables.sweeps).where(c.ended_at.is_(None))
        if sweep_id is not None:
            found = list(connection.scalars(query.where(c.sweep_id == sweep_id)))
            _requeue(connection, found, outcome, now, error)
            return
        if not database.is_file:  # a file has one driver, the one that asks
            query = query.where(_lease_expired(now))
        dead: list[int | None] = list(connection.scalars(query))
        if database.is_file:
            dead.append(None)  # left by an older version
        _requeue(connection, dead, "LOST", now, _DRIVER_DIED, died=True)


def running(database: Database) -> list[dict[str, Any]]:
    c, s = tables.cohorts.c, tables.sweeps.c
    rows = reading.records(
        database,
        select(c.title, c.members, c.progress, c.started_at, s.host, s.pid, s.last_heartbeat)
        .join_from(tables.cohorts, tables.sweeps)
        .where(c.ended_at.is_(None))
        .order_by(c.cohort_id),
    )
    with database.read() as connection:
        now = database.now(connection)
    for row in rows:
        row["share"] = row.pop("progress")
        heartbeat = row.pop("last_heartbeat")
        row["silent_s"] = max(0.0, (now - (heartbeat or row["started_at"])).total_seconds())
    return rows


def in_flight(database: Database) -> "pd.DataFrame":
    t, c = tables.trials.c, tables.cohorts.c
    query = select(t.trial_id, c.progress, c.started_at).join_from(
        tables.trials, tables.cohorts, t.cohort_id == c.cohort_id
    )
    return reading.frame(database, query.where(c.ended_at.is_(None)))


def outcomes(database: Database) -> "pd.DataFrame":
    a = tables.attempts.c
    columns = (a.trial_id, a.cohort_id, a.outcome, a.reason, a.started_at, a.ended_at)
    return reading.frame(database, select(*columns).where(a.outcome.is_not(None)).order_by(a.attempt_id))


def _lease_expired(now: datetime) -> ColumnElement[bool]:
    """Whether the driver of a row of `sweeps` counts as dead.

    A heartbeat from the future does not count: the clock was wrong, and a living driver soon sends another heartbeat.
    """
    heartbeat, lease = tables.sweeps.c.last_heartbeat, timedelta(seconds=LEASE_S)
    return or_(heartbeat.is_(None), heartbeat < now - lease, heartbeat > now + lease)


def _held_by_living_drivers(connection: Connection, cohort_ids: Collection[int], but: int, now: datetime) -> set[int]:
    """Those of these cohorts that living drivers hold, not counting the driver of the sweep `but`."""
    c = tables.cohorts.c
    query = (
        select(c.cohort_id)
        .join(tables.sweeps)
        .where(c.cohort_id.in_(cohort_ids), c.sweep_id != but, ~_lease_expired(now))
    )
    return set(connection.scalars(query)) if cohort_ids else set()


def _start_cohort(connection: Connection, sweep_id: int, trial_ids: Collection[str], title: str, now: datetime) -> int:
    """Mark trials as running in a new cohort, and begin an attempt of each."""
    _close_attempts(connection, trial_ids, "LOST", now, _DRIVER_DIED, died=True)
    cohort = {"sweep_id": sweep_id, "title": title, "members": len(trial_ids), "progress": 0.0, "started_at": now}
    result = connection.execute(insert(tables.cohorts).values(**cohort))
    cohort_id = int(result.inserted_primary_key[0])  # type: ignore[index]
    connection.execute(
        update(tables.trials)
        .where(tables.trials.c.trial_id.in_(trial_ids))
        .values(state="RUNNING", attempts=tables.trials.c.attempts + 1, started_at=now, cohort_id=cohort_id)
    )
    connection.execute(
        insert(tables.attempts),
        [{"trial_id": t, "started_at": now, "sweep_id": sweep_id, "cohort_id": cohort_id} for t in trial_ids],
    )
    return cohort_id


def _last_heartbeat(table: Table, now: datetime) -> ColumnElement[datetime]:
    """When the driver of an attempt or a cohort was last known to live: its last heartbeat, or the start if later."""
    own, s = table.c, tables.sweeps.c
    heartbeat = select(s.last_heartbeat).where(s.sweep_id == own.sweep_id).scalar_subquery()
    return case((heartbeat.is_(None), now), (heartbeat < own.started_at, own.started_at), else_=heartbeat)


def _requeue(
    connection: Connection,
    cohort_ids: Sequence[int | None],
    outcome: str,
    now: datetime,
    error: str | None = None,
    died: bool = False,
) -> None:
    """Give back the trials of these cohorts: those with scores are COMPLETE again, the others WAITING.

    Args:
        cohort_ids: None stands for running trials that belong to no cohort.
        died: whether their driver died. Their attempts then ended with its last heartbeat, and not now.
    """
    t = tables.trials
    for cohort_id in cohort_ids:
        held = (t.c.cohort_id.is_(None) & (t.c.state == "RUNNING")) if cohort_id is None else t.c.cohort_id == cohort_id
        # Trials are locked before their attempts, as everywhere: in another order two drivers could deadlock.
        own = select(t.c.trial_id).where(held)
        connection.execute(own.with_for_update()).close()
        _close_attempts(connection, own, outcome, now, error, died)
        scored = exists().where(tables.scores.c.trial_id == t.c.trial_id, tables.scores.c.step == t.c.steps)
        before = case((scored, "COMPLETE"), else_="WAITING")
        connection.execute(update(t).where(held).values(state=before, cohort_id=None))
        if cohort_id is not None:
            _end_cohort(connection, cohort_id, _last_heartbeat(tables.cohorts, now) if died else now)


def _end_cohort(connection: Connection, cohort_id: int, now: datetime | ColumnElement[datetime]) -> None:
    """Mark a cohort as ended, unless it is marked already."""
    c = tables.cohorts.c
    this = (c.cohort_id == cohort_id) & c.ended_at.is_(None)
    connection.execute(update(tables.cohorts).where(this).values(ended_at=now))


def _end_empty_cohorts(connection: Connection, cohort_ids: Collection[int], now: datetime) -> None:
    """Mark those of these cohorts as ended that hold no trials any more."""
    c = tables.cohorts.c
    holds = exists().where(tables.trials.c.cohort_id == c.cohort_id)
    if cohort_ids:
        empty = c.cohort_id.in_(cohort_ids) & ~holds & c.ended_at.is_(None)
        connection.execute(update(tables.cohorts).where(empty).values(ended_at=now))


def _close_attempts(
    connection: Connection,
    trial_ids: Collection[str] | Select[tuple[str]],
    outcome: str,
    now: datetime,
    error: str | None = None,
    died: bool = False,
) -> None:
    """End the attempts of trials that are still running."""
    table = tables.attempts
    running = table.c.trial_id.in_(trial_ids) & table.c.outcome.is_(None)
    ended_at = _last_heartbeat(table, now) if died else now
    connection.execute(update(table).where(running).values(outcome=outcome, ended_at=ended_at, error=error))
