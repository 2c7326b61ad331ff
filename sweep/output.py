"""Printing that never stops a sweep: a full disk swallows a line, a closed pipe all that follow."""

import os
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOCAL_MODES = 3  # place of c_lflag in what termios gives
_SHOW_CURSOR = "\x1b[?25h"


class OutputError(Exception):
    """Output that can't be written; the message is one line."""


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


def answer(text: str) -> None:
    """Print what a command was asked for.

    Raises:
        OutputError: it can't be written. A pipe that nobody reads any more is no error.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _mute()
    except OSError as error:
        _mute()
        raise OutputError(f"the output can't be written: {error.strerror}") from None


def counted(n: int, noun: str) -> str:
    """ "1 trial" or "2 trials"."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def open_streams() -> None:
    """Make sure that input, output and errors are open; else the next file, maybe the database, takes their place."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # it gets the lowest number that is free, which is this one
            os.set_inheritable(opened, True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


@contextmanager
def quiet_terminal() -> Iterator[None]:
    """Let the terminal show no ^C for Ctrl-C: that moves the cursor, and a live display leaves a row behind."""
    if not sys.stdout.isatty() or os.tcgetpgrp(sys.stdout.fileno()) != os.getpgrp():
        yield
        return
    before = termios.tcgetattr(sys.stdout)
    changed = [*before]
    changed[_LOCAL_MODES] = before[_LOCAL_MODES] & ~termios.ECHOCTL
    termios.tcsetattr(sys.stdout, termios.TCSANOW, changed)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdout, termios.TCSANOW, before)


def clear_live_display() -> None:
    """Show the cursor again, which a process that died had hidden, and end its line."""
    if sys.stdout.isatty():
        say(_SHOW_CURSOR)


def shown(text: str) -> str:
    """Text of unknown origin for a terminal: without control characters, which could do more than be read."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _mute() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
