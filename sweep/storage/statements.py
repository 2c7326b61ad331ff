"""What the storage says to the database: statements, to be made within a transaction of the caller."""

import math
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    bindparam,
    case,
    delete,
    exists,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from metrics.identity import Reference, ScoreIdentity
from sweep.records import Record
from sweep.storage import tables

DRIVER_DIED = "its driver died"
LEASE_S = 60.0  # without a sign of life, after which a driver counts as dead


def finished(connection: Connection, identity: ScoreIdentity, among: Collection[str] | None = None) -> set[str]:
    """Trials that need no more work, of these or of all: scored under this identity, diverged, or failed."""
    trials, scores, known = tables.trials, tables.scores, tables.identities
    same = select(known.c.identity_id).where(*(known.c[name] == value for name, value in asdict(identity).items()))
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


def silent(now: datetime) -> ColumnElement[bool]:
    """Whether the driver of a row of `sweeps` counts as dead.

    A sign of life from the future is none: the clock was wrong then, and a driver that lives gives another one soon.
    """
    heartbeat, lease = tables.sweeps.c.last_heartbeat, timedelta(seconds=LEASE_S)
    return or_(heartbeat.is_(None), heartbeat < now - lease, heartbeat > now + lease)


def alive(connection: Connection, cohort_ids: Collection[int], but: int, now: datetime) -> set[int]:
    """Which of these cohorts a driver holds that lives, the one with the number `but` left out."""
    c = tables.cohorts.c
    query = select(c.cohort_id).join(tables.sweeps).where(c.cohort_id.in_(cohort_ids), c.sweep_id != but, ~silent(now))
    return set(connection.scalars(query)) if cohort_ids else set()


def start(connection: Connection, sweep_id: int, trial_ids: Collection[str], title: str, now: datetime) -> int:
    """Mark trials as running in a new cohort; each gets an attempt."""
    _close_attempts(connection, trial_ids, "LOST", now, DRIVER_DIED, died=True)
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


def put(connection: Connection, records: Sequence[Record], reference: Reference | None, now: datetime) -> None:
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
        by_step = dict(record.intermediate)
        if record.scores is not None:
            by_step[record.step] = record.scores
        if not by_step or record.identity is None:
            continue
        if record.identity not in numbers:
            numbers[record.identity] = _identity_id(connection, record.identity, reference)
        own = {"trial_id": record.trial_id, "identity_id": numbers[record.identity]}
        for step, found in by_step.items():
            values = {name: value if math.isfinite(value) else None for name, value in found.items()}
            scores.append({"step": step} | own | values)
    _replace(connection, tables.scores, ("trial_id", "step", "identity_id"), scores)
    sheets = [
        {"trial_id": record.trial_id, "step": record.step, "kind": tables.GENERATED, "png": record.sheet}
        for record in records
        if record.sheet is not None
    ]
    _replace(connection, tables.samples, ("trial_id", "step", "kind"), sheets)


def _replace(connection: Connection, table: Any, key: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        same = [table.c[name] == bindparam(f"old_{name}") for name in key]
        connection.execute(delete(table).where(*same), [{f"old_{name}": row[name] for name in key} for row in rows])
        connection.execute(insert(table), list(rows))


def _last_heartbeat(table: Table, now: datetime) -> ColumnElement[datetime]:
    """Until when the driver of an attempt or a cohort may have worked: its last heartbeat, not before the start."""
    own, s = table.c, tables.sweeps.c
    heartbeat = select(s.last_heartbeat).where(s.sweep_id == own.sweep_id).scalar_subquery()
    return case((heartbeat.is_(None), now), (heartbeat < own.started_at, own.started_at), else_=heartbeat)


def put_back(
    connection: Connection,
    cohort_ids: Sequence[int | None],
    outcome: str,
    now: datetime,
    error: str | None = None,
    died: bool = False,
) -> None:
    """Trials that run in these cohorts go back to what they were; None stands for those in no cohort.

    Args:
        died: their driver died, so that they ended with its last heartbeat, and not now.
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
            end(connection, cohort_id, _last_heartbeat(tables.cohorts, now) if died else now)


def end(connection: Connection, cohort_id: int, now: datetime | ColumnElement[datetime]) -> None:
    """A cohort is in flight no more."""
    c = tables.cohorts.c
    this = (c.cohort_id == cohort_id) & c.ended_at.is_(None)
    connection.execute(update(tables.cohorts).where(this).values(ended_at=now))


def end_empty(connection: Connection, cohort_ids: Collection[int], now: datetime) -> None:
    """End cohorts that hold no trial any more."""
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
    table = tables.attempts
    running = table.c.trial_id.in_(trial_ids) & table.c.outcome.is_(None)
    ended_at = _last_heartbeat(table, now) if died else now
    connection.execute(update(table).where(running).values(outcome=outcome, ended_at=ended_at, error=error))


def _identity_id(connection: Connection, identity: ScoreIdentity, reference: Reference | None) -> int:
    table = tables.identities
    values = asdict(identity)
    same = select(table.c.identity_id).where(*(table.c[name] == value for name, value in values.items()))
    found = connection.scalar(same)
    if found is not None:
        return int(found)
    try:
        with connection.begin_nested():
            result = connection.execute(insert(table).values(**values, **(asdict(reference) if reference else {})))
    except IntegrityError:  # another driver has just written its first scores
        return int(connection.scalars(same).one())
    return int(result.inserted_primary_key[0])  # type: ignore[index]
