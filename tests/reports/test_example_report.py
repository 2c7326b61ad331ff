"""The committed example: its tables say what pandas finds in the committed database, of the example and quick grids."""

import html
import re
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "example-report"
NAMES = {"gan": "GAN", "ebgan": "EBGAN", "ebgan_pt": "EBGAN-PT"}
GRIDS = {"example": 384 + 2 * 32, "quick": 96 + 2 * 24}  # and their trials


def read(view: str, grid: str) -> pd.DataFrame:
    """The grid's rows, read as anyone would who has nothing but pandas."""
    with sqlite3.connect(f"file:{DOCS / 'example-report.db'}?mode=ro&immutable=1", uri=True) as connection:
        rows = pd.read_sql(f"SELECT * FROM {view}", connection)
    assert set(rows["state"]) == {"COMPLETE"}, "the sweep is finished"
    return rows[rows["space"].isin([f"{grid}/mnist_{family}" for family in NAMES])]


@pytest.fixture(scope="module", params=GRIDS)
def grid(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def results(grid: str) -> pd.DataFrame:
    found = read("results", grid)
    assert len(found) == GRIDS[grid]
    return found


@pytest.fixture(scope="module")
def page() -> str:
    return (FOLDER / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def section(page: str, grid: str) -> str:
    """What the page says of the grid."""
    _, _, rest = page.partition(f"<h2>The {grid} grid</h2>")
    return rest.partition("<h2>The ")[0]


def plain(text: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def rows(section: str, name: str) -> list[list[str]]:
    """The cells of each row of a table."""
    (found,) = re.findall(rf'<table class="{name}">.*?<tbody>(.*?)</tbody>', section, re.DOTALL)
    return [
        [plain(cell) for cell in re.findall(r"<td.*?>(.*?)</td>", row, re.DOTALL)] for row in found.split("</tr>")[:-1]
    ]


def wins(x: pd.Series, y: pd.Series) -> float:
    difference = x.to_numpy()[:, None] - y.to_numpy()
    return float((difference > 0).mean() + (difference == 0).mean() / 2)


def test_the_finding_is_reproduced_from_the_database_alone(grid: str, page: str) -> None:
    """How often a random EBGAN scores above a random GAN, under every classifier."""
    found = []
    for _, own in read("results_by_classifier", grid).groupby("classifier"):
        one, other = (own.loc[own["family"] == family, "score"] for family in ("ebgan", "gan"))
        found.append(100 * wins(one, other))
    assert len(found) == 3
    least, most = f"{min(found):.0f}", f"{max(found):.0f}"
    sentence = f"a random EBGAN beats a random GAN {least if least == most else f'{least}-{most}'} % of the time"
    if grid == "example":
        (title,) = re.findall(r"<h1>(.*?)</h1>", page)
        assert sentence in title
    assert sentence in plain(page)


def test_the_shares_are_reproduced_from_the_database_alone(grid: str, results: pd.DataFrame, section: str) -> None:
    by_classifier = read("results_by_classifier", grid)
    expected = []
    for family, name in NAMES.items():
        own = results[results["family"] == family]
        cells = [name]
        for k in (1, 2):
            above = own["score"] > own["real_score"] * k / 3
            each = by_classifier[by_classifier["family"] == family]
            each = each.assign(above=each["score"] > each["real_score"] * k / 3)
            each = 100 * each.groupby("classifier")["above"].mean()
            ends = f"{each.min():.1f}\N{EN DASH}{each.max():.1f} %"
            spread = f" range {ends}" if each.min() < each.max() else ""
            cells.append(f"{100 * above.mean():.1f} % ({above.sum()}){spread}")
        expected.append([*cells, str(len(own))])
    assert rows(section, "shares") == expected


def test_the_comparisons_are_reproduced_from_the_database_alone(results: pd.DataFrame, section: str) -> None:
    score = {family: rows["score"] for family, rows in results.groupby("family")}
    third = results["real_score"].iloc[0] / 3
    fair = results[(results["family"] == "gan") & (results["lr"] == 0.001)]
    fair = fair[(fair["optim_g"] == "adam") & (fair["optim_d"] == "adam")]
    axes = ["n_layer_g", "n_layer_d", "size_g", "size_d", "dropout_d", "seed"]
    one, other = (results[results["family"] == family].set_index(axes)["score"] for family in ("ebgan_pt", "ebgan"))
    other = other.reindex(one.index)
    pairs = [
        ("EBGAN-PT vs. EBGAN, same settings", one, other, ((one > other) + 0.5 * (one == other)).mean()),
        *(
            (f"EBGAN vs. {name}", score["ebgan"], y, wins(score["ebgan"], y))
            for name, y in (("GAN", score["gan"]), ("GAN with Adam, 0.001", fair["score"]))
        ),
    ]
    found = rows(section, "compared")
    assert len(found) == len(pairs)
    for row, (name, x, y, won) in zip(found, pairs, strict=True):
        difference = 100 * ((x > third).mean() - (y > third).mean())
        assert row[0] == name and row[3] == f"{len(x)}, {len(y)}"
        assert row[1].startswith(f"{100 * won:.1f} %") and row[2].startswith(f"{difference:+.1f} points")


def test_it_is_whole_and_small(page: str) -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 4e6 * len(GRIDS)
    assert {path.suffix for path in files} == {".html", ".csv", ".svg", ".png", ".pdf"}
    linked = re.findall(r'href="([\w-]+\.\w+)"', page)
    assert {"figure2.svg", "figure3.csv", "course.png", "equilibrium.pdf"} <= set(linked)
    assert all((FOLDER / name).is_file() for name in linked)
    assert len(list((FOLDER / "sheets").iterdir())) == 3 * 9 * len(GRIDS) + 8
