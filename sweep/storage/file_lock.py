"""The lock that makes a driver the only one on an SQLite file.

POSIX drops every lock that a process has on a file as soon as the process closes any descriptor of that file. It drops
even the locks that SQLite took through its own descriptor, and another process may then delete the write-ahead log that
the driver uses (sqlite.org/howtocorrupt.html, section 2.2). So this module opens one descriptor for each file and never
closes it; it gives a lock back by unlocking.
"""

import fcntl
import os
from pathlib import Path
from typing import ClassVar


class FileLock:
    """A lock on a file, under whatever name it is opened. The system frees the lock when its processes end.

    Attributes:
        descriptor: descriptor of the locked file. A child that inherits it shares the lock, and must not close it.
    """

    _open: ClassVar[dict[tuple[int, int], "FileLock"]] = {}  # by device and inode

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._owner: object = None

    @classmethod
    def of(cls, path: Path) -> "FileLock":
        """The lock of a file. A process has one for each file.

        Raises:
            OSError: the file can't be opened.
        """
        found = path.stat()
        key = found.st_dev, found.st_ino
        if key not in cls._open:
            cls._open[key] = cls(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        return cls._open[key]

    def take(self, owner: object) -> bool:
        """Lock the file for an owner in this process, and return whether the owner has the lock."""
        if self._owner is None:
            try:
                fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self._owner = owner
        return self._owner is owner

    def give_back(self, owner: object) -> None:
        """Unlock the file if this owner has the lock."""
        if self._owner is owner:
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)
            self._owner = None
