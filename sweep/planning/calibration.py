"""How fast the processor of this machine is, from matrix products, where no better measurement of it is known."""

import os
import time
from functools import cache

from sweep.planning.machine import processor_name
from sweep.planning.rates import CPU, PROCESSOR, PRODUCT_FLOPS, Rates

SECONDS = 2.0
_SIZE = 1024  # rows and columns of the matrices


def calibrated() -> Rates:
    """The recorded rates on the processor for which they were recorded, or else scaled by a measurement."""
    if processor_name() == PROCESSOR:
        return CPU
    return CPU.slower(PRODUCT_FLOPS / _product_flops(), "matrix products of two seconds on this machine")


@cache
def _product_flops() -> float:
    """Floating-point operations per second of a core in a large matrix product, all cores at work."""
    import numpy as np  # other commands do not need it

    one = np.ones((_SIZE, _SIZE), np.float32)
    one @ one  # starts its threads
    start, n = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        one @ one
        n += 1
    return n * 2 * _SIZE**3 / (time.perf_counter() - start) / len(os.sched_getaffinity(0))
