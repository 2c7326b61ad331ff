"""Ends every process of a session, also those in process groups of their own, such as Ray's workers."""

import os
import signal
from contextlib import suppress
from pathlib import Path

_SESSION = 3  # number of the field of /proc/PID/stat, counted after the name of the process


def end_session(leader: int) -> None:
    """Kill all processes of the session that a process leads or led; if this process is among them, it comes last."""
    members = [int(path.name) for path in Path("/proc").glob("[0-9]*") if _session(path) == leader]
    for pid in sorted(members, key=lambda pid: pid == os.getpid()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _session(process: Path) -> int | None:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[_SESSION])
    except OSError:  # it has just ended
        return None
