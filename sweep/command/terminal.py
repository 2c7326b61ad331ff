"""The streams and the terminal of a command, which are as they were when it is over."""

import os
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sweep.command.console import say

_LOCAL_MODES = 3  # place of c_lflag in what termios gives
_SHOW_CURSOR = "\x1b[?25h"


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
    if not _is_ours():
        yield
        return
    before = termios.tcgetattr(sys.stdout)
    changed = [*before]
    changed[_LOCAL_MODES] = before[_LOCAL_MODES] & ~termios.ECHOCTL
    _set(changed)
    try:
        yield
    finally:
        if _is_ours():  # in the background this would stop the process
            _set(before)


def _set(modes: list[Any]) -> None:
    with suppress(termios.error):  # it has been closed
        termios.tcsetattr(sys.stdout, termios.TCSANOW, modes)


def _is_ours() -> bool:
    """Whether the output is a terminal, and this process is in its foreground, so that it may change its settings."""
    try:
        return sys.stdout.isatty() and os.tcgetpgrp(sys.stdout.fileno()) == os.getpgrp()
    except OSError:  # the terminal of somebody else
        return False


def clear_live_display() -> None:
    """Show the cursor again, which a process that died had hidden, and end its line."""
    if sys.stdout.isatty():
        say(_SHOW_CURSOR)
