"""A folder for Ray's own files: only its user can enter it, and it goes when its sweep is over."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "sweep-"
LONGEST = 36  # characters; Ray's sockets lie deep below, and the path of a socket is short
STARTING_S = 60.0  # in which a sweep has locked the folder it made


@contextmanager
def scratch_folder() -> Iterator[str]:
    """A new folder, and no more of those that killed sweeps of this user left behind.

    Ray lets everybody write to the folder it is given. So give it one below this, which lets nobody else pass.
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
    """A folder that is not locked belongs to no sweep that lives."""
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
