"""The report of a finished database says what it has always said: its tables, and the numbers of every figure.

The database is a copy of the first example, so that the documentation may show another one. The numbers were taken
from the first report of it. To write them again after a change that is meant to move them, run this file as a script.
"""

import hashlib
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

GOLDEN = Path(__file__).parent.parent / "golden"
EXPECTED = GOLDEN / "report.json"
ROOT = Path(__file__).parents[2]


def make_report(folder: Path) -> list[str]:
    """Report on a copy of the golden database, made by the command that everybody uses; the lines that it prints."""
    (folder / "runs").mkdir()
    shutil.copyfile(GOLDEN / "example.db", folder / "runs" / "results.db")
    told = os.environ | {"PYTHONPATH": str(ROOT), "SWEEP_DB": "sqlite:///runs/results.db"}
    done = subprocess.run(
        [sys.executable, "-m", "reports"], capture_output=True, text=True, cwd=folder, env=told, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def numbers_of(folder: Path) -> dict[str, Any]:
    """What a report says, as far as it is a number."""
    page = (folder / "index.html").read_text(encoding="utf-8")
    return {
        "findings": {name: rows(page, name) for name in ("shares", "compared")},
        "tables": {path.name: columns(in_one_order(pd.read_csv(path))) for path in sorted(folder.glob("*.csv"))},
        "explorer": [explored(data) for data in explorer_data(page)["grids"]],
        "sheets": len(list((folder / "sheets").iterdir())),
    }


def rows(page: str, name: str) -> list[list[str]]:
    """The rows of a table of the page: the first cell of each, and every number in the others."""
    (found,) = re.findall(rf'<table class="{name}">.*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    cells = [re.findall(r"<td.*?>(.*?)</td>", row, re.DOTALL) for row in found.split("</tr>")[:-1]]
    plain = [[" ".join(html.unescape(re.sub(r"<[^>]*>", "", cell)).split()) for cell in row] for row in cells]
    return [[row[0], *re.findall(r"[+-]?\d[\d.,]*\d|[+-]?\d", " ".join(row[1:]))] for row in plain]


def in_one_order(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table about axes, sorted: in which order axes stand, and which of a pair comes first, is free."""
    if "axis" not in table:
        return table
    by = ["axis", "other"] if "other" in table else ["axis"]
    table = table.astype({name: str for name in ("value", "other_value") if name in table})
    if "other" in table:
        swapped = table["other"].notna() & (table["other"] < table["axis"])
        for one, other in (("axis", "other"), ("value", "other_value")):
            if one in table:
                table.loc[swapped, [one, other]] = table.loc[swapped, [other, one]].to_numpy()
    by += [name for name in ("value", "other_value") if name in table]
    return table.sort_values(["family", *by], key=lambda column: column.astype(str), ignore_index=True)


def columns(table: pd.DataFrame) -> dict[str, Any]:
    """A sum of each column that another order of its rows changes too; of text, a digest."""
    return {str(name): summed(table[name]) for name in table}


def summed(column: pd.Series) -> list[float | str]:
    there = column.dropna()
    if not pd.api.types.is_numeric_dtype(there) or pd.api.types.is_bool_dtype(there):
        return [len(there), hashlib.sha256("\n".join(map(str, there)).encode()).hexdigest()[:16]]
    values = there.astype(float)
    return [len(values), float(values.sum()), float((values * (there.index + 1)).sum())]


def explorer_data(page: str) -> Any:
    (text,) = re.findall(r'class="explorer-data">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


def explored(data: dict[str, Any]) -> dict[str, Any]:
    """Every column of the explorer's trials, and the choices that it offers."""
    plain = {name: values for name, values in data["rows"].items() if isinstance(values, list)}
    axes = {axis["name"]: [*axis["values"], *map(str, axis["codes"])] for axis in data["axes"]}
    return {
        "name": data["name"],
        "rows": columns(pd.DataFrame(plain)),
        "axes": columns(pd.DataFrame({name: pd.Series(values) for name, values in axes.items()})),
        "presets": {preset["key"]: preset["filters"] for preset in data["presets"]},
    }


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """Nested values by their path."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return {path: leaf for key, inner in pairs for path, leaf in flat(inner, f"{name}/{key}").items()}
    return {name: value}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder in which the command ran, and what it printed."""
    folder = tmp_path_factory.mktemp("golden")
    return folder, make_report(folder)


@pytest.fixture(scope="module")
def found(made: tuple[Path, list[str]]) -> dict[str, Any]:
    return numbers_of(made[0] / "runs" / "report")


def test_it_lies_beside_the_database_and_is_summed_up(
    made: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, lines = made
    page = folder / "runs" / "report" / "index.html"
    assert lines[-1] == f"report: {page}"
    assert page.stat().st_size > 50_000
    words = [line.split() for line in lines]
    families = [word[0] for word in words if word and word[0] in ("GAN", "EBGAN", "EBGAN-PT")]
    assert families == ["GAN", "EBGAN", "EBGAN-PT"]
    query = [line.strip() for line in lines[1 : lines.index("")]]
    monkeypatch.chdir(folder)
    scope: dict[str, Any] = {}
    exec("\n".join(query), scope)
    assert lines[0] == "query it:" and len(query) == 3 and len(scope["results"]) == 456
    third, two_thirds = (f"above {n}/3 of real ({n / 3 * scope['results']['real_score'].max():.2f})" for n in (1, 2))
    assert any(third in line and two_thirds in line for line in lines)


@pytest.mark.parametrize("part", ["findings", "tables", "explorer", "sheets"])
def test_the_numbers_are_what_they_were(found: dict[str, Any], part: str) -> None:
    now, expected = flat(found[part]), flat(json.loads(EXPECTED.read_text(encoding="utf-8"))[part])
    texts, numbers = (
        {key: v for key, v in expected.items() if isinstance(v, str) is wanted} for wanted in (True, False)
    )
    assert expected.keys() - now.keys() == set()  # columns may be added
    assert {key: now[key] for key in texts} == texts
    assert {key: now[key] for key in numbers} == pytest.approx(numbers, rel=1e-6, abs=1e-9)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        make_report(Path(name))
        numbers = numbers_of(Path(name) / "runs" / "report")
        EXPECTED.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
