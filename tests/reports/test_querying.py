"""The worked queries of docs/querying.md, run as they stand on an unfinished sweep and on the example."""

import re
import shutil
from collections import defaultdict
from pathlib import Path
from statistics import mean, median
from typing import Any

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "querying.md"
QUERIES = 10


def blocks() -> list[str]:
    """The page's blocks, of which the first reads the database; block n answers question n."""
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def answers_for(database: Path) -> dict[str, Any]:
    """The names that the page's blocks define, run on a database."""
    scope: dict[str, Any] = {}
    for block in blocks():
        exec(block.replace("sqlite:///runs/mnist/results.db", f"sqlite:///{database}"), scope)
    return scope


@pytest.fixture(scope="module")
def answers(database: Path) -> dict[str, Any]:
    return answers_for(database)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Answers for a finished sweep of 448 trials."""
    file = tmp_path_factory.mktemp("example") / "example.db"
    return answers_for(Path(shutil.copy(ROOT / "tests" / "golden" / "example.db", file)))


def test_each_has_a_number_and_an_answer(answers: dict[str, Any]) -> None:
    assert re.findall(r"^\*\*(\d+)\.", PAGE.read_text(encoding="utf-8"), re.MULTILINE) == [
        str(n) for n in range(1, QUERIES + 1)
    ]
    assert len(blocks()) == QUERIES + 1
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


def test_a_diverged_gan_counts_as_zero_among_those_of_its_optimisers(answers: dict[str, Any]) -> None:
    fractions = defaultdict(list)
    for row in answers["done"].to_dict("records"):
        if row["family"] == "gan":
            fraction = 0.0 if row["state"] == "DIVERGED" else row["score_fraction"]
            fractions[row["lr"], row["optim_d"], row["optim_g"]].append(fraction)
    assert any(0.0 in own for own in fractions.values())
    found = {(lr, *pair): value for lr, row in answers["where"].iterrows() for pair, value in row.items()}
    assert found == pytest.approx({key: median(own) for key, own in fractions.items()})


def test_pairs_for_a_setting_are_of_all_families(example: dict[str, Any]) -> None:
    """Each GAN lacks a margin, and each EBGAN the way of its batch statistics; 64 pairs are not all of the example."""
    scores: dict[Any, dict[bool, float]] = defaultdict(dict)
    columns = [*example["axes"], "family", "margin", "seed"]
    for row in example["done"].astype(object).to_dict("records"):
        same = tuple(str(row[name]) for name in columns if name != "dropout_d")
        scores[same][row["dropout_d"]] = row["score"]
    differences = [own[True] - own[False] for own in scores.values() if len(own) == 2]
    assert len(differences) == example["dropout"]["count"] == 224
    assert mean(differences) == pytest.approx(example["dropout"]["mean"]) == pytest.approx(-0.61, abs=0.005)


def test_a_setting_is_compared_where_all_trials_are_gans(example: dict[str, Any]) -> None:
    is_gan = example["done"]["family"] == "gan"
    scope = example | {"done": example["done"][is_gan], "value": example["value"][is_gan]}
    exec(blocks()[4], scope)
    assert scope["dropout"]["count"] == 192
    assert scope["dropout"]["mean"] == pytest.approx(0.015, abs=0.0005)


def test_numbers_of_the_example(example: dict[str, Any]) -> None:
    assert example["progress"]["All"].to_dict() == {"ebgan": 32, "ebgan_pt": 32, "gan": 384, "All": 448}
    assert example["easier"]["third"].to_dict() == {"ebgan": 9 / 32, "ebgan_pt": 9 / 32, "gan": 0.0}
    assert example["best"]["score"].iloc[0] == pytest.approx(6.976, abs=0.0005)
    assert example["gain"].count() == 32 and example["gain"].mean() == pytest.approx(-0.016, abs=0.0005)
    assert example["hours"].sum() == pytest.approx(1.926, abs=0.0005)
    assert example["diverges"].eq(0).all() and len(example["diverges"]) == 20
    assert example["attempts"].set_index("outcome")["n"].to_dict() == {"COMPLETE": 456, "LOST": 120}
