"""The event log of a sweep: one JSON object per line, from which one can later see what happened and when."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any


class EventLog:
    """Appends events to a file; a log that can't be written never stops a sweep.

    Args:
        path: the file, created if it is missing; None for no log.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def write(self, event: str, **values: Any) -> None:
        """Append one line: the time in UTC, the event, and its values."""
        if self.path is None:
            return
        line = json.dumps({"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **values})
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+") as file:
                if _is_torn(file):
                    file.write(b"\n")
                file.write(line.encode() + b"\n")
        except OSError:
            return


def _is_torn(file: IO[bytes]) -> bool:
    """Whether the last line has no end: a full disk may have cut it."""
    if file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"
