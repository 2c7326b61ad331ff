"""Waiting for a database no longer than one wants to."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sweep.storage.storage import Storage


@contextmanager
def answers_within(storage: Storage, seconds: Callable[[], float]) -> Iterator[None]:
    """End the wait for a database that does not answer in time: it raises a StorageError.

    Args:
        seconds: how long the wait may take; asked again and again, for it may change meanwhile.
    """
    done = threading.Event()

    def watch() -> None:
        start = time.monotonic()
        while not done.wait(0.2):
            if time.monotonic() - start > seconds():
                storage.cut()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
