"""Databases that can't be used: each is refused in one line that names it, and left as it was."""

import hashlib
import os
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from made_trials import trials

from sweep.storage import Storage, StorageError, exists

ALLOWED = "allowed: a path that ends in .db, or one such as postgresql+psycopg://user@host/results"


def other_tables(file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.executescript("CREATE TABLE trials (number INTEGER); INSERT INTO trials VALUES (7);")
    connection.close()


def alembic_only(file: Path) -> None:
    """As Optuna and others leave it."""
    connection = sqlite3.connect(file)
    connection.executescript(
        "CREATE TABLE alembic_version (version_num VARCHAR(32)); INSERT INTO alembic_version VALUES ('v3.0.0.d');"
    )
    connection.close()


def random_bytes(file: Path) -> None:
    file.write_bytes(os.urandom(5000))


def short_text(file: Path) -> None:
    file.write_text("lr: [0.1]\n")


def newer_version(file: Path) -> None:
    storage = Storage(f"sqlite:///{file}", create=True)
    storage.add_trials(storage.declare("tiny", {}, {}, "1"), trials(2))
    storage.close()
    connection = sqlite3.connect(file)
    connection.executescript("UPDATE alembic_version SET version_num = '0999'; PRAGMA wal_checkpoint(TRUNCATE);")
    connection.close()


def fingerprint(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def refusal(url: str, create: bool) -> str:
    with pytest.raises(StorageError) as caught:
        Storage(url, create=create)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (other_tables, "not a results database of this project"),
        (alembic_only, "not a results database of this project"),
        (random_bytes, "file is not a database"),
        (short_text, "file is not a database"),
        (newer_version, "written by a newer version of this project: schema 0999, allowed: up to 0005"),
    ],
)
def test_a_database_that_is_not_ours_is_left_alone(
    tmp_path: Path, make: Callable[[Path], None], reason: str, create: bool
) -> None:
    file = tmp_path / "some.db"
    make(file)
    before = fingerprint(tmp_path)
    assert refusal(f"sqlite:///{file}", create) == f"sqlite:///{file}: {reason}"
    assert fingerprint(tmp_path) == before


def test_an_empty_file_is_no_results_database_yet(tmp_path: Path) -> None:
    file = tmp_path / "some.db"
    file.touch()
    assert refusal(f"sqlite:///{file}", False).endswith("not a results database of this project")
    assert file.read_bytes() == b""
    Storage(f"sqlite:///{file}", create=True).close()
    assert Storage(f"sqlite:///{file}").counts() == {}


def test_reading_makes_no_database(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "missing.db"
    assert refusal(f"sqlite:///{file}", False) == f"{file}: no such results database"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("below", "reason"), [("x.db", "File exists"), ("deep/x.db", "Not a directory")])
def test_a_folder_that_cant_be_written_is_named(tmp_path: Path, below: str, reason: str) -> None:
    (tmp_path / "file").write_text("in the way")
    file = tmp_path / "file" / below
    assert refusal(f"sqlite:///{file}", True).startswith(f"{file}: can't be opened: {reason}: {tmp_path}/file")
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    expected = f"{tmp_path}: a folder, allowed: a file, as in {tmp_path}/results.db"
    assert [refusal(f"sqlite:///{tmp_path}", create) for create in (True, False)] == [expected, expected]


def test_a_name_longer_than_the_system_allows(tmp_path: Path) -> None:
    file = tmp_path / ("x" * 300)
    assert refusal(f"sqlite:///{file}", True) == f"{file}: can't be opened: File name too long: {file}"


@pytest.mark.parametrize("name", ["results.db", "a folder/what? 50 %#1.db"])
def test_a_path_that_ends_in_db_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (name, str(tmp_path / "elsewhere" / name)):
        Storage(path, create=True).close()
        assert Path(path).is_file()
        assert exists(path)
        Storage(path).close()


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", f": not a database URL, {ALLOWED}"),
        ("results", f"results: not a database URL, {ALLOWED}"),
        ("cassandra://u:secret@h/db", f"cassandra...: not a database URL, {ALLOWED}"),
        ("postgresql://u:secret@h:port/db", f"postgresql...: not a database URL, {ALLOWED}"),
        ("postgres://h/db?user=u&password=secret", f"postgres...: not a database URL, {ALLOWED}"),
        ("postgresql+psycopg//u:secret", f"postgresql+psycopg...: not a database URL, {ALLOWED}"),
        (
            "postgresql+psycopg://u:sec@ret@h/db",
            "postgresql+psycopg: an @ within a name or a password of a database URL is written %40",
        ),
        (
            "postgresql+psycopg_async://u:s@h/db",
            f"postgresql+psycopg_async: not a kind of database for results, {ALLOWED}",
        ),
        ("mysql://u:secret@h/db", f"mysql: not a kind of database for results, {ALLOWED}"),
        ("sqlite://", "sqlite://: allowed: a file, as in sqlite:///runs/mnist/results.db"),
        ("sqlite:///:memory:", "sqlite:///%3Amemory%3A: allowed: a file, as in sqlite:///runs/mnist/results.db"),
    ],
)
def test_bad_url(url: str, reason: str, create: bool) -> None:
    assert refusal(url, create) == reason


@pytest.mark.parametrize("create", [False, True])
def test_a_missing_package_is_named_and_no_password_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, create: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    reason = "needs the Python package psycopg2"
    message = refusal("postgresql+psycopg2://user:secret@host/db", create)
    assert message == f"postgresql+psycopg2://user:***@host/db: {reason}"
    in_query = refusal("postgresql+psycopg2://host/db?user=user&password=secret", create)
    assert in_query == f"postgresql+psycopg2://host/db: {reason}"
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_it_is_used_is_one_line_that_names_the_database(tmp_path: Path) -> None:
    file = tmp_path / "some.db"
    storage = Storage(f"sqlite:///{file}", create=True)
    connection = sqlite3.connect(file)
    connection.executescript("DROP VIEW results")
    connection.close()
    with pytest.raises(StorageError) as caught:
        storage.results()
    assert str(caught.value) == f"sqlite:///{file}: no such table: results"
    storage.close()
