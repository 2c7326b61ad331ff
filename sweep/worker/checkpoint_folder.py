"""Where cohorts keep their checkpoints, and when. Free of torch: a driver clears away what is stored."""

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
class Marks:
    """Checkpoints of the cohorts of a sweep.

    Attributes:
        folder: holds a folder for each cohort; on a cluster, one that all nodes share.
        every_s: seconds of training between two.
    """

    folder: Path
    every_s: float = EVERY_S

    def of(self, cohort: Cohort) -> Path:
        """The folder of a cohort; its name follows from the trials."""
        return self.folder / key(cohort.trial_ids)

    def drop(self, cohort: Cohort) -> None:
        """Remove what a cohort has kept."""
        _remove(list(_kept(self.of(cohort))))

    def clear(self, finished: Collection[str]) -> None:
        """Remove what is of use no more, for its trials are finished: grids change, and so do cohorts.

        Nothing else that lies in the folder is touched, and whatever is wrong with it stops nothing.
        """
        done = set(finished)
        for folder in _listed(self.folder):
            paths = list(_kept(folder))
            if (trials := _trials(paths)) and trials <= done:
                _remove(paths)


def digest_in(path: Path) -> str | None:
    """The digest in the name of a checkpoint; None if this is not the name of one."""
    found = _NAME.fullmatch(path.name)
    return found[1] if found else None


def is_regular(path: Path) -> bool:
    """Whether this is a plain file: no link, and nothing that a reader would wait for."""
    return stat.S_ISREG(_mode(path))


def _kept(folder: Path) -> Iterator[Path]:
    """Checkpoints of a cohort and of its parts, each folder after what it holds. What else lies there is not ours."""
    if not (re.fullmatch("[0-9a-f]{16}", folder.name) and stat.S_ISDIR(_mode(folder))):
        return
    for path in _listed(folder):
        if is_regular(path) and _NAME.fullmatch(path.name):
            yield path
        else:
            yield from _kept(path)
    yield folder


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):  # a folder that holds something else, or what another driver has removed
            path.unlink() if is_regular(path) else path.rmdir()


def _trials(paths: Iterable[Path]) -> set[str]:
    """Trials of those checkpoints that can be read."""
    found: set[str] = set()
    for path in filter(digest_in, paths):
        with suppress(Exception), safe_open(path, framework="numpy") as opened:  # it may be anybody's
            found.update(opened.metadata()["trials"].split())
    return found


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # it is missing, no folder, or closed to us
        return []


def _mode(path: Path) -> int:
    """The kind of a file itself, links not followed; 0 if there is none."""
    with suppress(OSError):
        return path.lstat().st_mode
    return 0


def key(trial_ids: Collection[str]) -> str:
    """Name of a set of trials in a certain order."""
    return hashlib.sha256("\n".join(trial_ids).encode()).hexdigest()[:16]
