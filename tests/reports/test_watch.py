"""A report that follows a sweep."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from made_results import fill_database

from reports.watch import watch
from sweep.storage import Storage

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0


def test_it_builds_when_something_changed_and_only_then() -> None:
    states, built = iter([1, 1, 2, 2, 2, 3]), []

    def state() -> int:
        found = next(states, None)
        if found is None:
            raise KeyboardInterrupt
        built.append(f"asked {found}")
        return found

    def build() -> int:
        built.append("built")
        return 0

    assert watch(state, build, 0.0, lambda _: None, lambda _: None) == 0
    assert built == ["asked 1", "built", "asked 1", "asked 2", "built", "asked 2", "asked 2", "asked 3", "built"]


def test_a_build_that_fails_ends_it() -> None:
    assert watch(lambda: 1, lambda: 2, 0.0, lambda _: None, lambda _: None) == 2


@pytest.mark.slow
def test_the_command_follows_a_database_until_ctrl_c(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/results.db"
    fill_database(url, finished=100)
    command = [sys.executable, "-m", "reports", "watch", "--every", "0.2", "--db", url]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    running = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True, preexec_fn=_listen_to_ctrl_c
    )
    page = tmp_path / "report" / "index.html"
    try:
        _built(running)
        first = page.stat().st_mtime_ns
        storage = Storage(url)
        storage.retry()
        storage.close()
        _built(running)
        assert page.stat().st_mtime_ns > first
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=PATIENCE_S)
    finally:
        running.kill()
    assert running.returncode == 0


def _listen_to_ctrl_c() -> None:
    """Also where the tests themselves do not, as in the background of a shell."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _built(running: "subprocess.Popen[str]") -> None:
    """Read on until it tells that a report is there."""
    assert running.stdout is not None
    for line in running.stdout:
        if "watching; Ctrl-C ends it" in line:
            return
    raise AssertionError("it ended")
