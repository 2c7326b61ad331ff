"""A results database in one SQLite file: its connections, its claim, its copy before an upgrade."""

import itertools
import os
import platform
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from sweep.errors import StorageError
from sweep.storage.file_lock import FileLock

BUSY_TIMEOUT_S = 30
FOLD_TIMEOUT_S = 2
CACHE_KIB = 64_000  # trials' identities are random, so each row lies on another page of the file
LONGEST = 2**26  # bytes of a text or a blob; settings of sweeps and tracebacks are far shorter
# Seconds of processor time that a query may take; a stranger's database may hold a view that would never end.
READING_S = 10.0
READ_BYTES_PER_S = 5e6  # a report over a million trials reads 15 MB a second on two cores
_CHECK_EVERY = 100_000  # steps of SQLite's virtual machine


class SqliteFile:
    """The file of a results database.

    Args:
        url: SQLAlchemy URL of the file.
        name: of the database, for messages.
        create: whether a missing file is made; otherwise it is an error.

    Attributes:
        path: the file itself, links followed.
        writable: whether this process may write to the file and to its folder, where SQLite puts its write-ahead log.

    Raises:
        StorageError: there is no such file, it can't be made, or it is a folder.
    """

    def __init__(self, url: URL, name: str, create: bool) -> None:
        if not url.database or url.database == ":memory:" or url.query:
            raise StorageError(f"{name}: allowed: a file, as in sqlite:///runs/mnist/results.db")
        self.name = name
        given = Path(url.database)
        if "\0" in url.database:
            raise StorageError(f"{name}: allowed: a name of a file, which has no NUL in it")
        try:
            if create and not given.exists():
                given.parent.mkdir(parents=True, exist_ok=True)
                given.touch()
            elif given.is_dir():
                raise StorageError(f"{given}: a folder, allowed: a file, as in {given / 'results.db'}")
            elif not given.is_file():
                raise StorageError(f"{given}: no such results database")
        except OSError as error:
            raise StorageError(f"{given}: can't be opened: {error.strerror}: {error.filename}") from None
        self.path = given.resolve()
        self.writable = os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)

    def reader(self) -> Engine:
        """Connections that can't change the file, and whose queries have limited time, as a stranger may have made it.

        They are opened like any other connection, because a read-only one would leave its write-ahead log behind. The
        file is opened read-only only where nothing can be written; if it then has no log, SQLite may assume that
        nobody writes to it.
        """
        if self.writable:
            return self._engine(str(self.path), _Reader)
        has_log = Path(f"{self.path}-wal").exists()
        return self._engine(f"{self.path.as_uri()}?{'mode=ro' if has_log else 'immutable=1'}", _Reader)

    def writer(self, foreign_keys: bool = True) -> Engine:
        """Connections whose transactions take the lock of writers at once.

        Args:
            foreign_keys: whether foreign keys are enforced. A table can't be made again while they are.
        """
        return self._engine(str(self.path), sqlite3.Connection, foreign_keys)

    def use_write_ahead_log(self) -> None:
        """Keep a write-ahead log from now on, so that readers and the writer never wait for each other.

        Raises:
            StorageError: the file can't be written.
        """
        try:
            with closing(sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.Error as error:
            raise StorageError(f"{self.name}: {error}") from None

    def fold(self) -> None:
        """Put what the write-ahead log holds into the file itself, so that it alone is the whole database.

        SQLite does so when the last connection closes. Where another program still reads, this does it.
        """
        with suppress(sqlite3.Error), closing(sqlite3.connect(self.path, timeout=FOLD_TIMEOUT_S)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def claim(self) -> None:
        """Make sure that no other sweep runs on this file.

        Raises:
            StorageError: another sweep is running on it.
        """
        try:
            taken = FileLock.of(self.path).take(self)
        except OSError as error:
            raise StorageError(f"{self.name}: can't be claimed: {error.strerror}: {error.filename}") from None
        if not taken:
            raise StorageError(f"{self.name}: a sweep is running on it: {self._holder()}")
        self._write_card()

    def give_back(self) -> None:
        """End the claim, if there is one."""
        with suppress(OSError):
            FileLock.of(self.path).give_back(self)

    def copy(self, version: str) -> None:
        """Copy the file before an upgrade, under a new name that ends in the version of the schema.

        Raises:
            StorageError: it can't be copied.
        """
        stem = Path(f"{self.path}.{version}")
        unfinished = Path(f"{stem}.unfinished")  # the claim makes this process the only one that writes it
        try:
            unfinished.unlink(missing_ok=True)
            unfinished.touch(exist_ok=False)
            with (
                closing(sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S)) as source,
                closing(sqlite3.connect(unfinished)) as target,
            ):
                source.backup(target)
            unfinished.rename(_new_file(stem))
        except (sqlite3.Error, OSError) as error:
            raise StorageError(f"{self.name}: can't be copied to {stem} before its upgrade: {error}") from None

    def _engine(self, place: str, kind: type[sqlite3.Connection], foreign_keys: bool = True) -> Engine:
        reads = kind is _Reader

        def connect() -> sqlite3.Connection:
            connection = sqlite3.connect(
                place,
                timeout=BUSY_TIMEOUT_S,
                isolation_level=None,  # `_begin` sends BEGIN, not sqlite3
                check_same_thread=False,
                factory=kind,
                uri=place.startswith("file:"),
            )
            connection.execute("PRAGMA trusted_schema=OFF")  # a view may call no function that does harm
            connection.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")
            connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
            if isinstance(connection, _Reader):
                connection.execute("PRAGMA query_only=ON")
                connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
                connection.set_progress_handler(connection.is_overdue, _CHECK_EVERY)
            return connection

        engine = create_engine(URL.create("sqlite", database=str(self.path)), creator=connect)

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            # A writer takes its lock at once: a lock asked for after reading can fail without waiting.
            if reads:
                driver: Any = connection.connection.driver_connection
                driver.end = time.process_time() + READING_S + self.path.stat().st_size / READ_BYTES_PER_S
            connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

        return engine

    def _holder(self) -> str:
        try:
            return self._card.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return "unknown"

    def _write_card(self) -> None:
        """Write down who holds the claim. Only people read this card; the lock does not depend on it.

        A new file replaces the old one, which may be a link or another user's.
        """
        since = f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC"
        made = Path(f"{self._card}.{os.getpid()}")
        with suppress(OSError):
            made.unlink(missing_ok=True)
            with made.open("x", encoding="utf-8") as file:
                file.write(f"process {os.getpid()} on {platform.node()} since {since}\n")
            made.replace(self._card)

    @property
    def _card(self) -> Path:
        return Path(f"{self.path}.lock")


class _Reader(sqlite3.Connection):
    """A connection whose queries are ended when they take too long.

    Attributes:
        end: processor time of this process at which a query is ended.
    """

    end = float("inf")

    def is_overdue(self) -> bool:
        return time.process_time() > self.end


def _new_file(stem: Path) -> Path:
    """Make an empty file of this name, or of this name and a number where the name is taken."""
    for place in itertools.chain([stem], (Path(f"{stem}-{n}") for n in itertools.count(2))):
        with suppress(FileExistsError):
            place.touch(exist_ok=False)
            return place
    raise AssertionError("there is always a next number")
