"""Ends every process of a session, also those in process groups of their own, such as Ray's workers."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

ENDING_S = 5.0  # the system takes a moment to end a process that was killed, and longer if it waits for a disk
_STATE, _SESSION = 0, 3  # numbers of fields of /proc/PID/stat, counted after the name of the process


def end_session(leader: int) -> None:
    """Kill all processes of the session that a process leads or led, and wait until they have ended.

    If this process is among them, it comes last.
    """
    latest = time.monotonic() + ENDING_S
    while others := [pid for pid in _members(leader) if pid != os.getpid()]:
        for pid in others:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > latest:
            break
        time.sleep(0.01)
    if os.getsid(0) == leader:
        os.kill(os.getpid(), signal.SIGKILL)


def _members(leader: int) -> list[int]:
    """Processes of a session that have not ended."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if int(fields[_SESSION]) == leader and fields[_STATE] != "Z":
                found.append(int(process.name))
    return found
