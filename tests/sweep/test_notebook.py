"""The lines of docs/notebook.md, run as they stand."""

import re
from pathlib import Path
from typing import Any

import pytest

from data.mnist.dataset import ensure_mnist

PAGE = Path(__file__).parents[2] / "docs" / "notebook.md"


@pytest.mark.slow
def test_the_lines_of_the_page_run_a_grid_and_draw_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ensure_mnist()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.delenv("SWEEP_DB", raising=False)
    text = PAGE.read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    scope: dict[str, Any] = {}
    exec(block, scope)
    said = capfd.readouterr().out
    assert scope["outcome"].state == "done"
    assert len(scope["results"]) == 8
    assert set(scope["results"]["space"]) == {"first try"}
    assert sum(patch.get_height() for patch in scope["axes"].patches) == 8
    assert said.startswith("8 cells: 8 gan; 8 to run in")
    assert said.endswith("100% ")
    assert re.sub(r"\d+% ", "", said).count("\n") == 2  # nothing is printed but what these lines print
    (whole, missing) = re.findall(r"`(plan\(.*?\))`", text)
    assert eval(whole, scope).missing == 8
    assert eval(missing, scope).text() == "8 cells: 8 gan; 0 to run in 0 cohorts"
