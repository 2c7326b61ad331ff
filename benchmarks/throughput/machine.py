"""The machine: its name, and its roofline, the largest measured rates of matrix products and of copies."""

import re

from benchmarks.throughput.processes import Processes
from benchmarks.throughput.roofline import Roofline
from sweep.planning.machine import Machine, processor_name

_SIZES = (512, 1024, 2048)
_SIZES_GPU = (4096, 8192)
_COPIES = tuple(2**n for n in (19, 20, 21, 22, 23, 24, 25, 26, 28))  # 512 KiB to 256 MiB
_COPIES_GPU = tuple(2**n for n in (22, 24, 26, 28, 30, 32))


def device_name(machine: Machine) -> str:
    """Name of the first CUDA device, or else of the processor with its cores."""
    if machine.gpus:
        return machine.gpus[0][0]
    return f"{processor_name()}, {machine.cores} cores"


def file_name(device: str) -> str:
    """The name of a device as part of a file name."""
    return re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")


def measure_roofline(processes: Processes, device: str, seconds: float) -> Roofline:
    """The best of one process on each core and, on a CPU, one process with a thread on each core."""
    gpu = device == "cuda"
    flops = max(_best(processes, "product", size, seconds) for size in (_SIZES_GPU if gpu else _SIZES))
    copies = _COPIES_GPU if gpu else _COPIES
    return Roofline(flops, {size: _best(processes, "copy", size, seconds) for size in copies})


def better(one: Roofline, other: Roofline) -> Roofline:
    """The higher of both measurements in every rate: the roofline is the fastest that was ever measured."""
    rates = {size: max(rate, other.bandwidth[size]) for size, rate in one.bandwidth.items()}
    return Roofline(max(one.flops, other.flops), rates)


def _best(processes: Processes, action: str, size: int, seconds: float) -> float:
    apart = sum(processes.all(action, size, 1, seconds))
    together: float = processes.first(action, size, len(processes), seconds) if len(processes) > 1 else 0.0
    return max(apart, together)
