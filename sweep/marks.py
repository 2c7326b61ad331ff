"""Where cohorts keep their checkpoints, and when. Free of torch: a driver clears away what is stored."""

import hashlib
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

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

    def clear(self, wanted: Collection[Cohort]) -> None:
        """Remove what no cohort of these would use: grids change, and so do cohorts."""
        if self.folder.is_dir():
            names = {self.of(cohort).name for cohort in wanted}
            for path in self.folder.iterdir():
                if path.is_dir() and path.name not in names:
                    shutil.rmtree(path, ignore_errors=True)


def key(trial_ids: Collection[str]) -> str:
    """Name of a set of trials in a certain order."""
    return hashlib.sha256("\n".join(trial_ids).encode()).hexdigest()[:16]
