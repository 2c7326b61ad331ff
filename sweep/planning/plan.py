"""A plan: what is missing, how it is grouped, and what it will cost. Loads neither torch nor Ray."""

import csv
import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from search_spaces.space import SearchSpace
from search_spaces.trial import Trial
from sweep.command.console import counted
from sweep.planning.cohorts import Cohort, partition
from sweep.planning.cost import FLOPS_PER_CORE, FLOPS_PER_GPU, cost_of, training_flops
from sweep.planning.machine import Machine
from sweep.results.spreadsheet import for_spreadsheet

PLANNED = 0.7  # share of the free main memory that cohorts may take
# Share of it that a figure from an earlier start may take. What is free differs by some percent from start to start, so
# that a figure must fit with room to spare when it is new, and may use up some of this room when it is taken again.
STILL_FITS = 0.9


class PlanError(Exception):
    """Something a plan can't have, such as more than the machine has; the message is one line."""


@dataclass(frozen=True)
class Resources:
    """What the workers may use, and what one of them gets.

    Attributes:
        workers: cohorts in flight at once.
        cores: processor cores of a worker, which has a thread for each.
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

    def without(self, finished: Collection[str]) -> "Plan":
        """The plan of what is left when these trials are finished."""
        left = (Cohort(tuple(t for t in cohort.trials if t.trial_id not in finished)) for cohort in self.cohorts)
        return replace(self, cohorts=tuple(cohort for cohort in left if cohort.trials))

    def summary(self) -> dict[str, Any]:
        """The plan in numbers; estimates are for what is missing."""
        bytes_needed = [
            cost_of(cohort.trials[0]).cohort_bytes(cohort.trials, self.resources.device) for cohort in self.cohorts
        ]
        seconds = [cohort_flops(cohort) / self.resources.flops for cohort in self.cohorts]
        return {
            "cells": len(self.trials),
            "by_family": dict(Counter(trial.family for trial in self.trials)),
            "cohorts": len(self.cohorts),
            "missing": self.missing,
            "workers": self.resources.workers,
            "memory_per_worker_gib": round(max(bytes_needed, default=0) / 2**30, 2),
            "hours": round(sum(seconds) / self.resources.workers / 3600, 2),
            "disk_mib": round(sum(map(_disk_bytes, self.cohorts)) / 2**20, 1),
        }

    def text(self) -> str:
        """The plan in two lines."""
        numbers = self.summary()
        families = ", ".join(f"{n:,} {family}" for family, n in numbers["by_family"].items())
        cohorts = counted(numbers["cohorts"], "cohort")
        lines = [f"{counted(numbers['cells'], 'cell')}: {families}; {self.missing:,} to run in {cohorts}"]
        if self.cohorts:
            lines.append(
                f"{counted(numbers['workers'], 'worker')}, {numbers['memory_per_worker_gib']} GiB each; about "
                f"{numbers['hours']} hours for everything (a guess until the first cohorts are done), "
                f"{numbers['disk_mib']} MiB of disk"
            )
        return "\n".join(lines)


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
    cohorts = partition(trials, resources.memory, resources.device, finished)
    return Plan(tuple(spaces), tuple(trials), tuple(cohorts), resources)


def as_first_planned(
    resources: Resources, spaces: Sequence[SearchSpace], declared: Iterable[tuple[Any, Any]]
) -> tuple[Resources, str | None]:
    """Resources with the memory for which an earlier sweep cut its cohorts, so that this one cuts them alike.

    An earlier sweep counts if it declared any trial of these spaces, for workers with as many cores and GPUs. The
    figure of the earliest is taken, or where it does not fit any more, of the next one; a figure fits if it is at most
    `STILL_FITS` of the main memory that is free now for a worker, or at most what is planned of a GPU's.

    Args:
        resources: as measured now.
        declared: spaces and settings of earlier sweeps, as `sweep.storage.Storage.declared` gives them.

    Returns:
        The resources, and what to tell if the earliest figure does not fit.
    """
    figures = [
        memory
        for records, settings in declared
        if (memory := _memory(settings, resources)) and _any_shared(spaces, records)
    ]
    most = resources.memory * (1.0 if resources.gpus else STILL_FITS / PLANNED)
    memory = next((figure for figure in figures if figure <= most), resources.memory)
    if not figures or memory == figures[0]:
        return replace(resources, memory=memory), None
    return replace(resources, memory=memory), (
        f"The first sweep of these trials planned {figures[0] / 2**30:.2f} GiB of memory for each worker, and that is "
        f"no longer free. This sweep plans {memory / 2**30:.2f} GiB and divides the trials into cohorts again. "
        "Their scores may differ in rounding from those of a sweep that was never disturbed."
    )


def _memory(settings: Any, resources: Resources) -> int | None:
    """What a sweep with these settings planned for a worker, if its workers were of this kind; anybody wrote them."""
    worker = settings.get("worker") if isinstance(settings, dict) else None
    if not isinstance(worker, dict) or any(worker.get(name) != getattr(resources, name) for name in ("cores", "gpus")):
        return None
    memory = worker.get("memory")
    return memory if type(memory) is int and 0 < memory < 2**63 else None


def _any_shared(spaces: Sequence[SearchSpace], records: Any) -> bool:
    """Whether any of these spaces has a trial in common with any that was declared."""
    known = records.values() if isinstance(records, dict) else ()
    return any(space.shares_trials(record) for space in spaces for record in known)


def _check_precision(spaces: Sequence[SearchSpace], resources: Resources) -> None:
    for space in spaces:
        precision = space.training.columns.get("precision", "float32")
        if precision != "float32" and not resources.gpus:
            raise PlanError(
                f"{space.name}: training.precision: got {precision}, allowed: float32 for workers without a CUDA device"
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
        return Resources(workers, machine.cores // workers, gpus_per_worker, memory, FLOPS_PER_GPU * gpus_per_worker)
    cores = machine.cores // workers
    return Resources(workers, cores, 0.0, int(PLANNED * machine.memory / workers), FLOPS_PER_CORE * cores)


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
            axes = list(dict.fromkeys(axis for space in plan.spaces for axis in space.kind.axes))
            writer.writerow(["cohort", "trial_id", "family", *axes])
            for number, cohort in enumerate(plan.cohorts):
                for trial in cohort.trials:
                    values = (getattr(trial.settings, axis, None) for axis in axes)
                    row = (number, trial.trial_id, trial.family, *values)
                    writer.writerow(map(for_spreadsheet, row))
    except OSError as error:
        raise PlanError(f"--save: got {path}, allowed: a file that can be written ({error.strerror})") from None


def cohort_flops(cohort: Cohort) -> int:
    return len(cohort.trials) * training_flops(cohort.trials[0])


def _disk_bytes(cohort: Cohort) -> int:
    return len(cohort.trials) * cost_of(cohort.trials[0]).disk_bytes()
