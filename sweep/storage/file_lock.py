"""The lock that makes a driver the only one on an SQLite file.

POSIX drops every lock that a process has on a file as soon as the process closes any descriptor of that file, also the
locks that SQLite took through a descriptor of its own; another process then deletes the write-ahead log under the
driver (sqlite.org/howtocorrupt.html, section 2.2). So this module opens one descriptor for each file and never closes
it: a lock is given back by unlocking.
"""

import fcntl
import os
from pathlib import Path
from typing import ClassVar


class FileLock:
    """A lock on a file itself, whatever name it was opened by. The system frees it when its processes end.

    Attributes:
        descriptor: of the locked file. A child that inherits it shares the lock, and must not close it either.
    """

    _open: ClassVar[dict[tuple[int, int], "FileLock"]] = {}  # by device and inode

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._owner: object = None

    @classmethod
    def of(cls, path: Path) -> "FileLock":
        """The lock of a file; one for each file in a process.

        Raises:
            OSError: the file can't be opened.
        """
        found = path.stat()
        key = found.st_dev, found.st_ino
        if key not in cls._open:
            cls._open[key] = cls(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        return cls._open[key]

    def take(self, owner: object) -> bool:
        """Lock the file for an owner in this process; whether it has the lock now."""
        if self._owner is None:
            try:
                fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self._owner = owner
        return self._owner is owner

    def give_back(self, owner: object) -> None:
        """Unlock the file, if this owner has the lock."""
        if self._owner is owner:
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)
            self._owner = None
