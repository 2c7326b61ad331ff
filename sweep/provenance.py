"""The provenance of results, kept with every sweep: code version, package versions and machine."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sweep.planning.machine import Machine, processor_name

PROJECT = "ebgan-sweep"
PACKAGES = ("torch", "ray", "numpy", "pandas", "scipy", "sqlalchemy")


def code_version() -> str:
    """Version of the project and, in a git checkout, its commit, with a + if files differ from it."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    changed = "+" if commit and _git("status", "--porcelain", "--untracked-files=no") else ""
    return " ".join(part for part in (_version(PROJECT), commit + changed) if part)


def environment(machine: Machine) -> dict[str, object]:
    """Versions of Python and packages, and the machine, as plain values."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "system": platform.platform(),
        "processor": processor_name(),
        "cores": machine.cores,
        "gpus": [name for name, _ in machine.gpus],
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
