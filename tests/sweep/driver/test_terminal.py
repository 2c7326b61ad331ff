"""A sweep in a real terminal: what Ctrl-C leaves on it."""

import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from made_trials import cohorts_under_way, write_space
from processes import heed_signals

from data.mnist.dataset import ensure_mnist
from sweep.planning.machine import this_machine

PATIENCE_S = 120.0
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(this_machine().gpus), reason="made for the pace of a CPU"),
]
# A process that makes the terminal its own, as a shell does, and then becomes the command.
IN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int, int]]:
    """A sweep in a terminal of 80 columns, and both ends of that."""
    ensure_mnist()
    space = write_space(tmp_path / "grid.yaml", range(2, 8), steps=4000)
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    command = [sys.executable, "-m", "sweep", "run", space, "--db", f"sqlite:///{tmp_path}/results.db"]
    told = f'echo "told: $SWEEP_STATE" > {tmp_path}/told'
    sweep = subprocess.Popen(
        [sys.executable, "-c", IN_TERMINAL, *command, "--notify", told],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env=os.environ | {"TERM": "xterm"},
        preexec_fn=heed_signals,
    )
    yield sweep, ours, theirs
    sweep.kill()
    sweep.wait()


def read(sweep: "subprocess.Popen[bytes]", ours: int, until: Callable[[bytes], object]) -> bytes:
    """What the sweep shows until then, or until it ends."""
    shown, end = b"", time.monotonic() + PATIENCE_S
    while not until(shown) and (sweep.poll() is None or select.select([ours], [], [], 0)[0]):
        assert time.monotonic() < end, shown[-2000:]
        if select.select([ours], [], [], 0.1)[0]:
            shown += os.read(ours, 65536)
    return shown


def test_ctrl_c_leaves_no_row_of_the_live_display_behind(
    terminal: tuple["subprocess.Popen[bytes]", int, int], tmp_path: Path
) -> None:
    """The terminal would write ^C at the cursor, which moves it, and then the display can't be cleared."""
    sweep, ours, theirs = terminal
    before = termios.tcgetattr(theirs)
    shown = read(sweep, ours, lambda shown: b"best score" in shown and cohorts_under_way(tmp_path / "results.db"))
    os.write(ours, b"\x03")
    shown += read(sweep, ours, lambda _: False)
    assert sweep.returncode == 130
    assert b"^C" not in shown
    assert b"Stopped. Finished cohorts are stored" in shown
    assert shown.count(b"\x1b[?25l") == shown.count(b"\x1b[?25h")  # a hidden cursor is shown again
    assert termios.tcgetattr(theirs) == before
    os.close(theirs)
    os.close(ours)


def test_a_closed_terminal_stops_it_cleanly(
    terminal: tuple["subprocess.Popen[bytes]", int, int], tmp_path: Path
) -> None:
    sweep, ours, theirs = terminal
    os.close(theirs)
    read(sweep, ours, lambda _: cohorts_under_way(tmp_path / "results.db"))
    os.close(ours)
    assert sweep.wait(PATIENCE_S) == 130
    assert (tmp_path / "told").read_text() == "told: stopped\n"
