"""Sweeps, the trials that they declare, and how many of them are in which state.

The functions are the methods of `Storage` of the same names, which describe them.
"""

import itertools
import os
import platform
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Integer, func, insert, select, text, update

from search_spaces.trial import Trial
from sweep.storage import reading, tables, values
from sweep.storage.engine import Database

if TYPE_CHECKING:
    import pandas as pd

ROWS_AT_ONCE = 10_000  # a row waiting to be inserted takes 2 kB, so a million of them would take 2 GB


def declare(
    database: Database, name: str, spaces: Mapping[str, Any], settings: Mapping[str, Any], code_version: str
) -> int:
    values = {"name": name, "spaces": spaces, "settings": settings, "code_version": code_version}
    with database.write() as connection:
        now = database.now(connection)
        own = {"started_at": now, "last_heartbeat": now, "host": platform.node(), "pid": os.getpid()}
        result = connection.execute(insert(tables.sweeps).values(**own, **values))
        return int(result.inserted_primary_key[0])  # type: ignore[index]


def declared(database: Database) -> list[tuple[Any, Any]]:
    s = tables.sweeps.c
    rows = reading.records(database, select(s.spaces, s.settings).order_by(s.sweep_id))
    return [(row["spaces"], row["settings"]) for row in rows]


def add_trials(database: Database, sweep_id: int, trials: Iterable[Trial]) -> None:
    with database.write() as connection:
        if not database.is_file:  # drivers that start at one moment would add the same trials
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


def retry(database: Database, reason: str | None) -> int:
    t, a = tables.trials.c, tables.attempts.c
    chosen = t.state == "FAILED"
    if reason is not None:
        last = select(func.max(a.attempt_id)).group_by(a.trial_id)
        chosen &= t.trial_id.in_(select(a.trial_id).where(a.attempt_id.in_(last), a.reason == reason))
    with database.write() as connection:
        return connection.execute(update(tables.trials).where(chosen).values(state="WAITING")).rowcount


def finish(database: Database, sweep_id: int, state: str, note: str | None, complete: bool) -> None:
    with database.write(brief=True) as connection:
        values: dict[str, Any] = {"state": state, "note": note}
        if complete:
            values["finished_at"] = database.now(connection)
        connection.execute(update(tables.sweeps).where(tables.sweeps.c.sweep_id == sweep_id).values(**values))


def sweeps(database: Database) -> "pd.DataFrame":
    return reading.frame(database, select(tables.sweeps).order_by(tables.sweeps.c.sweep_id))


def spaces(database: Database) -> set[str]:
    return {row["space"] for row in reading.records(database, select(tables.declared.c.space).distinct())}


def counts(database: Database, trial_ids: Collection[str] | None) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for family, state, n in sorted(_counted(database) if trial_ids is None else _counted_among(database, trial_ids)):
        counts.setdefault(family, dict.fromkeys(tables.GRID_STATES, 0))[state] = n
    return counts


def _counted(database: Database) -> list[tuple[str, str, int]]:
    """How many trials there are of each family and state: (family, state, number)."""
    t, n = tables.trials.c, Column("n", Integer)
    query = select(t.family, t.state, func.count().label(n.name)).where(t.state.in_(tables.STATES))
    # A file of a stranger may hold rows without a trial's identity; a server keeps to the type of a column.
    if database.is_file:
        query = query.where(func.typeof(t.trial_id) == "text", func.length(t.trial_id) <= tables.ID_LENGTH)
    found = reading.rows(database, query.group_by(t.family, t.state))
    return [tuple(row.values()) for row in values.records(found, (t.family, t.state, n))]


def _counted_among(database: Database, trial_ids: Collection[str]) -> list[tuple[str, str, int]]:
    """The same for some trials. They may be more than a statement takes, so they are picked out here."""
    t = tables.trials.c
    found = reading.frame(database, select(t.trial_id, t.family, t.state).where(t.state.in_(tables.STATES)))
    own = found[found["trial_id"].isin(trial_ids)]
    return [(family, state, n) for (family, state), n in Counter(zip(own["family"], own["state"], strict=True)).items()]


def n_rows(database: Database) -> int:
    with database.read() as connection:
        return int(connection.scalar(select(func.count()).select_from(tables.trials)) or 0)
