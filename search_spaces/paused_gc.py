"""Making many objects without the garbage collector looking through them over and over."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """Switch Python's garbage collector off for what makes many lasting objects, none of them in a cycle.

    Each of its collections would visit all objects made so far; at the end it is told to leave them alone for good.
    They are still freed as soon as nothing refers to them.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.freeze()
            gc.enable()
