"""The memory of a worker: the settings of its allocator, how to free it, and how to recognise a lack of it.

Only the functions that need torch import it: a driver reads `ALLOCATOR` without it.
"""

import ctypes
import gc
from contextlib import suppress

# Environment of a process that trains on the CPU: the process keeps freed memory for its next use. The C library reads
# these variables when the process starts.
ALLOCATOR = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**34)}
# Messages of the RuntimeErrors that torch, the C++ library and oneDNN raise on a CPU when memory is too small.
_OUT_OF_MEMORY = ("can't allocate memory", "bad_alloc", "could not create a")


def return_memory() -> None:
    """Give freed memory back to the system and to the CUDA device; with `ALLOCATOR` the process keeps it otherwise.

    Call it between two cohorts: the blocks of the second one do not fit into the gaps that the first one leaves.
    """
    import torch

    gc.collect()  # frames of an error form reference cycles, which hold the tensors of the failed cohort
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
