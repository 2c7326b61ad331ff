"""Sample sheets as files beside the page, written a few at a time."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

FOLDER = "sheets"
AT_ONCE = 200  # sheets in memory, about 4 MB
_PNG = b"\x89PNG\r\n\x1a\n"
# A name from a stranger's database must not lead out of the folder.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def write_sheets(
    folder: Path, trial_ids: Iterable[str], read_sheets: Callable[[Sequence[str]], Mapping[str, bytes]]
) -> set[str]:
    """Write `folder`/sheets/<trial_id>.png for each trial that has a sheet, and say which these are."""
    written: set[str] = set()
    (folder / FOLDER).mkdir()
    names = (trial_id for trial_id in dict.fromkeys(trial_ids) if _NAME.fullmatch(trial_id))
    while part := list(islice(names, AT_ONCE)):
        for trial_id, png in read_sheets(part).items():
            if png.startswith(_PNG):
                (folder / FOLDER / f"{trial_id}.png").write_bytes(png)
                written.add(trial_id)
    return written
