"""The memory of a driver that sends many cohorts through Ray Tune, which remembers every one of them.

The cohorts train nothing: `python tests/sweep/driver/many_cohorts.py --cohorts 10000` takes about seven minutes on two
cores; the tests send some hundreds.
"""

import argparse
import gc
import io
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path += [str(Path(__file__).parents[n]) for n in (3, 1)]  # as `python -m pytest` does

from made_trials import IDENTITIES, trials
from rich.console import Console

from sweep.driver import tune
from sweep.driver.dispatcher import Dispatcher, Settings
from sweep.driver.display import Display
from sweep.driver.event_log import EventLog
from sweep.driver.progress import Progress
from sweep.driver.scratch import scratch_folder
from sweep.planning.cohorts import Cohort
from sweep.planning.plan import Plan
from sweep.planning.resources import Resources
from sweep.records import Record
from sweep.storage import Storage
from sweep.worker.train import CohortSteps


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Idle(tune.CohortTrainable):
    """Ends its cohorts at once."""

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        cohort, _ = tune.ray.get(self._store.get.remote(new_config["cohort"]))
        self._work = ended(cohort)
        return True


def ended(cohort: Cohort) -> CohortSteps:
    """The steps of a cohort that is over at once."""
    yield from ()
    return [Record(trial_id, "DIVERGED", 1.0, "cpu") for trial_id in cohort.trial_ids]


class Watched(Dispatcher):
    """Notes the memory of the process whenever a tenth of the cohorts has ended."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.seen: list[int] = []

    def ended(self, number: int, records: Sequence[Record]) -> None:
        super().ended(number, records)
        if self.n_ended % max(1, len(self._plan.cohorts) // 10) == 0:
            gc.collect()
            self.seen.append(resident())
            print(f"{self.n_ended} cohorts: {self.seen[-1] / 1e6:.1f} MB", flush=True)


def send(folder: Path, n: int) -> list[int]:
    """Send so many cohorts through Ray; the bytes that the driver held after each tenth of them."""
    grid = tuple(trials(n))
    storage = Storage(f"sqlite:///{folder}/results.db", create=True)
    storage.add_trials(storage.declare("many", {}, {}, "1"), grid)
    plan = Plan((), grid, tuple(Cohort((trial,)) for trial in grid), Resources(2, 1, 0, 2**30))
    progress = Progress(storage.counts(), 1)
    display = Display(Console(file=io.StringIO()), progress)
    watched = Watched(plan, storage, 1, IDENTITIES, progress, display, EventLog(None), Settings())
    tune.CohortTrainable = Idle  # type: ignore[misc]
    with scratch_folder() as folder:
        tune.run_cohorts(watched, plan.resources, folder)
    watched.close()
    assert storage.counts()["gan"]["DIVERGED"] == n
    storage.close()
    return watched.seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohorts", type=int, default=10_000)
    parser.add_argument("--per-fit", type=int, default=tune.COHORTS_PER_FIT, help="before Ray Tune starts afresh")
    options = parser.parse_args()
    tune.COHORTS_PER_FIT = options.per_fit
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        seen = send(Path(folder), options.cohorts)
    grown = (seen[-1] - seen[4]) / (options.cohorts / 2)
    print(f"{grown / 1e3:.1f} kB a cohort in the second half; {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
