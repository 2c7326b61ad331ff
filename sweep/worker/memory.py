"""The memory of a worker: how its process keeps it and gives it back, and what running out of it looks like.

Torch is imported only by the functions that need it: a driver reads `ALLOCATOR` without it.
"""

import ctypes
import gc
from contextlib import suppress

# Environment of a process that trains on the CPU: freed memory is used again instead of going back to the system.
# The C library reads it when the process starts.
ALLOCATOR = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**34)}
# How torch, the C++ library and oneDNN, which computes the classifier, say it on a CPU, all in a RuntimeError.
_OUT_OF_MEMORY = ("can't allocate memory", "bad_alloc", "could not create a")


def return_memory() -> None:
    """Give freed memory back to the system and to the CUDA device; with `ALLOCATOR` the process would keep it.

    Call it between two cohorts: blocks of other sizes do not fit into the gaps that the first cohort leaves.
    """
    import torch

    gc.collect()  # the frames of an error refer to one another and hold the cohort that failed
    with suppress(AttributeError, OSError):  # a C library that is not GNU's
        ctypes.CDLL(None).malloc_trim(0)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that the memory of the device or of the process was too small."""
    import torch

    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _OUT_OF_MEMORY)
