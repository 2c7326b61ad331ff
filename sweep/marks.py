"""Where cohorts keep their checkpoints, and when. Free of torch: a driver clears away what is stored."""

import hashlib
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
        """Remove what is of use no more, for its trials are finished: grids change, and so do cohorts."""
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if path.is_dir() and _trials(path) <= set(finished):
                shutil.rmtree(path, ignore_errors=True)


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
