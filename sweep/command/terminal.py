"""The standard streams and the terminal of a command. Settings of the terminal are restored at its end."""

import os
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sweep.command.console import say

_LOCAL_MODES = 3  # index of c_lflag in the list of termios
_SHOW_CURSOR = "\x1b[?25h"


def open_streams() -> None:
    """Open missing standard streams; else the next open file, perhaps the database, takes the place of one."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # it gets the lowest free number, which is this one
            os.set_inheritable(opened, True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


@contextmanager
def quiet_terminal() -> Iterator[None]:
    """Do not show ^C for Ctrl-C: it moves the cursor, and a live display then leaves a row behind."""
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
        if _is_ours():  # from the background, the change would stop the process
            _set(before)


def _set(modes: list[Any]) -> None:
    with suppress(termios.error):  # the terminal has been closed
        termios.tcsetattr(sys.stdout, termios.TCSANOW, modes)


def _is_ours() -> bool:
    """Whether the output is a terminal whose settings this process may change, because it is in the foreground."""
    try:
        return sys.stdout.isatty() and os.tcgetpgrp(sys.stdout.fileno()) == os.getpgrp()
    except OSError:  # it is not the terminal of this session
        return False


def clear_live_display() -> None:
    """Show the cursor again, which a dead process had hidden, and end the line."""
    if sys.stdout.isatty():
        say(_SHOW_CURSOR)
