"""The log of a sweep: one JSON object a line, for whoever asks in the morning what happened in the night."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class Journal:
    """Appends events to a file; a log that can't be written never stops a sweep.

    Args:
        path: the file, made if need be; None for no log.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def write(self, event: str, **values: Any) -> None:
        """One line: the time in UTC, the event, and its values."""
        if self.path is None:
            return
        line = json.dumps({"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **values})
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError:
            return
