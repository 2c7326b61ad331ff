"""What came out: records of trials become rows, and rows become results.

Functions that take a database are the methods of `Storage` of the same names, which describe them.
"""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import repeat
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from metrics.identity import ScoreIdentity
from search_spaces.experiment import experiments
from sweep.records import Record
from sweep.storage import reading, tables
from sweep.storage.engine import Database

if TYPE_CHECKING:
    import pandas as pd

TIMED = 2_000  # trials whose times are asked for


def finished(connection: Connection, identity: ScoreIdentity, among: Collection[str] | None = None) -> set[str]:
    """Identities of trials that need no more work, all or those among some: see `Storage.finished`."""
    trials, scores, known = tables.trials, tables.scores, tables.identities
    same = select(known.c.identity_id).where(*(known.c[name] == value for name, value in identity.columns.items()))
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


def write(connection: Connection, records: Sequence[Record], now: datetime) -> None:
    """Write records: all their states, then all their attempts, scores and sheets."""
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
    scores: list[dict[str, Any]] = []
    for record in records:
        for identity, by_step in record.scores.items():
            if identity not in numbers:
                numbers[identity] = _identity_id(connection, identity)
            own = {"trial_id": record.trial_id, "identity_id": numbers[identity]}
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
    """Insert rows in place of those that have the same key; a column that a row lacks is NULL."""
    if rows:
        same = [table.c[name] == bindparam(f"old_{name}") for name in key]
        connection.execute(delete(table).where(*same), [{f"old_{name}": row[name] for name in key} for row in rows])
        whole = dict.fromkeys(name for row in rows for name in row)
        connection.execute(insert(table), [whole | row for row in rows])


def results(database: Database) -> "pd.DataFrame":
    r = tables.results.c
    query = select(tables.results).where(r.state.in_(tables.STATES)).order_by(r.sweep_id, r.position)
    return reading.frame(database, query, _has_its_settings)


def results_by_space(database: Database) -> "pd.DataFrame":
    r, d = tables.results.c, tables.declared.c
    columns = [{"space": d.space, "sweep_id": d.sweep_id, "position": d.position}.get(c.name, c) for c in r]
    query = select(*columns).join_from(tables.results, tables.declared, r.trial_id == d.trial_id)
    query = query.where(r.state.in_(tables.STATES)).order_by(d.sweep_id, d.position)
    return reading.frame(database, query, _has_its_settings)


def result(database: Database, trial_id: str) -> dict[str, Any] | None:
    rows = reading.records(database, select(tables.results).where(tables.results.c.trial_id == trial_id))
    return next((row for row in rows if all(row[name] is not None for name in _needed(row["experiment"]))), None)


def ran_with(database: Database, trial_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    a, s, r = tables.attempts.c, tables.sweeps.c, tables.results.c
    last = (
        select(a.sweep_id, a.cohort_id)
        .where(a.cohort_id.is_not(None), a.trial_id == trial_id, a.outcome.in_(("COMPLETE", "DIVERGED")))
        .order_by(a.attempt_id.desc())
    )
    found = reading.records(database, last.limit(1))
    if not found:
        return {}, []
    together = select(a.trial_id).where(a.cohort_id == found[0]["cohort_id"])
    rows = reading.records(database, select(tables.results).where(r.trial_id.in_(together)).order_by(r.position))
    settings = reading.records(database, select(s.settings).where(s.sweep_id == found[0]["sweep_id"]))
    return settings[0]["settings"] if settings else {}, rows


def last_error(database: Database) -> str | None:
    a = tables.attempts.c
    query = select(a.error).where(a.outcome == "FAILED", a.error.is_not(None)).order_by(a.attempt_id.desc()).limit(1)
    rows = reading.records(database, query)
    return str(rows[0]["error"]) if rows else None


def timed(database: Database, device: str) -> list[dict[str, Any]]:
    t = tables.trials.c
    kinds = experiments().values()
    settings = dict.fromkeys(name for kind in kinds for name in (*kind.shape_axes, *kind.training_columns))
    query = select(t.trial_id, t.experiment, t.family, *(t[name] for name in settings), t.duration_s)
    ended = t.state.in_(("COMPLETE", "DIVERGED")) & (t.device == device) & (t.duration_s > 0)
    last = query.where(ended).order_by(t.finished_at.desc()).limit(TIMED)
    rows = [row for row in reading.records(database, last) if row["duration_s"]]
    s, known = tables.scores.c, tables.identities.c
    scored = select(s.trial_id, s.step, known.n_samples).join_from(tables.scores, tables.identities)
    n_scored, n_samples = Counter[str](), dict[str, int]()
    for row in reading.records(database, scored.where(s.trial_id.in_([row["trial_id"] for row in rows])).distinct()):
        n_scored[row["trial_id"]] += 1
        n_samples[row["trial_id"]] = row["n_samples"]
    return [
        row | {"n_scored": n_scored[row["trial_id"]], "n_samples": n_samples[row["trial_id"]]}
        for row in rows
        if n_samples.get(row["trial_id"])
    ]


def steps(database: Database) -> "pd.DataFrame":
    import numpy as np
    import pandas as pd  # takes a second to load; other commands do not need it

    s, t = tables.scores.c, tables.trials.c
    ranking = {name: kind.scores[0].name for name, kind in experiments().items()}
    names = sorted(set(ranking.values()))
    # In the database, a join would take five times as long as reading the scores: it looks up a trial for each.
    experiment = reading.frame(database, select(t.trial_id, t.experiment)).drop_duplicates("trial_id")
    code = dict(zip(experiment["trial_id"], range(len(experiment)), strict=True))
    place = experiment["experiment"].map({name: names.index(score) for name, score in ranking.items()})
    own = place.fillna(len(names)).to_numpy(int)  # the column of each trial's score; the last one is empty
    parts = []
    for rows in reading.frames(database, select(s.trial_id, s.step, s.identity_id, *(s[name] for name in names))):
        rows["trial"] = np.fromiter(map(code.get, rows["trial_id"].to_numpy(), repeat(-1)), dtype=int)
        rows = rows[rows["trial"] >= 0]
        scores = rows[names].assign(none=np.nan).to_numpy(float)
        score = np.take_along_axis(scores, own[rows["trial"]][:, None], axis=1)[:, 0]
        parts.append(rows[["trial", "step", "identity_id"]].assign(score=score))
    found = pd.concat(parts, ignore_index=True)
    trial = pd.Categorical.from_codes(found.pop("trial").to_numpy(), pd.Index(list(code)))
    found.insert(0, "trial_id", pd.Series(trial))
    return found


def identities(database: Database) -> "pd.DataFrame":
    table = tables.identities
    return reading.frame(database, select(table).order_by(table.c.rank, table.c.identity_id))


def sheets(database: Database, trial_ids: Sequence[str]) -> dict[str, bytes]:
    s = tables.samples.c
    query = select(s.trial_id, s.png).where(s.trial_id.in_(trial_ids), s.kind == tables.GENERATED).order_by(s.step)
    return {row["trial_id"]: row["png"] for row in reading.records(database, query)}  # the last one of each trial


def _needed(name: str) -> list[str]:
    """Columns that every trial of an experiment has, whatever its family; none if the experiment is unknown."""
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


def _identity_id(connection: Connection, identity: ScoreIdentity) -> int:
    """Number of a score identity, which is added if the database lacks it."""
    table = tables.identities
    same = select(table.c.identity_id).where(*(table.c[name] == value for name, value in identity.columns.items()))
    found = connection.scalar(same)
    if found is not None:
        return int(found)
    try:
        with connection.begin_nested():
            result = connection.execute(insert(table).values(**identity.columns, **asdict(identity.reference)))
    except IntegrityError:  # another driver has just added it
        return int(connection.scalars(same).one())
    return int(result.inserted_primary_key[0])  # type: ignore[index]
