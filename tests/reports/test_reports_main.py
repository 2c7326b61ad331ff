"""The real command line, by subprocess: errors, imports, and a server; a report of a file is in test_golden_report."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from made_results import fill_database
from sqlalchemy import make_url

from reports.page.summary import query_lines

ROOT = Path(__file__).parents[2]


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "SWEEP_DB"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=clean | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def names_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_server_gives_the_same_report_as_a_file(
    database: Path, new_database: Callable[[], str], tmp_path: Path
) -> None:
    url = make_url(new_database())
    fill_database(url.render_as_string(hide_password=False), finished=300)
    secret = url.set(password="geheim").render_as_string(hide_password=False)  # this server asks for none
    on_server = run("-m", "reports", "--db", secret, cwd=tmp_path)
    assert (on_server.returncode, on_server.stderr) == (0, "")
    assert run("-m", "reports", "--db", f"sqlite:///{database}", "--out", "file", cwd=tmp_path).returncode == 0
    files = {name: (tmp_path / "report" / name).read_bytes() for name in names_in(tmp_path / "report")}
    assert files.keys() == names_in(tmp_path / "file")
    assert sum(name.startswith("sheets/") for name in files) == 270  # of 300 finished trials one in ten has none
    assert not any(b"geheim" in content for content in (*files.values(), on_server.stdout.encode()))
    tables = [name for name in files if name.endswith(".csv")]
    assert len(tables) > 2
    for name in tables:
        assert files[name] == (tmp_path / "file" / name).read_bytes(), name


def test_a_missing_database_is_one_line(tmp_path: Path) -> None:
    done = run("-m", "reports", "--db", "sqlite:///nowhere.db", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: nowhere.db: no such results database\n"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_written_is_one_line(database: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("-m", "reports", "--db", f"sqlite:///{database}", "--out", "file/report", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: --out file/report: can't be written: Not a directory\n"


def test_help_and_imports_are_light(tmp_path: Path) -> None:
    modules = sorted(
        ".".join(path.relative_to(ROOT / "reports").with_suffix("").parts)
        for path in (ROOT / "reports").rglob("*.py")
        if path.stem not in ("__init__", "__main__")
    )
    walk = "".join(f"import reports.{name}\n" for name in modules)
    unwanted = "print(sorted({'torch', 'ray', 'sweep', 'matplotlib.pyplot'} & set(sys.modules)))"
    done = run("-c", f"import sys\n{walk}{unwanted}", cwd=tmp_path)
    assert done.stdout == "[]\n", done.stderr
    light = "sys.argv = ['reports', '--help']\ntry:\n runpy.run_module('reports', run_name='__main__')\nfinally:\n"
    light += " print(sorted({'torch', 'ray', 'pandas', 'matplotlib'} & set(sys.modules)))"
    done = run("-c", f"import runpy, sys\n{light}", cwd=tmp_path)
    assert done.stdout.endswith("[]\n") and "--out DIR" in done.stdout


@pytest.mark.parametrize("url", ["sqlite:///runs/mnist/results.db", "postgresql+psycopg://me:***@host/db"])
def test_the_query_is_three_lines_of_python(url: str) -> None:
    lines = query_lines(url, "score")
    assert len(lines) == 3 and f'"{url}"' in lines[1]
    compile("\n".join(lines), "query", "exec")
