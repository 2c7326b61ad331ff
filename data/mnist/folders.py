"""Folders that hold IDX files: reading one, and writing one so that no reader ever meets half a file."""

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
    """Where a folder keeps a file: itself or torchvision's MNIST/raw below it, plain rather than gzipped.

    Raises:
        DataError: the folder may not be entered.
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
    """Store arrays as plain IDX files, each appearing whole or not at all.

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
    """Clear what a killed writer left; a live one takes seconds, so an hour is surely abandoned."""
    for partial in folder.glob(f".*{_PARTIAL}"):
        with contextlib.suppress(FileNotFoundError):  # another process may be clearing as well
            if time.time() - partial.stat().st_mtime > _ABANDONED_S:
                partial.unlink()
