"""A limit on the time that a caller waits for a database."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sweep.storage.storage import Storage


@contextmanager
def answers_within(storage: Storage, seconds: Callable[[], float]) -> Iterator[None]:
    """Raise a StorageError in the code within if the database does not answer in time.

    Args:
        seconds: gives the time that the wait may take. It is called again and again, because the time may change.
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
