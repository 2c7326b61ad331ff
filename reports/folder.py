"""The folder of a report: written whole or left as it was."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAGE = "index.html"


@contextmanager
def staging(out: Path) -> Iterator[Path]:
    """A folder to write into; what is there at the end moves to `out`, the page last, unless something failed.

    Raises:
        OSError: `out` can't be made or written, before anything else is done.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".report-", dir=out) as folder:
        stage = Path(folder)
        yield stage
        for file in sorted(stage.iterdir(), key=lambda path: path.name == PAGE):
            file.replace(out / file.name)
