"""Printing that never stops a sweep: a full disk swallows a line, a closed pipe all that follow."""

import os
import sys
from collections.abc import Callable


def say(text: str) -> None:
    """Print a line, if it can be printed."""
    attempt(lambda: print(text, flush=True))


def attempt(printing: Callable[[], object]) -> None:
    """Do something that prints; go on without output where nobody reads any more."""
    try:
        printing()
    except BrokenPipeError:
        _mute()
    except SystemExit:  # rich's way with a closed pipe
        _mute()
    except OSError:
        return


def shown(text: str) -> str:
    """Text of unknown origin for a terminal: without control characters, which could do more than be read."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _mute() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
