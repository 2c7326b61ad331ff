"""The folder of a sweep's checkpoints. It needs no torch, because drivers, which delete old checkpoints, load none."""

import hashlib
import re
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open

from sweep.planning.cohorts import Cohort

EVERY_S = 180.0
_NAME = re.compile(r"[0-9]{12}-([0-9a-f]{64})\.safetensors|[0-9]+\.unfinished")


@dataclass(frozen=True)
class CheckpointFolder:
    """Where the cohorts of a sweep keep their checkpoints, and how often they write one.

    Attributes:
        folder: holds a folder for each cohort; on a cluster, all nodes must share it.
        every_s: seconds of training between two checkpoints.
    """

    folder: Path
    every_s: float = EVERY_S

    def of(self, cohort: Cohort) -> Path:
        """The folder of a cohort, which is named after a hash of its trials."""
        return self.folder / key(cohort.trial_ids)

    def drop(self, cohort: Cohort) -> None:
        """Delete the checkpoints of a cohort."""
        _remove(list(_checkpoints(self.of(cohort))))

    def clear(self, finished: Collection[str]) -> None:
        """Delete checkpoints whose trials are all finished (a changed grid forms other cohorts).

        Other files in the folder stay, and a damaged file raises no error.
        """
        done = set(finished)
        for folder in _listed(self.folder):
            paths = list(_checkpoints(folder))
            if (trials := _trials(paths)) and trials <= done:
                _remove(paths)


def digest_in(path: Path) -> str | None:
    """The digest in the name of a checkpoint; None if the file does not have the name of one."""
    found = _NAME.fullmatch(path.name)
    return found[1] if found else None


def is_regular(path: Path) -> bool:
    """Whether this is a regular file: no link, and no pipe, for which a reader would wait."""
    return stat.S_ISREG(_mode(path))


def _checkpoints(folder: Path) -> Iterator[Path]:
    """Checkpoints of a cohort and of its halves; each folder comes after what it holds. Other files are not ours."""
    if not (re.fullmatch("[0-9a-f]{16}", folder.name) and stat.S_ISDIR(_mode(folder))):
        return
    for path in _listed(folder):
        if is_regular(path) and _NAME.fullmatch(path.name):
            yield path
        else:
            yield from _checkpoints(path)
    yield folder


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):  # the folder holds other files, or another driver has deleted the checkpoint
            path.unlink() if is_regular(path) else path.rmdir()


def _trials(paths: Iterable[Path]) -> set[str]:
    """The trials of all checkpoints that can be read."""
    found: set[str] = set()
    for path in filter(digest_in, paths):
        with suppress(Exception), safe_open(path, framework="numpy") as opened:  # the file may be damaged or forged
            found.update(opened.metadata()["trials"].split())
    return found


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # the folder is missing, is no folder, or may not be read
        return []


def _mode(path: Path) -> int:
    """The mode of a file, which holds its kind; links are not followed. 0 if there is no file."""
    with suppress(OSError):
        return path.lstat().st_mode
    return 0


def key(trial_ids: Collection[str]) -> str:
    """A hash of trials in this order, as a name."""
    return hashlib.sha256("\n".join(trial_ids).encode()).hexdigest()[:16]
