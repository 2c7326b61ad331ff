"""Where cohorts keep their checkpoints, and when. Free of torch: a driver clears away what is stored."""

import hashlib
import re
import shutil
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from sweep.cohorts import Cohort

EVERY_S = 180.0


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
        shutil.rmtree(self.of(cohort), ignore_errors=True)

    def clear(self, finished: Collection[str]) -> None:
        """Remove what is of use no more, for its trials are finished: grids change, and so do cohorts.

        Nothing else that lies in the folder is touched.
        """
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if _is_ours(path) and (trials := _trials(path)) and trials <= set(finished):
                shutil.rmtree(path, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    """Whether this is the folder of a cohort, with nothing in it but checkpoints of it and of its parts."""
    return (
        bool(re.fullmatch("[0-9a-f]{16}", folder.name))
        and folder.is_dir()
        and not folder.is_symlink()
        and all(
            _is_ours(path) if path.is_dir() else path.suffix in (".safetensors", ".unfinished")
            for path in folder.iterdir()
        )
    )


def _trials(folder: Path) -> set[str]:
    """Trials of all checkpoints below a folder that can be read."""
    found: set[str] = set()
    for path in folder.rglob("*.safetensors"):
        with suppress(OSError, SafetensorError), safe_open(path, framework="numpy") as opened:
            found.update(opened.metadata()["trials"].split())
    return found


def key(trial_ids: Collection[str]) -> str:
    """Name of a set of trials in a certain order."""
    return hashlib.sha256("\n".join(trial_ids).encode()).hexdigest()[:16]
