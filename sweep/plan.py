"""A plan: what is missing, how it is grouped, and what it will cost. Loads neither torch nor Ray."""

import csv
import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search_spaces.space import SearchSpace
from search_spaces.trial import AXES, Trial, axis_values
from sweep import cost
from sweep.cohorts import Cohort, partition
from sweep.devices import Machine
from sweep.output import for_spreadsheet


class PlanError(Exception):
    """Something a plan can't have, such as more than the machine has; the message is one line."""


@dataclass(frozen=True)
class Resources:
    """What the workers may use, and what one of them gets.

    Attributes:
        workers: cohorts in flight at once.
        cores: processor cores of a worker.
        gpus: CUDA devices of a worker, may be a fraction.
        memory: bytes that a cohort may take on its device.
        flops: floating-point operations per second of a worker, a guess.
    """

    workers: int
    cores: float
    gpus: float
    memory: int
    flops: float

    @property
    def device(self) -> str:
        """Where a cohort lives, "cpu" or "cuda"."""
        return "cuda" if self.gpus else "cpu"


@dataclass(frozen=True)
class Plan:
    """Trials in the order they run, the cohorts of those that are missing, and where they will run."""

    spaces: tuple[SearchSpace, ...]
    trials: tuple[Trial, ...]
    cohorts: tuple[Cohort, ...]
    resources: Resources

    @property
    def missing(self) -> int:
        return sum(len(cohort.trials) for cohort in self.cohorts)

    def summary(self) -> dict[str, Any]:
        """The plan in numbers; estimates are for what is missing."""
        bytes_needed = [cost.cohort_bytes(cohort.trials, self.resources.device) for cohort in self.cohorts]
        seconds = [cohort_flops(cohort) / self.resources.flops for cohort in self.cohorts]
        return {
            "cells": len(self.trials),
            "by_family": dict(Counter(trial.family for trial in self.trials)),
            "cohorts": len(self.cohorts),
            "missing": self.missing,
            "workers": self.resources.workers,
            "memory_per_worker_gib": round(max(bytes_needed, default=0) / 2**30, 2),
            "hours": round(sum(seconds) / self.resources.workers / 3600, 2),
            "disk_mib": round(cost.disk_bytes(self.missing) / 2**20, 1),
        }


def make_plan(
    spaces: Sequence[SearchSpace],
    trials: Sequence[Trial],
    resources: Resources,
    finished: Collection[str] = frozenset(),
) -> Plan:
    """Group what is missing into cohorts.

    Args:
        trials: what the spaces expand to.
        finished: identities of trials that need not run; those of other grids may be among them.

    Raises:
        PlanError: a space asks for a precision that these workers lack.
    """
    _check_precision(spaces, resources)
    missing = (trial for trial in trials if trial.trial_id not in finished)
    cohorts = partition(missing, resources.memory, resources.device)
    return Plan(tuple(spaces), tuple(trials), tuple(cohorts), resources)


def _check_precision(spaces: Sequence[SearchSpace], resources: Resources) -> None:
    for space in spaces:
        if space.training.precision != "float32" and not resources.gpus:
            raise PlanError(
                f"{space.name}: training.precision: got {space.training.precision}, allowed: float32 for workers "
                "without a CUDA device"
            )


def share_out(machine: Machine, workers: int | None = None, gpus_per_worker: float | None = None) -> Resources:
    """Divide this machine among workers: by default one a GPU, and without GPUs one a core.

    Raises:
        PlanError: more is asked for than the machine has.
    """
    n_gpus = len(machine.gpus)
    if gpus_per_worker is None:
        gpus_per_worker = 1 / math.ceil((workers or 1) / n_gpus) if n_gpus else 0.0
    elif not n_gpus and gpus_per_worker:
        raise PlanError(f"--gpus-per-worker: got {gpus_per_worker:g}, allowed: 0, for no CUDA device is found here")
    elif gpus_per_worker > n_gpus or (gpus_per_worker > 1 and gpus_per_worker % 1):
        raise PlanError(
            f"--gpus-per-worker: got {gpus_per_worker:g}, allowed: 0 to 1, or a whole number up to {n_gpus}"
        )
    most = min(machine.cores, room_on_gpus(n_gpus, gpus_per_worker)) if gpus_per_worker else machine.cores
    workers = most if workers is None else workers
    if not 1 <= workers <= most:
        where = f"{machine.cores} cores" + (f" and {n_gpus} CUDA devices" if gpus_per_worker else "")
        raise PlanError(f"--workers: got {workers}, allowed: 1 to {most} on this machine with {where}")
    if gpus_per_worker:
        memory = int(0.9 * min(size for _, size in machine.gpus) * min(1.0, gpus_per_worker))
        return Resources(
            workers, machine.cores // workers, gpus_per_worker, memory, cost.FLOPS_PER_GPU * gpus_per_worker
        )
    cores = machine.cores // workers
    return Resources(workers, cores, 0.0, int(0.7 * machine.memory / workers), cost.FLOPS_PER_CORE * cores)


def room_on_gpus(n_gpus: int, each: float) -> int:
    """How many workers find a place; a fraction of a device can't be put together from two devices."""
    return n_gpus // int(each) if each >= 1 else n_gpus * int(1 / each + 1e-9)


def save_plan(plan: Plan, path: Path) -> None:
    """Write every missing trial with its cohort as CSV.

    Raises:
        PlanError: the file can't be written.
    """
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["cohort", "trial_id", "family", *AXES])
            for number, cohort in enumerate(plan.cohorts):
                for trial in cohort.trials:
                    values = (number, trial.trial_id, trial.family, *axis_values(trial))
                    writer.writerow(map(for_spreadsheet, values))
    except OSError as error:
        raise PlanError(f"--save: got {path}, allowed: a file that can be written ({error.strerror})") from None


def cohort_flops(cohort: Cohort) -> int:
    return len(cohort.trials) * cost.training_flops(cohort.trials[0])
