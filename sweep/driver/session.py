"""Ending every process of a session, also those that have made process groups of their own, as Ray's workers do."""

import os
import signal
from contextlib import suppress
from pathlib import Path

_SESSION = 3  # field of /proc/PID/stat, counted from behind the name


def end_session(leader: int) -> None:
    """Kill all processes of the session that a process leads or led; this one last, if it is among them."""
    members = [int(path.name) for path in Path("/proc").glob("[0-9]*") if _session(path) == leader]
    for pid in sorted(members, key=lambda pid: pid == os.getpid()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _session(process: Path) -> int | None:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[_SESSION])
    except OSError:  # it has just ended
        return None
