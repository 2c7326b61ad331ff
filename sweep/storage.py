"""The results database: what is declared, what ran, what came out. The driver is its only writer."""

import fcntl
import itertools
import math
import os
import platform
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sqlalchemy import (
    Connection,
    Engine,
    Executable,
    Select,
    case,
    create_engine,
    delete,
    event,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy import exists as exists_row
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from metrics.identity import ScoreIdentity
from search_spaces.trial import AXES, Training, Trial
from sweep import tables
from sweep.records import Record

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_URL = "sqlite:///runs/mnist/results.db"
BUSY_TIMEOUT_S = 30
CACHE_KIB = 64_000  # identities are random, so each row that is added or looked up is on another page
ROWS_AT_ONCE = 10_000  # a row waiting to be inserted takes 2 kB, so a million of them would take 2 GB


class StorageError(Exception):
    """A database that can't be used; the message is one line that names it."""


@dataclass(frozen=True)
class Reference:
    """What real images score under an identity, kept beside it."""

    real_score: float
    real_inception_score: float
    classifier_accuracy: float


class Storage:
    """One results database.

    Args:
        url: SQLAlchemy URL, such as sqlite:///runs/mnist/results.db.
        create: whether a missing database is made; otherwise it is an error.

    Raises:
        StorageError: the database can't be reached, is not one of ours, or was written by another version.
    """

    def __init__(self, url: str, create: bool = False) -> None:
        self.url = _parse(url)
        self._lock: IO[str] | None = None
        self._name = self.url.set(query={}).render_as_string(hide_password=True)  # a query may hold a password too
        try:
            self._reader = _engine(self.url)
        except ImportError as error:
            raise StorageError(f"{self._name}: needs the Python package {error.name}") from None
        if self.url.get_backend_name() == "sqlite":
            self._prepare_file(create)
        self._writer = self._reader.execution_options(writes=True)
        try:
            with self._clear_errors():
                self._check_version(create)
        except StorageError:
            self.close()
            raise

    def close(self) -> None:
        self._reader.dispose()
        if self._lock:
            self._lock.close()

    def declare(self, name: str, spaces: Mapping[str, Any], settings: Mapping[str, Any], code_version: str) -> int:
        """Register a sweep and give back its number."""
        values = {"name": name, "spaces": spaces, "settings": settings, "code_version": code_version}
        with self._clear_errors(), self._writer.begin() as connection:
            result = connection.execute(insert(tables.sweeps).values(started_at=_now(), **values))
            return int(result.inserted_primary_key[0])  # type: ignore[index]

    def add_trials(self, sweep_id: int, trials: Iterable[Trial]) -> None:
        """Make sure that every trial is there, with its place in this order; those already known are left alone."""
        with self._clear_errors(), self._writer.begin() as connection:
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
        trials, scores, known = tables.trials, tables.scores, tables.identities
        wanted = {tuple(asdict(identity).values()) for identity in identities}
        with self._clear_errors(), self._reader.connect() as connection:
            rows = connection.execute(select(known))
            same = [r.identity_id for r in rows if (r.formula, r.classifier, r.n_samples, r.z_seed) in wanted]
            scored = (
                select(trials.c.trial_id)
                .join(scores)
                .where(trials.c.state == "COMPLETE", scores.c.step == trials.c.steps, scores.c.identity_id.in_(same))
            )
            ended = select(trials.c.trial_id).where(trials.c.state.in_(("DIVERGED", "FAILED")))
            return {*connection.scalars(scored), *connection.scalars(ended)}

    def start(self, trial_ids: Sequence[str]) -> None:
        """Mark the trials of a cohort as running; each gets an attempt."""
        now = _now()
        with self._clear_errors(), self._writer.begin() as connection:
            _close_attempts(connection, trial_ids, "INTERRUPTED", now)
            connection.execute(
                update(tables.trials)
                .where(tables.trials.c.trial_id.in_(trial_ids))
                .values(state="RUNNING", attempts=tables.trials.c.attempts + 1, started_at=now)
            )
            connection.execute(insert(tables.attempts), [{"trial_id": t, "started_at": now} for t in trial_ids])

    def record(self, records: Sequence[Record], reference: Reference | None) -> None:
        """Keep how the trials of a cohort ended, all of them or none. `reference` belongs to scored trials."""
        now = _now()
        with self._clear_errors(), self._writer.begin() as connection:
            for record in records:
                connection.execute(
                    update(tables.trials)
                    .where(tables.trials.c.trial_id == record.trial_id)
                    .values(
                        state=record.state,
                        finished_at=now,
                        duration_s=record.duration_s,
                        device=record.device,
                    )
                )
                _close_attempts(connection, [record.trial_id], record.state, now, record.error)
                _put_scores(connection, record, reference)
                _put_samples(connection, record)

    def claim(self) -> None:
        """Be the only sweep on this database until it is closed; only SQLite files are guarded.

        Raises:
            StorageError: another sweep is running on it.
        """
        if self.url.get_backend_name() != "sqlite":
            return
        lock = Path(f"{self.url.database}.lock").open("a+", encoding="utf-8")  # noqa: SIM115 (held until close)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise StorageError(f"{self._name}: a sweep is running on it: {lock.read().strip()}") from None
        lock.truncate(0)
        print(f"process {os.getpid()} on {platform.node()} since {_now():%Y-%m-%d %H:%M} UTC", file=lock, flush=True)
        self._lock = lock

    def release(self) -> int:
        """Put trials that a stopped driver left running back to waiting; returns how many.

        One that was being scored anew goes back to the scores it has.
        """
        running = tables.trials.c.state == "RUNNING"
        with self._clear_errors(), self._writer.begin() as connection:
            _close_attempts(connection, select(tables.trials.c.trial_id).where(running), "INTERRUPTED", _now())
            scored = exists_row().where(
                tables.scores.c.trial_id == tables.trials.c.trial_id, tables.scores.c.step == tables.trials.c.steps
            )
            before = case((scored, "COMPLETE"), else_="WAITING")
            return connection.execute(update(tables.trials).where(running).values(state=before)).rowcount

    def retry(self) -> int:
        """Put failed trials back to waiting; returns how many."""
        failed = tables.trials.c.state == "FAILED"
        with self._clear_errors(), self._writer.begin() as connection:
            return connection.execute(update(tables.trials).where(failed).values(state="WAITING")).rowcount

    def finish(self, sweep_id: int) -> None:
        """Note that a sweep has done all it was going to do."""
        with self._clear_errors(), self._writer.begin() as connection:
            this = tables.sweeps.c.sweep_id == sweep_id
            connection.execute(update(tables.sweeps).where(this).values(finished_at=_now()))

    def counts(self, trial_ids: Collection[str] | None = None) -> dict[str, dict[str, int]]:
        """Trials by family and state, of these or of all."""
        table = tables.trials.c
        query = select(table.trial_id, table.family, table.state).order_by(table.family)
        counts: dict[str, dict[str, int]] = {}
        with self._clear_errors(), self._reader.connect() as connection:
            for trial_id, family, state in connection.execute(query):
                if trial_ids is None or trial_id in trial_ids:
                    counts.setdefault(family, dict.fromkeys(tables.STATES, 0))[state] += 1
        return counts

    def results(self) -> "pd.DataFrame":
        """The view `results`: one row per trial."""
        frame = self._frame(text("SELECT * FROM results ORDER BY sweep_id, position"))
        times = {name: frame[name].astype("datetime64[us]") for name in ("started_at", "finished_at")}
        return frame.astype({"dropout_d": bool}).assign(**times)

    def sweeps(self) -> "pd.DataFrame":
        """What was run into this database: one row per execution."""
        return self._frame(select(tables.sweeps).order_by(tables.sweeps.c.sweep_id))

    def sheets(self, trial_ids: Sequence[str]) -> dict[str, bytes]:
        """Sample sheets (PNG) of these trials, as far as there are any."""
        table = tables.samples
        with self._clear_errors(), self._reader.connect() as connection:
            return {r.trial_id: r.png for r in connection.execute(select(table).where(table.c.trial_id.in_(trial_ids)))}

    def _frame(self, query: Executable) -> "pd.DataFrame":
        import pandas as pd  # a second of loading that planning does without

        with self._clear_errors(), self._reader.connect() as connection:
            rows = connection.execute(query)
            return pd.DataFrame.from_records(rows.all(), columns=list(rows.keys()), coerce_float=True)

    def _prepare_file(self, create: bool) -> None:
        if not self.url.database or self.url.database == ":memory:" or self.url.query:
            raise StorageError(f"{self._name}: allowed: a file, as in sqlite:///runs/mnist/results.db")
        path = Path(self.url.database)
        try:
            if create and not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            elif not path.is_file():
                raise StorageError(f"{path}: no such results database")
        except OSError as error:
            raise StorageError(f"{path}: can't be opened: {error.strerror}: {error.filename}") from None

    def _check_version(self, create: bool) -> None:
        found = set(inspect(self._reader).get_table_names())
        if not found and create:
            self._create_tables()
            return
        if not {"alembic_version", "sweeps", "trials", "scores", "attempts"} <= found:
            raise StorageError(f"{self._name}: not a results database of this project")
        with self._reader.connect() as connection:
            version = connection.scalar(select(tables.version.c.version_num))
        if version != tables.VERSION:
            raise StorageError(
                f"{self._name}: written by another version of this project: schema {version}, allowed: {tables.VERSION}"
            )

    def _create_tables(self) -> None:
        if self.url.get_backend_name() == "sqlite":
            raw = self._reader.raw_connection()
            raw.cursor().execute("PRAGMA journal_mode=WAL")  # readers never wait for the writer; the file keeps this
            raw.close()
        with self._writer.begin() as connection:
            tables.metadata.create_all(connection)
            connection.execute(insert(tables.version).values(version_num=tables.VERSION))

    @contextmanager
    def _clear_errors(self) -> Any:
        """Turn what the database library raises into one line."""
        try:
            yield
        except SQLAlchemyError as error:
            reason = getattr(error, "orig", None) or error
            raise StorageError(f"{self._name}: {str(reason).splitlines()[0]}") from error


def exists(url: str) -> bool:
    """Whether there is a database at `url`, as far as its name tells: an SQLite file may be missing."""
    parsed = _parse(url)
    return parsed.get_backend_name() != "sqlite" or Path(parsed.database or "").is_file()


def load_results(url: str) -> "pd.DataFrame":
    """One row per trial of the database at `url`, as the view `results` gives it."""
    storage = Storage(url)
    try:
        return storage.results()
    finally:
        storage.close()


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError):
        shown = url.split("@")[-1]
        raise StorageError(f"{shown}: not a database URL, allowed: one such as sqlite:///results.db") from None
    return parsed


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})

    @event.listens_for(engine, "connect")
    def _settings(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # BEGIN is sent below, not by the driver
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes its lock at once: a lock asked for after reading can fail without waiting.
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


_TRAINING = [field.name for field in fields(Training)]


def _columns(trial: Trial) -> dict[str, Any]:
    values = {axis: getattr(trial, axis) for axis in AXES}
    own = {"trial_id": trial.trial_id, "space": trial.space, "family": trial.family}
    training = {name: getattr(trial.training, name) for name in _TRAINING}  # asdict is slow
    return own | values | training


def _close_attempts(
    connection: Connection,
    trial_ids: Sequence[str] | Select[tuple[str]],
    outcome: str,
    now: datetime,
    error: str | None = None,
) -> None:
    table = tables.attempts
    running = table.c.trial_id.in_(trial_ids) & table.c.outcome.is_(None)
    connection.execute(update(table).where(running).values(outcome=outcome, ended_at=now, error=error))


def _put_scores(connection: Connection, record: Record, reference: Reference | None) -> None:
    if record.scores is None or record.identity is None or reference is None:
        return
    table = tables.scores
    key = {
        "trial_id": record.trial_id,
        "step": record.step,
        "identity_id": _identity_id(connection, record.identity, reference),
    }
    values = {name: value if math.isfinite(value) else None for name, value in record.scores.items()}
    connection.execute(delete(table).where(*(table.c[name] == value for name, value in key.items())))
    connection.execute(insert(table).values(**key, **values))


def _put_samples(connection: Connection, record: Record) -> None:
    if record.sheet is not None:
        table = tables.samples
        connection.execute(delete(table).where(table.c.trial_id == record.trial_id))
        connection.execute(insert(table).values(trial_id=record.trial_id, png=record.sheet))


def _identity_id(connection: Connection, identity: ScoreIdentity, reference: Reference) -> int:
    table = tables.identities
    values = asdict(identity)
    found = connection.scalar(
        select(table.c.identity_id).where(*(table.c[name] == value for name, value in values.items()))
    )
    if found is not None:
        return int(found)
    result = connection.execute(insert(table).values(**values, **asdict(reference)))
    return int(result.inserted_primary_key[0])  # type: ignore[index]


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
