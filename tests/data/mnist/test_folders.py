"""Folders of IDX files: where files are looked for, and that none is ever there by half."""

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from made_mnist import Digits

from data.errors import DataError
from data.mnist import folders


def test_finds_plain_before_gzipped_and_here_before_torchvision(tmp_path: Path, digits: Digits) -> None:
    file = digits.files[0]
    raw = tmp_path / "MNIST" / "raw"
    assert folders.find(tmp_path, file) is None
    digits.save(raw, gzipped=True)
    assert folders.find(tmp_path, file) == raw / f"{file.name}.gz"
    digits.save(raw, gzipped=False)
    assert folders.find(tmp_path, file) == raw / file.name
    digits.save(tmp_path, gzipped=True)
    assert folders.find(tmp_path, file) == tmp_path / f"{file.name}.gz"


def test_a_folder_of_that_name_is_not_a_file(tmp_path: Path, digits: Digits) -> None:
    (tmp_path / digits.files[0].name).mkdir()
    assert folders.find(tmp_path, digits.files[0]) is None


def test_reads_back_what_it_wrote_and_leaves_nothing_else(tmp_path: Path, digits: Digits) -> None:
    folder = tmp_path / "new" / "cache"
    folders.write(folder, digits.files, digits.arrays)
    assert {path.name for path in folder.iterdir()} == {file.name for file in digits.files}
    arrays = folders.read(folder, digits.files)
    for name, array in digits.arrays.items():
        np.testing.assert_array_equal(arrays[name], array)


def test_an_absent_file_is_named(tmp_path: Path, digits: Digits) -> None:
    digits.save(tmp_path, gzipped=True)
    (tmp_path / f"{digits.files[2].name}.gz").unlink()
    with pytest.raises(DataError, match=f"{tmp_path} has no {digits.files[2].name}"):
        folders.read(tmp_path, digits.files)
    assert folders.read(tmp_path, digits.files[:2]).keys() == {file.name for file in digits.files[:2]}


def test_a_failed_write_leaves_no_partial_file(tmp_path: Path, digits: Digits) -> None:
    (tmp_path / digits.files[1].name / "in the way").mkdir(parents=True)
    with pytest.raises(DataError, match=f"cannot write MNIST to {tmp_path}: "):
        folders.write(tmp_path, digits.files, digits.arrays)
    assert {path.name for path in tmp_path.iterdir()} == {file.name for file in digits.files[:2]}


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path, digits: Digits) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot write MNIST to .*file/cache: Not a directory"):
        folders.write(tmp_path / "file" / "cache", digits.files, digits.arrays)


def test_what_a_killed_writer_left_is_cleared_but_not_a_live_writers_file(tmp_path: Path, digits: Digits) -> None:
    old, new = tmp_path / ".train-0.part", tmp_path / ".train-1.part"
    old.touch()
    new.touch()
    yesterday = time.time() - 86_400
    os.utime(old, (yesterday, yesterday))
    folders.write(tmp_path, digits.files, digits.arrays)
    assert not old.exists()
    assert new.exists()


def test_readers_meet_whole_files_while_others_write(tmp_path: Path, digits: Digits) -> None:
    folders.write(tmp_path, digits.files, digits.arrays)
    failures: list[Exception] = []

    def write() -> None:
        try:
            for _ in range(20):
                folders.write(tmp_path, digits.files, digits.arrays)
        except DataError as error:
            failures.append(error)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    reads = 0
    while any(writer.is_alive() for writer in writers):
        folders.read(tmp_path, digits.files)
        reads += 1
    assert failures == []
    assert reads > 0
    assert {path.name for path in tmp_path.iterdir()} == {file.name for file in digits.files}
