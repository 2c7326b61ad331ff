"""Starting the processes of a sweep, finding them, and where they listen."""

import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

LISTENS = "0A"
ROOT = Path(__file__).parent.parent.parent


def beginning_with(code: str, folder: Path) -> dict[str, str]:
    """Environment in which this code runs before anything else in every process of Python: a sweep has several."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(code, encoding="utf-8")
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}


def on_one_core(number: int = 0) -> Callable[[], None]:
    """What a process calls that shall use one core only, so that its lone worker has one thread: tests share the
    machine, and threads that wait for one another are slow where others want their cores."""
    cores = sorted(os.sched_getaffinity(0))
    return lambda: os.sched_setaffinity(0, {cores[number % len(cores)]})


def heed_signals() -> None:
    """What a process calls that is to be stopped: the tests may ignore signals, as nohup does, and so would it."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


HELPERS = ("raylet", "gcs_server", "ray::DashboardAgent", "ray::RuntimeEnvAgent")


def started_by(driver: int) -> list[psutil.Process]:
    """A process and all that it started, as far as they still live."""
    found = []
    for pid in descendants(driver):
        with suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(pid))
    return found


def alive(processes: Sequence[psutil.Process], patience_s: float = 0.0) -> list[psutil.Process]:
    """Those that still run after so many seconds: not a zombie, which has ended and waits to be asked for."""
    end = time.monotonic() + patience_s
    while (left := [process for process in processes if _runs(process)]) and time.monotonic() < end:
        time.sleep(0.05)
    return left


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def workers_of(driver: int) -> list[int]:
    """Processes in which Ray runs our cohorts: descendants of a driver that call themselves ray::."""
    return [pid for pid in descendants(driver) if b"Trainable" in _title(pid)]


def descendants(driver: int) -> list[int]:
    """A process and all that it started, and they in turn."""
    parents = {int(p.name): _parent(p) for p in Path("/proc").iterdir() if p.name.isdigit()}

    def is_ours(pid: int) -> bool:
        while pid in parents and pid != driver:
            pid = parents[pid]
        return pid == driver

    return [pid for pid in parents if is_ours(pid)]


def listening(driver: int) -> set[str]:
    """Addresses on which a process and its descendants wait for connections by TCP."""
    sockets: set[str] = set()
    for pid in descendants(driver):
        for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
            with suppress(OSError):
                sockets.add(str(descriptor.readlink()))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            parts = line.split()
            if parts[3] == LISTENS and f"socket:[{parts[9]}]" in sockets:
                found.add(_address(parts[1].partition(":")[0]))
    return found


def _address(text: str) -> str:
    """The kernel writes addresses as hexadecimal words of four bytes, each in the processor's order."""
    words = [bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8)]
    address = b"".join(words)
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:  # it has just ended
        return 0


def _title(pid: int) -> bytes:
    try:
        title = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
    return title if title.startswith(b"ray::") else b""
