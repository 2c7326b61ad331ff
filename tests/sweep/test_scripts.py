"""The installed commands, in a folder whose files are called like the project's packages."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

SCRIPTS = ("ebgan-sweep", "ebgan-report")


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    for name in ("data", "sweep", "reports", "models"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong package')\n")
    return tmp_path


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_finds_its_own_packages_and_tells_its_version(hostile: Path, script: str) -> None:
    command = [Path(sys.executable).with_name(script), "--version"]
    done = subprocess.run(command, cwd=hostile, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, version("ebgan-sweep"), "")


def test_a_script_does_what_the_module_does(hostile: Path) -> None:
    command = [Path(sys.executable).with_name("ebgan-sweep"), "plan", "paper/mnist_margin", "--json"]
    done = subprocess.run(command, cwd=hostile, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert '"cells": 8' in done.stdout
