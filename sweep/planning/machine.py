"""Processors, memory and GPUs of this machine, found without loading torch."""

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """Processors and accelerators of this machine.

    Attributes:
        cores: processor cores this process may use.
        memory: bytes of main memory that are free to use.
        gpus: name and bytes of memory of each CUDA device that is visible.
    """

    cores: int
    memory: int
    gpus: tuple[tuple[str, int], ...]


def this_machine() -> Machine:
    return Machine(cores=len(os.sched_getaffinity(0)), memory=_free_memory(), gpus=_cuda_devices())


def processor_name() -> str:
    """Name of the processor, as the system gives it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "CPU")


def _free_memory() -> int:
    """Bytes of available memory, at most the control group's limit if there is one."""
    info = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    available = next(int(line.split()[1]) * 1024 for line in info if line.startswith("MemAvailable"))
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (text := limit.read_text(encoding="utf-8").strip()).isdigit():
        available = min(available, int(text))
    return available


def _cuda_devices() -> tuple[tuple[str, int], ...]:
    """Name and bytes of each CUDA device, from the CUDA driver; importing torch for this would take seconds."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return ()
    count = ctypes.c_int()
    if cuda.cuInit(0) != 0 or cuda.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return ()
    return tuple(_cuda_device(cuda, i) for i in range(count.value))


def _cuda_device(cuda: ctypes.CDLL, index: int) -> tuple[str, int]:
    name, memory = ctypes.create_string_buffer(128), ctypes.c_size_t()
    cuda.cuDeviceGetName(name, len(name), index)
    cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), index)
    return name.value.decode(), memory.value
