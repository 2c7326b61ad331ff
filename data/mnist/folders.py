"""Reading and writing folders of IDX files; a reader never sees half a file."""

import contextlib
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from data.errors import DataError
from data.mnist.idx import Bytes, IdxFile

_PARTIAL = ".part"
_ABANDONED_S = 3600.0


def find(folder: Path, file: IdxFile) -> Path | None:
    """The path of a file: in the folder or in torchvision's MNIST/raw below it; a plain file before a gzipped one.

    Raises:
        DataError: the folder may not be read.
    """
    places = [parent / name for parent in (folder, folder / "MNIST" / "raw") for name in _names(file)]
    try:
        return next((place for place in places if place.is_file()), None)
    except OSError as error:
        raise DataError(f"cannot read {folder}: {error.strerror or error}") from error


def read(folder: Path, files: Sequence[IdxFile]) -> dict[str, Bytes]:
    """The arrays of a folder's files, by file name.

    Raises:
        DataError: a file is absent, unreadable or not the published one.
    """
    return {file.name: _read_one(folder, file) for file in files}


def write(folder: Path, files: Sequence[IdxFile], arrays: Mapping[str, Bytes]) -> None:
    """Write arrays as plain IDX files; each file appears whole or not at all.

    Writers may overlap: they write the same bytes, and the last rename wins.

    Raises:
        DataError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        for file in files:
            _write_one(folder / file.name, file.encode(arrays[file.name]))
    except OSError as error:
        raise DataError(f"cannot write MNIST to {folder}: {error.strerror or error}") from error


def _names(file: IdxFile) -> tuple[str, str]:
    return file.name, f"{file.name}.gz"


def _read_one(folder: Path, file: IdxFile) -> Bytes:
    path = find(folder, file)
    if path is None:
        raise DataError(f"{folder} has no {file.name} (plain or .gz, there or in MNIST/raw below)")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    return file.decode(content, str(path))


def _write_one(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}-{secrets.token_hex(8)}{_PARTIAL}")  # one for each writer
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except BaseException:  # an interrupt, too, must not leave the partial file
        partial.unlink(missing_ok=True)
        raise


def _remove_abandoned(folder: Path) -> None:
    """Delete the files of killed writers; a live one takes seconds, so a file of an hour ago is abandoned."""
    for partial in folder.glob(f".*{_PARTIAL}"):
        with contextlib.suppress(FileNotFoundError):  # another process may delete it too
            if time.time() - partial.stat().st_mtime > _ABANDONED_S:
                partial.unlink()
