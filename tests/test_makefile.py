"""`make sweep-mnist` with a stand-in for Python, which notes what it is called with and answers as it is told."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STAND_IN = """\
#!/bin/bash
case "$1 $2 $3" in
    -c*) cat gpu ;;
    "-m sweep run") echo "$3 ${4%/*} ${*:7}" >> calls; exit "$(cat "code-${4%/*}")" ;;
    "-m sweep plan") cat "left-${4%/*}" ;;
    *) echo "$2" >> calls ;;
esac
"""
LAPTOP = "about 20 hours on this machine"
PAPER = "about 21 days on this machine"


class Checkout:
    """A folder with the Makefile and an environment that is complete."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("Makefile", "setup.cfg", "constraints.txt"):
            shutil.copyfile(ROOT / name, folder / name)
        (folder / ".venv/bin").mkdir(parents=True)
        for name in (".venv/python", ".venv/main"):
            (folder / name).touch()
        (folder / ".venv/bin/python").write_text(STAND_IN)
        (folder / ".venv/bin/python").chmod(0o755)
        self.tell(gpu="laptop")
        for grid, left in (("quick", ""), ("laptop", LAPTOP), ("paper", PAPER)):
            self.tell(**{f"code-{grid}": "0", f"left-{grid}": left})

    def tell(self, **answers: str) -> None:
        for name, answer in answers.items():
            (self.folder / name).write_text(answer)

    def make(self, *words: str) -> tuple[int, list[str], list[str]]:
        """The exit code that the recipe ended with, its calls of Python, and the lines that it printed."""
        command = ["make", "--no-print-directory", "sweep-mnist", *words]
        clean = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
        done = subprocess.run(command, cwd=self.folder, env=clean, capture_output=True, text=True, timeout=60)
        code = int(done.stderr.rpartition("Error ")[2]) if done.returncode else 0
        return code, (self.folder / "calls").read_text().splitlines(), done.stdout.splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_it_runs_the_quick_grids_and_says_what_is_next(checkout: Checkout) -> None:
    code, calls, lines = checkout.make()
    assert (code, calls) == (0, ["run quick ", "reports"])
    assert lines == ["Running the quick grids.", f"Next: make sweep-mnist GRID=laptop, {LAPTOP}."]


def test_on_a_gpu_the_paper_follows(checkout: Checkout) -> None:
    checkout.tell(gpu="paper", **{"left-paper": ""})
    code, calls, lines = checkout.make()
    assert (code, calls) == (0, ["run quick ", "reports", "run paper ", "reports"])
    assert lines == ["Running the quick grids.", "Running the paper grids."]


def test_on_a_gpu_the_paper_does_not_follow_what_is_unfinished(checkout: Checkout) -> None:
    checkout.tell(gpu="paper", **{"left-quick": "about 3 minutes on this machine"})
    code, calls, lines = checkout.make("DB=sqlite:///own.db")
    assert (code, calls) == (0, ["run quick ", "reports"])
    assert lines[-1] == "Next: make sweep-mnist GRID=quick DB=sqlite:///own.db, about 3 minutes on this machine."


def test_a_grid_and_minutes_may_be_named(checkout: Checkout) -> None:
    checkout.tell(gpu="paper")
    code, calls, lines = checkout.make("GRID=laptop", "MINUTES=5")
    assert (code, calls[1:]) == (0, ["reports"])
    assert calls[0].startswith("run laptop --minutes 5 --since 1")
    assert lines == ["Running the laptop grids for 5 minutes.", f"Next: make sweep-mnist GRID=laptop, {LAPTOP}."]


@pytest.mark.parametrize(("grid", "following"), [("quick", "laptop"), ("laptop", "paper"), ("paper", None)])
def test_each_grid_leads_to_a_larger_one(checkout: Checkout, grid: str, following: str | None) -> None:
    checkout.tell(**{f"left-{grid}": ""})
    code, _, lines = checkout.make(f"GRID={grid}")
    assert code == 0
    assert [line.partition(",")[0] for line in lines[1:]] == (
        [f"Next: make sweep-mnist GRID={following}"] if following else []
    )


@pytest.mark.parametrize("gpu", ["laptop", "paper"])
def test_trials_that_failed_are_reported_and_end_it(checkout: Checkout, gpu: str) -> None:
    checkout.tell(gpu=gpu, **{"code-quick": "1"})
    assert checkout.make() == (1, ["run quick ", "reports"], ["Running the quick grids."])


@pytest.mark.parametrize("stopped", [2, 130])
def test_an_error_or_a_stop_ends_it_at_once(checkout: Checkout, stopped: int) -> None:
    checkout.tell(gpu="paper", **{"code-quick": str(stopped)})
    assert checkout.make() == (stopped, ["run quick "], ["Running the quick grids."])
