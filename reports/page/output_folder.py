"""The folder of a report, which is written whole or left as it was."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAGE = "index.html"


@contextmanager
def staging(out: Path) -> Iterator[Path]:
    """A temporary folder, whose files move to `out` at the end, the page last; after an error none does.

    Raises:
        OSError: `out` can't be made or written; then nothing else was done.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".report-", dir=out) as folder:
        stage = Path(folder)
        yield stage
        for file in sorted(_files(stage), key=lambda path: path == stage / PAGE):
            place = out / file.relative_to(stage)
            place.parent.mkdir(exist_ok=True, parents=True)
            file.replace(place)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
