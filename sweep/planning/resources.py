"""What the workers of a sweep may use: machines are shared out, as they were when the sweep was first planned."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from search_spaces.space import SearchSpace
from sweep.planning.machine import Machine

PLANNED = 0.7  # share of the free main memory that cohorts may take
# Share of the free main memory that a figure of an earlier sweep may take. Free memory differs by some percent from
# start to start, so a new figure leaves room to spare, and a figure that is used again may take some of that room.
STILL_FITS = 0.9


class PlanError(Exception):
    """A plan that can't be carried out, such as one for more workers than the machine has; the message is one line."""


@dataclass(frozen=True)
class Resources:
    """What the workers may use, and what one of them gets.

    Attributes:
        workers: cohorts in flight at once.
        cores: processor cores of a worker, which runs one thread on each.
        gpus: CUDA devices of a worker; may be a fraction.
        memory: bytes that a cohort may take on its device.
    """

    workers: int
    cores: float
    gpus: float
    memory: int

    @property
    def units(self) -> float:
        """Cores of a worker, or its CUDA devices if it has any."""
        return self.gpus or self.cores

    @property
    def device(self) -> str:
        """Where a cohort lives, "cpu" or "cuda"."""
        return "cuda" if self.gpus else "cpu"


def share_out(
    machines: Sequence[Machine], workers: int | None = None, gpus_per_worker: float | None = None
) -> Resources:
    """Divide machines among workers that are all alike: by default one per GPU, or one per core where no GPU is.

    A worker stays on one machine, and none gets more memory than the poorest of the machines has for it.

    Raises:
        PlanError: more is asked for than the machines have.
    """
    gpus = _gpus_per_worker(machines, workers, gpus_per_worker)
    used = [machine for machine in machines if machine.gpus or not gpus]
    most = [min(machine.cores, _room_on_gpus(len(machine.gpus), gpus)) if gpus else machine.cores for machine in used]
    workers = sum(most) if workers is None else workers
    if not 1 <= workers <= sum(most):
        raise PlanError(f"--workers: got {workers}, allowed: 1 to {sum(most)} on {_described(machines, gpus)}")
    cores = max(c for c in range(1, 1 + max(m.cores for m in used)) if sum(_places(used, most, c)) >= workers)
    if gpus:
        smallest = min(size for machine in used for _, size in machine.gpus)
        return Resources(workers, cores, gpus, int(0.9 * smallest * min(1.0, gpus)))
    each = [max(1, min(workers, places)) for places in _places(used, most, cores)]
    memory = min(int(PLANNED * machine.memory / n) for machine, n in zip(used, each, strict=True))
    return Resources(workers, cores, 0.0, memory)


def _gpus_per_worker(machines: Sequence[Machine], workers: int | None, asked: float | None) -> float:
    n_gpus = [len(machine.gpus) for machine in machines]
    if asked is None:
        return 1 / math.ceil((workers or 1) / sum(n_gpus)) if any(n_gpus) else 0.0
    if asked and not any(n_gpus):
        raise PlanError(f"--gpus-per-worker: got {asked:g}, allowed: 0, for no CUDA device is found here")
    if asked > max(n_gpus) or (asked > 1 and asked % 1):
        raise PlanError(f"--gpus-per-worker: got {asked:g}, allowed: 0 to 1, or a whole number up to {max(n_gpus)}")
    return asked


def _room_on_gpus(n_gpus: int, each: float) -> int:
    """How many workers the GPUs take. A worker with a fraction of a device gets it from a single device."""
    return n_gpus // int(each) if each >= 1 else n_gpus * int(1 / each + 1e-9)


def _places(machines: Sequence[Machine], most: Sequence[int], cores: int) -> list[int]:
    """How many workers with this many cores each machine has room for, up to the most that it takes."""
    return [min(n, machine.cores // cores) for machine, n in zip(machines, most, strict=True)]


def _described(machines: Sequence[Machine], gpus: float) -> str:
    if len(machines) > 1:
        return f"this cluster of {len(machines)} machines"
    (machine,) = machines
    return f"this machine with {machine.cores} cores" + (f" and {len(machine.gpus)} CUDA devices" if gpus else "")


def as_first_planned(
    resources: Resources, spaces: Sequence[SearchSpace], declared: Iterable[tuple[Any, Any]]
) -> tuple[Resources, str | None]:
    """Resources with the memory for which an earlier sweep cut its cohorts, so that this one cuts them alike.

    An earlier sweep counts if it declared any trial of these spaces, for workers with as many cores and GPUs. The
    figure of the earliest such sweep that fits is taken. A figure fits if it is at most `STILL_FITS` of the main memory
    that is free now for a worker, or on a GPU at most the memory that would be planned now.

    Args:
        resources: as measured now.
        declared: spaces and settings of earlier sweeps, as `sweep.storage.Storage.declared` gives them.

    Returns:
        The resources, and a note for the user if the earliest figure does not fit.
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
    """Memory that a sweep planned for a worker, if its workers were of this kind. A stranger may have written it."""
    worker = settings.get("worker") if isinstance(settings, dict) else None
    if not isinstance(worker, dict) or any(worker.get(name) != getattr(resources, name) for name in ("cores", "gpus")):
        return None
    memory = worker.get("memory")
    return memory if type(memory) is int and 0 < memory < 2**63 else None


def _any_shared(spaces: Sequence[SearchSpace], records: Any) -> bool:
    """Whether any of these spaces shares a trial with a space that was declared."""
    known = records.values() if isinstance(records, dict) else ()
    return any(space.shares_trials(record) for space in spaces for record in known)
