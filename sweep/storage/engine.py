"""Opening a results database: its URL, its engine, its schema version, and its errors in one line."""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from weakref import WeakSet

from sqlalchemy import Column, Connection, Engine, create_engine, event, insert, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from sweep.errors import StorageError
from sweep.storage import tables
from sweep.storage.sqlite_file import SqliteFile

DEFAULT_URL = "sqlite:///runs/mnist/results.db"
_DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg", "postgresql+psycopg2")
MIGRATIONS = Path(__file__).parent / "migrations"
_ALLOWED = "allowed: a path that ends in .db, or one such as postgresql+psycopg://user@host/results"
CONNECT_TIMEOUT_S = 5
BRIEF_S = 30.0  # see `Database.write`
# With these settings libpq notices a lost host or network; values are seconds, the last one is milliseconds.
_KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
_NO_ANSWER = "it does not answer"
_LIMITS = text(
    "SELECT set_config('statement_timeout', :limit, true), "
    "set_config('idle_in_transaction_session_timeout', :limit, true)"
)
_UPGRADING = 0x45424741  # number of the lock under which a server's schema is made or changed


class Database:
    """A results database of the schema that this code knows.

    A missing one is made if asked for. One of an older schema is upgraded, after a copy of it is put aside.

    Args:
        url: SQLAlchemy URL, such as sqlite:///runs/mnist/results.db.
        create: whether a missing database is made; otherwise it is an error.

    Attributes:
        url, name: where it is; the name shows no password.
        reader, writer: engines; a transaction of the writer takes its lock at once.
        absent: columns of the view `results` that it lacks, because their experiments are new to it.

    Raises:
        StorageError: it can't be reached, is not one of ours, or was written by a newer version.
    """

    def __init__(self, url: str, create: bool = False) -> None:
        self.url = _parse(url)
        self.is_file = self.url.get_backend_name() == "sqlite"
        self.name = self.url.set(query={}).render_as_string(hide_password=True)  # a query may hold a password too
        self._file = SqliteFile(self.url, self.name, create) if self.is_file else None
        self._wrote = False
        self._connections: WeakSet[Any] = WeakSet()  # to a server
        self._is_cut = False
        if self._file:
            self.reader, self.writer = self._file.reader(), self._file.writer()
        else:
            self.reader = self.writer = self._server()
        try:
            if self._prepare_schema(create) or create:
                self._add_columns()
            self.absent = self._absent()
        except StorageError:
            self.close()
            raise

    @property
    def path(self) -> Path:
        """The SQLite file itself, links followed."""
        return Path(str(self.url.database)).resolve()

    def disconnect(self) -> None:
        """Close every connection, and keep a claim. The file then holds everything, and needs no write-ahead log."""
        self.reader.dispose()
        self.writer.dispose()
        if self._file and self._wrote:
            self._file.fold()
        self._wrote = False

    def close(self) -> None:
        """Close every connection, and end a claim."""
        self.disconnect()
        if self._file:
            self._file.give_back()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one state of the database.

        Raises:
            StorageError: the database library has failed; its message in one line.
        """
        with self._clear_errors(), self.reader.connect() as connection:
            yield connection

    @contextmanager
    def write(self, brief: bool = False) -> Iterator[Connection]:
        """A transaction, which is kept as a whole or not at all.

        Args:
            brief: whether it is one of the many small transactions of a driver. The rows that it has locked block
                other drivers, so the server ends it when a statement takes longer than `BRIEF_S` or when the driver
                sends nothing for that time. Reading a million rows or an upgrade may take minutes and is not brief.

        Raises:
            StorageError: as `read` raises it.
        """
        self._wrote = True
        with self._clear_errors(), self.writer.begin() as connection:
            if brief and not self.is_file:
                connection.execute(_LIMITS, {"limit": f"{1000 * BRIEF_S:.0f}"})
            yield connection

    def cut(self) -> None:
        """End a wait for a server that hangs, from another thread: `read` or `write` raises a StorageError.

        Timeouts do not end every wait: those of the server need a server that runs, and those of TCP need a connection
        by TCP.
        """
        self._is_cut = not self.is_file
        for connection in list(self._connections):
            # A connection that has been closed meanwhile raises an error, and nobody waits for it.
            with (
                suppress(OSError, self.reader.dialect.loaded_dbapi.Error),
                socket.socket(fileno=os.dup(connection.fileno())) as wire,
            ):
                wire.shutdown(socket.SHUT_RDWR)

    def claim(self) -> None:
        """Make sure that no other sweep runs on this file until it is closed. Sweeps may share a server.

        The operating system ends a claim when its process ends, in whatever way.

        Raises:
            StorageError: another sweep is running on it.
        """
        if self._file:
            self._file.claim()

    def now(self, connection: Connection) -> datetime:
        """UTC by the clock that all writers of this database share: the server's, or this machine's for a file."""
        if self.is_file:
            return local_time()
        found: datetime = connection.execute(text("SELECT timezone('utc', clock_timestamp())")).scalar_one()
        return found

    def _refuse_after_cut(self, *_: object) -> None:
        """Refuse a new connection after a cut: SQLAlchemy would open one, and the caller would wait again."""
        if self._is_cut:
            raise StorageError(f"{self.name}: {_NO_ANSWER}")

    def _server(self) -> Engine:
        try:
            engine = _engine(self.url)
        except ImportError as error:
            raise StorageError(f"{self.name}: needs the Python package {error.name}") from None
        event.listen(engine, "connect", lambda connection, _: self._connections.add(connection))
        event.listen(engine, "do_connect", self._refuse_after_cut)
        return engine

    def _prepare_schema(self, create: bool) -> bool:
        """Make or upgrade the tables where that is needed; whether it was."""
        with self.read() as connection:
            version = self._version(connection, create)
        if version == tables.VERSION:
            return False
        if self._file and version:
            if not self._file.writable:
                raise StorageError(
                    f"{self.name}: its schema {version} is old, and it can't be upgraded where it lies: "
                    "copy it to a folder of yours"
                )
            self._file.claim()  # nobody may be writing what is copied and changed
            self._file.copy(version)
        elif self._file:
            self._file.use_write_ahead_log()
        with self._changing_schema() as connection:
            version = self._version(connection, create)  # another process may have been faster
            if version is None:
                tables.metadata.create_all(connection)
                tables.create_views(connection)
                connection.execute(insert(tables.version).values(version_num=tables.VERSION))
            elif version != tables.VERSION:
                if not self.is_file:
                    _copy_tables(connection, version)
                _upgrade(connection)
        if self._file:
            self._file.give_back()
        return True

    @contextmanager
    def _changing_schema(self) -> Iterator[Connection]:
        """A transaction in which tables are made or changed, by one process at a time."""
        self._wrote = True
        engine = self._file.writer(foreign_keys=False) if self._file else self.writer
        try:
            with self._clear_errors(), engine.begin() as connection:
                if not self.is_file:
                    connection.execute(text(f"SELECT pg_advisory_xact_lock({_UPGRADING})"))
                yield connection
        finally:
            if engine is not self.writer:
                engine.dispose()

    def _add_columns(self) -> None:
        """Add columns that are new to this database, and make its views again."""
        with self.read() as connection:
            if not _lacking(connection) and tables.BY_CLASSIFIER in inspect(connection).get_view_names():
                return
        with self._changing_schema() as connection:
            lacking = _lacking(connection)  # another process may have been faster
            tables.drop_views(connection)
            for table, column in lacking:
                kind = column.type.compile(connection.dialect)
                connection.execute(text(f"ALTER TABLE {table} ADD COLUMN {column.name} {kind}"))
                if (value := tables.before_it_was(column.name)) != "NULL":
                    connection.execute(text(f"UPDATE {table} SET {column.name} = {value}"))
            tables.create_views(connection)

    def _absent(self) -> set[str]:
        """Columns of the view `results` that this database lacks, because they are newer than it."""
        known = {column.name for column in tables.results.columns if tables.is_declared(column.name)}
        with self.read() as connection:
            return known - {column["name"] for column in inspect(connection).get_columns("results")}

    def _version(self, connection: Connection, create: bool) -> str | None:
        """Version of the schema; None for an empty database that may be filled."""
        found = set(inspect(connection).get_table_names())
        if not found and create:
            return None
        if not {"alembic_version", "sweeps", "trials", "scores", "attempts"} <= found:
            raise StorageError(f"{self.name}: not a results database of this project")
        version = connection.scalar(select(tables.version.c.version_num))
        if version is None:
            raise StorageError(f"{self.name}: not a results database of this project")
        if version not in tables.VERSIONS:
            raise StorageError(
                f"{self.name}: written by a newer version of this project: schema {version}, "
                f"allowed: up to {tables.VERSION}"
            )
        return version

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        """Turn what the database library raises into one line."""
        self._is_cut = False
        try:
            yield
        except SQLAlchemyError as error:
            if self._is_cut:
                raise StorageError(f"{self.name}: {_NO_ANSWER}") from error
            reason = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
            if reason == "interrupted":
                reason = "a query took longer than any on a database of this size"
            raise StorageError(f"{self.name}: {reason.splitlines()[0]}") from error
        except ValueError as error:  # a value that does not fit its column's type, such as broken JSON
            raise StorageError(f"{self.name}: holds what no sweep wrote: {error}") from error


def exists(url: str) -> bool:
    """Whether there may be a database at `url`: not if it names a missing SQLite file. No server is asked."""
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        try:
            Path(parsed.database or "").stat()
        except FileNotFoundError:
            return False
        except OSError:  # opening the database gives the error
            return True
    return True


def local_time() -> datetime:
    """UTC by this machine's clock, as databases hold it: without a time zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def _parse(url: str) -> URL:
    try:
        url.encode()
    except UnicodeEncodeError:  # Python keeps bytes that are not UTF-8 as lone surrogates
        raise StorageError(f"{_start(url)}: not in UTF-8, which a database URL is written in; {_ALLOWED}") from None
    try:
        parsed = URL.create("sqlite", database=url) if url.endswith(".db") and ":" not in url else make_url(url)
        parsed.get_dialect()
    except ImportError:
        pass  # a driver that is not installed is named when the engine is made
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise StorageError(f"{_start(url)}: not a database URL, {_ALLOWED}") from None
    if "@" in (parsed.host or ""):
        raise StorageError(f"{parsed.drivername}: an @ within a name or a password of a database URL is written %40")
    if parsed.drivername not in _DRIVERS:
        raise StorageError(f"{parsed.drivername}: not a kind of database for results, {_ALLOWED}")
    return parsed


def _start(url: str) -> str:
    """The beginning of a text that should be a URL, cut where a password may begin."""
    whole = re.fullmatch(r"[\w./ -]*", url)
    return url if whole else re.split(r"[^\w+.-]", url)[0] + "..."


def _lacking(connection: Connection) -> list[tuple[str, Column[Any]]]:
    """Columns of the tables `trials` and `scores` that this installation knows and the database lacks."""
    found = []
    for table in (tables.trials, tables.scores):
        there = {column["name"] for column in inspect(connection).get_columns(table.name)}
        found += [(table.name, column) for column in table.columns if column.name not in there]
    return found


def _engine(url: URL) -> Engine:
    # A server may have been restarted since a connection was last used.
    limits = {"connect_timeout": CONNECT_TIMEOUT_S} | _KEEPALIVE
    return create_engine(url, pool_pre_ping=True, connect_args=limits)


def _copy_tables(connection: Connection, version: str) -> None:
    """Copy a server's tables into a schema of their own, in the transaction that upgrades them."""
    schema = f"before_upgrade_of_{version}"
    connection.execute(text(f"CREATE SCHEMA {schema}"))
    for table in inspect(connection).get_table_names():
        connection.execute(text(f'CREATE TABLE {schema}."{table}" AS TABLE "{table}"'))


def _upgrade(connection: Connection) -> None:
    from alembic import command  # only old databases need it
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    tables.drop_views(connection)
    command.upgrade(config, tables.VERSION)
    tables.create_views(connection)
