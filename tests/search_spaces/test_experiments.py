"""Experiments of other packages are found, and a broken one is left out with a line that says why."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from search_spaces import experiment
from search_spaces.experiment import GROUP, broken_experiments, experiments

BROKEN = {
    "import nothere": "ModuleNotFoundError: No module named 'nothere'",
    "X = 5": "TypeError: it is a int, allowed: an Experiment",
    "Y = 5": "AttributeError: module 'brk' has no attribute 'X'",
    "1 / 0": "ZeroDivisionError: division by zero",
    "import sys; sys.exit(3)": "SystemExit: 3",
    "def": "SyntaxError: invalid syntax (brk.py, line 1)",
}


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of modules, with an entry point to X of the module brk in it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(experiment, "entry_points", lambda group: [EntryPoint("own", "brk:X", group)])
    experiment._found.cache_clear()
    yield tmp_path
    sys.modules.pop("brk", None)
    experiment._found.cache_clear()


def test_an_experiment_of_another_package_is_found(fresh: Path) -> None:
    (fresh / "brk.py").write_text("from search_spaces.experiments.mnist_gan import MNIST_GAN as X")
    assert list(experiments()) == ["mnist_gan", "own"]
    assert broken_experiments() == []


@pytest.mark.parametrize(("code", "reason"), BROKEN.items())
def test_a_broken_one_is_left_out_and_named(fresh: Path, code: str, reason: str) -> None:
    (fresh / "brk.py").write_text(code)
    assert list(experiments()) == ["mnist_gan"]
    assert broken_experiments() == [f"experiment own is left out, since brk:X fails: {reason}"]


@pytest.mark.parametrize("command", [["sweep", "plan", "quick/mnist_ebgan"], ["reports", "--db", "nothere.db"]])
def test_commands_go_on_without_a_broken_one(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "brk.py").write_text("import nothere")
    info = tmp_path / "brk-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: brk\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nown = brk:X\n")
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parent.parent.parent)])
    done = subprocess.run(
        [sys.executable, "-m", *command], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    reason = "experiment own of brk is left out, since brk:X fails: ModuleNotFoundError: No module named 'nothere'"
    first, *others = done.stderr.splitlines()
    assert first == f"warning: {reason}"
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if command[0] == "sweep" else 2), others
