"""An SQLite file keeps what was written although other processes open it, and is complete when a command ends."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from made_trials import complete, put, rows, trials
from test_migrations import age, fill

from sweep.__main__ import main
from sweep.storage import Storage, StorageError, load_results, sqlite_file

COUNT = "SELECT count(*) FROM trials"
# A driver that opens a database, writes to it, tells so, and waits.
DRIVER = """
import sys
from made_trials import complete, put, trials
from sweep.storage import Storage
storage = Storage(sys.argv[1], create=True)
storage.claim()
grid = trials(3, space="new", size_g=12)
storage.add_trials(storage.declare("new", {}, {}, "1"), grid)
put(storage, [complete(one) for one in grid])
print("written", flush=True)
sys.stdin.read()
"""


@contextmanager
def driver(url: str) -> Iterator["subprocess.Popen[str]"]:
    """A driver in a process of its own that has written; it is killed at the end."""
    command = [sys.executable, "-c", DRIVER, url]
    told = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, env=told, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert process.stdout.readline() == "written\n"
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def locks(file: Path, pid: int) -> list[str]:
    """Locks of POSIX that a process has on a file, as SQLite takes them."""
    inode = f":{file.stat().st_ino}"
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return [words[3] for words in lines if words[1] == "POSIX" and words[4] == str(pid) and words[5].endswith(inode)]


def aged(folder: Path) -> tuple[str, Path]:
    """URL and file of a database of schema 0003 with four trials."""
    url = f"sqlite:///{folder}/results.db"
    fill(url)
    age(url, "0003")
    return url, folder / "results.db"


class TestLocks:
    def test_after_an_upgrade_sqlite_still_has_its_lock(self, tmp_path: Path) -> None:
        url, file = aged(tmp_path)
        storage = Storage(url)
        assert len(storage.results()) == 4
        assert "READ" in locks(file, os.getpid())
        storage.close()

    def test_a_claim_that_is_refused_takes_no_lock_away(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/results.db"
        storage = Storage(url, create=True)
        with driver(url):
            assert len(storage.results()) == 3
            with pytest.raises(StorageError, match="a sweep is running on it: process"):
                storage.claim()
            assert "READ" in locks(tmp_path / "results.db", os.getpid())
        storage.close()

    def test_a_killed_driver_loses_nothing_that_another_process_has_seen(self, tmp_path: Path) -> None:
        """The driver upgrades the file; `status` opens and closes it; the driver is killed."""
        url, file = aged(tmp_path)
        with driver(url) as process:
            done = subprocess.run(
                [sys.executable, "-m", "sweep", "status", "--db", url], capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
            open_files = {str(path.readlink()) for path in Path(f"/proc/{process.pid}/fd").iterdir()}
            assert not [name for name in open_files if name.endswith("(deleted)") and "results.db" in name]
        assert rows(file, COUNT) == [(7,)]
        assert rows(file, "SELECT count(*) FROM results WHERE state = 'COMPLETE'") == [(4,)]


class TestWhole:
    def test_the_file_alone_holds_everything_although_somebody_reads(self, tmp_path: Path) -> None:
        url, file = f"sqlite:///{tmp_path}/results.db", tmp_path / "results.db"
        storage = Storage(url, create=True)
        with closing(sqlite3.connect(file)) as reader:
            storage.add_trials(storage.declare("tiny", {}, {}, "1"), trials(3))
            assert reader.execute(COUNT).fetchone() == (3,)
            storage.close()
            shutil.copy(file, tmp_path / "copy.db")
        assert rows(tmp_path / "copy.db", COUNT) == [(3,)]

    def test_retry_leaves_a_whole_file(self, tmp_path: Path) -> None:
        url, file = f"sqlite:///{tmp_path}/results.db", tmp_path / "results.db"
        fill(url)
        assert main(["retry", "--db", url]) == 0
        shutil.copy(file, tmp_path / "copy.db")
        assert rows(tmp_path / "copy.db", "SELECT count(*) FROM trials WHERE state = 'FAILED'") == [(0,)]
        assert [path.name for path in tmp_path.glob("results.db-*")] == []


class TestPublished:
    """A database in a folder that its reader may not write to."""

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """A command of a user for whom the permissions of files count, which they do not for root."""
        plain = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] if os.geteuid() == 0 else []
        command = [*plain, sys.executable, "-m", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(Path.cwd())})

    def test_it_can_be_read(self, tmp_path: Path) -> None:
        folder = tmp_path / "published"
        url = f"sqlite:///{folder}/results.db"
        fill(url)
        folder.chmod(0o555)
        try:
            status = self.run("sweep", "status", "--db", url)
            exported = self.run("sweep", "export", "--to", "csv", str(tmp_path / "out.csv"), "--db", url)
            retried = self.run("sweep", "retry", "--db", url)
        finally:
            folder.chmod(0o755)
        assert (status.returncode, exported.returncode) == (0, 0), status.stderr + exported.stderr
        assert "4 trials" in status.stdout
        assert len((tmp_path / "out.csv").read_text().splitlines()) == 5
        assert retried.returncode == 2
        assert len(retried.stderr.splitlines()) == 1
        assert [path.name for path in folder.iterdir()] == ["results.db"]

    def test_an_older_one_says_why_it_can_not(self, tmp_path: Path) -> None:
        folder = tmp_path / "published"
        folder.mkdir()
        url, _ = aged(folder)
        folder.chmod(0o555)
        try:
            done = self.run("sweep", "status", "--db", url)
        finally:
            folder.chmod(0o755)
        assert done.returncode == 2
        assert "its schema 0003 is old, and it can't be upgraded where it lies" in done.stderr
        assert len(done.stderr.splitlines()) == 1


class TestFilesBeside:
    """Files beside a database may belong to somebody else."""

    def test_the_name_of_a_driver_is_written_through_no_link(self, tmp_path: Path) -> None:
        victim, storage = tmp_path / "victim.txt", Storage(f"sqlite:///{tmp_path}/results.db", create=True)
        victim.write_text("mine")
        (tmp_path / "results.db.lock").symlink_to(victim)
        storage.claim()
        assert victim.read_text() == "mine"
        assert f"process {os.getpid()}" in (tmp_path / "results.db.lock").read_text()
        storage.close()

    def test_a_name_that_can_not_be_written_refuses_nobody(self, tmp_path: Path) -> None:
        (tmp_path / "results.db.lock").mkdir()
        storage = Storage(f"sqlite:///{tmp_path}/results.db", create=True)
        storage.claim()
        storage.close()

    def test_the_copy_before_an_upgrade_replaces_nothing(self, tmp_path: Path) -> None:
        url, file = aged(tmp_path)
        victim = tmp_path / "victim.txt"
        victim.touch()
        Path(f"{file}.0003").symlink_to(victim)
        Path(f"{file}.0003-2").write_text("mine")
        Storage(url).close()
        assert victim.read_bytes() == b""
        assert Path(f"{file}.0003-2").read_text() == "mine"
        assert rows(Path(f"{file}.0003-3"), "SELECT version_num FROM alembic_version") == [("0003",)]
        assert not Path(f"{file}.0003.unfinished").exists()


class TestStrangersViews:
    def test_a_view_without_an_end_is_ended(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite_file, "READING_S", 0.5)
        url, file = f"sqlite:///{tmp_path}/results.db", tmp_path / "results.db"
        fill(url)
        names = list(load_results(url).columns)
        with closing(sqlite3.connect(file)) as connection:
            endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "
            columns = ", ".join(f"max(i) AS {name}" for name in names)
            connection.executescript(f"DROP VIEW results; CREATE VIEW results AS {endless}{columns} FROM n")
        with pytest.raises(StorageError, match="a query took longer than any on a database of this size"):
            load_results(url)

    def test_a_view_may_not_call_what_does_harm(self, tmp_path: Path) -> None:
        url, file = f"sqlite:///{tmp_path}/results.db", tmp_path / "results.db"
        fill(url)
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript("DROP VIEW results; CREATE VIEW results AS SELECT load_extension('x') AS trial_id")
        with pytest.raises(StorageError, match="unsafe use of load_extension"):
            load_results(url)

    def test_a_reader_changes_nothing(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/results.db"
        fill(url)
        storage = Storage(url)
        with pytest.raises(StorageError, match="readonly"), storage._database.read() as connection:
            connection.exec_driver_sql("UPDATE trials SET state = 'FAILED'")
        storage.close()
        assert len(load_results(url)) == 4


def test_what_was_complete_stays_when_a_database_is_upgraded_twice(tmp_path: Path) -> None:
    url, _ = aged(tmp_path)
    first = Storage(url)
    put(first, [complete(one) for one in trials(4)[2:]])
    second = Storage(url)
    assert list(second.results()["state"]).count("COMPLETE") == 3
    second.close()
    first.close()
    assert list(load_results(url)["state"]).count("COMPLETE") == 3
