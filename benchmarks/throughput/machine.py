"""The machine: what it is called, and its limit, measured: the largest rates of matrix products and of copies."""

import re

from benchmarks.throughput.processes import Lanes
from benchmarks.throughput.roofline import Limit
from sweep.planning.machine import Machine, processor_name

_SIZES = (512, 1024, 2048)
_SIZES_GPU = (4096, 8192)
_COPIES = tuple(2**n for n in (19, 20, 21, 22, 23, 24, 25, 26, 28))  # 512 KiB to 256 MiB
_COPIES_GPU = tuple(2**n for n in (22, 24, 26, 28, 30, 32))


def device_name(machine: Machine) -> str:
    """Of the first CUDA device, or else of the processor with its cores."""
    if machine.gpus:
        return machine.gpus[0][0]
    return f"{processor_name()}, {machine.cores} cores"


def file_name(device: str) -> str:
    """The name of a device in that of a file of results."""
    return re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")


def measure_limit(lanes: Lanes, device: str, seconds: float) -> Limit:
    """The best of one process a core and, on a CPU, one process with a thread a core."""
    gpu = device == "cuda"
    flops = max(_best(lanes, "product", size, seconds) for size in (_SIZES_GPU if gpu else _SIZES))
    copies = _COPIES_GPU if gpu else _COPIES
    return Limit(flops, {size: _best(lanes, "copy", size, seconds) for size in copies})


def better(one: Limit, other: Limit) -> Limit:
    """The higher of both measurements in every rate: a limit is what has been seen to be possible."""
    rates = {size: max(rate, other.bandwidth[size]) for size, rate in one.bandwidth.items()}
    return Limit(max(one.flops, other.flops), rates)


def _best(lanes: Lanes, action: str, size: int, seconds: float) -> float:
    apart = sum(lanes.all(action, size, 1, seconds))
    together: float = lanes.first(action, size, len(lanes), seconds) if len(lanes) > 1 else 0.0
    return max(apart, together)
