"""A folder for Ray's own files: only its user can enter it, and it is deleted when its sweep ends."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "sweep-"
LONGEST = 36  # characters: Ray's sockets lie deep below, and the system limits the path of a socket
STARTING_S = 60.0  # a younger folder may belong to a sweep that has not locked it yet


@contextmanager
def scratch_folder() -> Iterator[str]:
    """Make a new folder, and delete those that killed sweeps of this user left behind.

    Ray lets all users write to the folder that it is given. So give Ray a folder below this one, which no other user
    can enter.
    """
    place = Path(tempfile.gettempdir())
    place = place if len(f"{place}/{PREFIX}12345678") <= LONGEST else Path("/tmp")
    _remove_left_over(place)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=place, ignore_cleanup_errors=True) as folder:
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
        finally:
            os.close(lock)


def _remove_left_over(place: Path) -> None:
    """Delete the folders that no running sweep has locked."""
    for path in place.glob(f"{PREFIX}????????"):
        with suppress(OSError):
            found = path.lstat()
            if path.is_symlink() or found.st_uid != os.geteuid() or time.time() - found.st_mtime < STARTING_S:
                continue
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)
