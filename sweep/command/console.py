"""Printing that never stops a sweep: a full disk loses one line, a closed pipe all that follow."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress


class OutputError(Exception):
    """Output that can't be written; the message is one line."""


def say(text: str) -> None:
    """Print a line, if possible."""
    attempt(lambda: print(text, flush=True))


def warn(text: str) -> None:
    """Write a line to the error stream, if possible."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def attempt(printing: Callable[[], object]) -> None:
    """Call a function that prints. If nobody reads the output any more, later output is dropped."""
    try:
        printing()
    except BrokenPipeError:
        _mute()
    except SystemExit:  # rich raises this for a closed pipe
        _mute()
    except OSError:
        return


def answer(text: str) -> None:
    """Print the result of a command.

    Raises:
        OutputError: it can't be written. A closed pipe is no error.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _mute()
    except OSError as error:
        _mute()
        raise OutputError(f"the output can't be written: {error.strerror}") from None


def shown(text: str) -> str:
    """Text of unknown origin for a terminal: without control characters, which could control the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)


def one_line(text: str) -> str:
    """Text of unknown origin in one line, for an error message."""
    return shown(" ".join(text.splitlines()))


def _mute() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
