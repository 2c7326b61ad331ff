"""The committed example: its sentences say what pandas finds in the committed database, which came from one sweep."""

import html
import re
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "example-report"
NAMES = {"gan": "GAN", "ebgan": "EBGAN", "ebgan_pt": "EBGAN-PT"}


@pytest.fixture(scope="module")
def results() -> pd.DataFrame:
    """The grid's rows, read as anyone would who has nothing but pandas."""
    with sqlite3.connect(f"file:{DOCS / 'example-report.db'}?mode=ro&immutable=1", uri=True) as connection:
        rows = pd.read_sql("SELECT * FROM results", connection)
    assert set(rows["state"]) == {"COMPLETE"}, "the sweep is finished"
    return rows[rows["space"] != "example/mnist_margin"]


def sentences(name: str) -> list[str]:
    """The items of a list of the page."""
    page = (FOLDER / "index.html").read_text(encoding="utf-8")
    (found,) = re.findall(rf'<ul class="{name}">(.*?)</ul>', page, re.DOTALL)
    items = re.findall(r"<li.*?>(.*?)</li>", found, re.DOTALL)
    return [" ".join(html.unescape(re.sub(r"<[^>]*>", "", item)).split()) for item in items]


def cells(n: int) -> str:
    return f"{n} {'cell' if n == 1 else 'cells'}"


def test_the_finding_is_reproduced_from_the_database_alone(results: pd.DataFrame) -> None:
    expected = []
    for family, name in NAMES.items():
        own = results[results["family"] == family]
        third, two_thirds = (own["score"] > own["real_score"] * k / 3 for k in (1, 2))
        expected.append(
            f"{name} puts {100 * third.mean():.1f} % of its cells above a third of the real-data score "
            f"({cells(third.sum())}), and {100 * two_thirds.mean():.1f} % above two thirds "
            f"({cells(two_thirds.sum())}), on all {len(own)} cells."
        )
    assert sentences("findings") == expected


def test_the_comparisons_are_reproduced_from_the_database_alone(results: pd.DataFrame) -> None:
    score = {family: rows["score"] for family, rows in results.groupby("family")}
    third = results["real_score"].iloc[0] / 3
    fair = results[(results["family"] == "gan") & (results["lr"] == 0.001)]
    fair = fair[(fair["optim_g"] == "adam") & (fair["optim_d"] == "adam")]
    axes = ["n_layer_g", "n_layer_d", "size_g", "size_d", "dropout_d"]
    one, other = (results[results["family"] == family].set_index(axes)["score"] for family in ("ebgan_pt", "ebgan"))
    pairs = [
        ("EBGAN-PT beside EBGAN", one, other, ((one > other) + 0.5 * (one == other)).mean()),
        *(
            (f"EBGAN beside {name}", score["ebgan"], y, wins(score["ebgan"], y))
            for name, y in (("GAN", score["gan"]), ("GAN with Adam, 0.001", fair["score"]))
        ),
    ]
    found = sentences("compared")
    assert len(found) == len(pairs)
    for sentence, (name, x, y, won) in zip(found, pairs, strict=True):
        difference = 100 * ((x > third).mean() - (y > third).mean())
        assert sentence.startswith(f"{name}: {difference:+.1f} points of the share above a third (")
        assert f"and it wins {100 * won:.1f} % of encounters (" in sentence
        assert sentence.endswith(f"on {len(x)} and {len(y)} known cells.")


def wins(x: pd.Series, y: pd.Series) -> float:
    difference = x.to_numpy()[:, None] - y.to_numpy()
    return float((difference > 0).mean() + (difference == 0).mean() / 2)


def test_it_is_whole_and_small() -> None:
    page = (FOLDER / "index.html").read_text(encoding="utf-8")
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 6e6
    assert {path.suffix for path in files} == {".html", ".csv", ".svg", ".png", ".pdf"}
    linked = re.findall(r'href="([\w-]+\.\w+)"', page)
    assert {"figure2.svg", "figure3.csv", "course.png", "equilibrium.pdf"} <= set(linked)
    assert all((FOLDER / name).is_file() for name in linked)
    assert len(list((FOLDER / "sheets").iterdir())) == 3 * 21 + 8
