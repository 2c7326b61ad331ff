"""The worked queries of docs/querying.md, run as they stand on a sweep that is under way."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "querying.md"
QUERIES = 10


@pytest.fixture(scope="module")
def answers(database: Path) -> dict[str, Any]:
    text = PAGE.read_text(encoding="utf-8").replace("sqlite:///runs/mnist/results.db", f"sqlite:///{database}")
    scope: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == QUERIES + 1
    for block in blocks:
        exec(block, scope)
    return scope


def test_each_has_a_number_and_an_answer(answers: dict[str, Any]) -> None:
    assert re.findall(r"^\*\*(\d+)\.", PAGE.read_text(encoding="utf-8"), re.MULTILINE) == [
        str(n) for n in range(1, QUERIES + 1)
    ]
    for name in (
        "progress",
        "easier",
        "best",
        "dropout",
        "where",
        "gain",
        "suspicious",
        "diverges",
        "hours",
        "attempts",
    ):
        assert isinstance(answers[name], pd.DataFrame | pd.Series), name
        assert len(answers[name]), name


def test_answers_are_right(answers: dict[str, Any]) -> None:
    results = answers["results"]
    assert answers["progress"].loc["All", "All"] == 7168
    gan = results[(results["family"] == "gan") & results["state"].isin(["COMPLETE", "DIVERGED"])]
    assert answers["easier"].loc["gan", "third"] == (gan["score"].fillna(0) > 5).mean()
    assert answers["best"]["score"].is_monotonic_decreasing
    assert answers["attempts"]["n"].sum() == 300
    assert (answers["suspicious"]["coverage"] < 10).all()
