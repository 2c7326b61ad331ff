"""Finding the processes of a sweep."""

from pathlib import Path


def workers_of(driver: int) -> list[int]:
    """Processes in which Ray runs our cohorts: descendants of a driver that call themselves ray::."""
    parents = {int(p.name): _parent(p) for p in Path("/proc").iterdir() if p.name.isdigit()}

    def is_ours(pid: int) -> bool:
        while pid in parents and pid != driver:
            pid = parents[pid]
        return pid == driver

    return [pid for pid in parents if is_ours(pid) and b"Trainable" in _title(pid)]


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
