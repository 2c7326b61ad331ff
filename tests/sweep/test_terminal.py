"""A sweep in a real terminal: what Ctrl-C leaves on it."""

import os
import pty
import select
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from made_trials import rows, write_space

from data.mnist import ensure_mnist
from sweep.devices import this_machine

PATIENCE_S = 120.0
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(this_machine().gpus), reason="made for the pace of a CPU"),
]
# A process that makes the terminal its own, as a shell does, and then becomes the command.
IN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


def test_ctrl_c_leaves_no_row_of_the_live_display_behind(tmp_path: Path) -> None:
    """The terminal would write ^C at the cursor, which moves it, and then the display can't be cleared."""
    ensure_mnist()
    file = tmp_path / "results.db"
    space = write_space(tmp_path / "grid.yaml", range(2, 8), steps=4000)
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    before = termios.tcgetattr(theirs)
    command = [sys.executable, "-m", "sweep", "run", space, "--db", f"sqlite:///{file}"]
    sweep = subprocess.Popen(
        [sys.executable, "-c", IN_TERMINAL, *command],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env=os.environ | {"TERM": "xterm"},
    )
    shown, asked, end = b"", False, time.monotonic() + PATIENCE_S
    while sweep.poll() is None or select.select([ours], [], [], 0)[0]:
        assert time.monotonic() < end, shown[-2000:]
        if select.select([ours], [], [], 0.1)[0]:
            shown += os.read(ours, 65536)
        if (
            not asked
            and file.exists()
            and b"best score" in shown
            and rows(file, "SELECT 1 FROM cohorts WHERE share > 0")
        ):
            asked = os.write(ours, b"\x03") == 1
    assert sweep.returncode == 130
    assert b"^C" not in shown
    assert b"Stopped. Finished cohorts are stored" in shown
    assert shown.count(b"\x1b[?25l") == shown.count(b"\x1b[?25h")  # a hidden cursor is shown again
    assert termios.tcgetattr(theirs) == before
    os.close(theirs)
    os.close(ours)
