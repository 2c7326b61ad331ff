"""Databases in which a stranger has put anything anywhere: a command tells what it can, or refuses in one line."""

import csv
import io
import json
import os
import random
import shutil
import sqlite3
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_trials import IDENTITY, SCORES, complete, diverged, failed, trial
from PIL import Image

import reports.__main__
from data.sample_sheet import read_sheet
from search_spaces.trial import Trial
from sweep.__main__ import main
from sweep.records import Record
from sweep.results.rerun import stored_trial
from sweep.storage import Storage, StorageError

ROOT = Path(__file__).parents[3]
SECONDS = 10.0  # of processor time that one command may take
SEED = 7
AT_ONCE = 320  # values in one database
GRID = [
    trial(family=family, size_g=size, lr=lr, dropout_d=dropout)
    for size in range(8, 72, 4)
    for family in ("gan", "ebgan", "ebgan_pt")
    for lr in (0.01, 0.001)
    for dropout in (False, True)
]
STUDY = [trial(family="ebgan", space="some/mnist_margin", margin=margin, seed=1) for margin in (1.0, 10.0, 100.0)]
ASKED = GRID[0].trial_id


def picture(width: int = 384, height: int = 256, mode: str = "L") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((height, width), np.uint8)).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


SHEET = picture()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def with_chunk(name: bytes, content: bytes, before: bytes = b"IDAT") -> bytes:
    """The sheet with one more chunk."""
    place = SHEET.index(before) - 4
    return SHEET[:place] + chunk(name, content) + SHEET[place:]


def with_size(width: int, height: int) -> bytes:
    """The sheet with another size in its header, which Pillow believes before it unpacks anything."""
    return SHEET[:8] + chunk(b"IHDR", struct.pack(">II", width, height) + SHEET[24:29]) + SHEET[33:]


MUCH = b"a\0\0" + zlib.compress(bytes(5_000_000))  # more than Pillow unpacks
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 384 256\n%%EndComments\nshowpage\n%%EOF\n"
NO_SHEETS = {
    "bomb": with_size(30_000, 30_000),
    "bomb in the shape of a sheet": with_size(12 * 3000, 8 * 3000),
    "half": SHEET[:100],
    "text bomb": with_chunk(b"zTXt", MUCH),
    "text bomb at the end": with_chunk(b"zTXt", MUCH, before=b"IEND"),
    "profile bomb": with_chunk(b"iCCP", MUCH),
    "short header": SHEET[:8] + chunk(b"IHDR", b"\0\0\1") + SHEET[33:],
    "another size": picture(384, 384),
    "coloured": picture(mode="RGB"),
    "EPS": EPS,
    "nothing": b"",
    "text": "text",
    "number": 7,
}
VALUES: tuple[Any, ...] = (
    *(None, "", 0, -1, 1, 2**31 - 1, 2**63 - 1, -(2**63), 0.5, 1e9, 3e38, 1e300, 9e999, -9e999, 5e-324),
    *("text", "9e999", "nan", "=cmd|' /C calc'!A1", "x" * 20_000, "\x1b[31m\x00\r\n\u202e", b"", b"\x00\xff"),
    *(value for name, value in NO_SHEETS.items() if name not in ("nothing", "text", "number")),
    *("[1, [2]]", '"text"', "{}", '{"a": [1, {"b": null}], "": 9e999}', '{"worker": [1]}', "{" * 9, "[" * 50_000),
    *("2026-13-45 99:99:99", "9999-12-31 23:59:59.999999", "0001-01-01 00:00:00", "2026-01-01T00:00:00+05:00", "now"),
)


def record(n: int, one: Trial) -> Record:
    if n % 7 == 5:
        return diverged(one)
    if n % 7 == 6:
        return failed(one)
    energies = {"d_loss": 9.0, "energy_real": 1.0, "energy_fake": 8.0} if one.family != "gan" else {}
    done = complete(one, **energies, score=1.0 + n % 13)
    by_step = {1: SCORES | energies} | done.scores[IDENTITY]
    return replace(done, sheet=SHEET, scores={IDENTITY: by_step})


def fill(file: Path) -> None:
    """A sweep near its end: every outcome, scores on the way, samples, and a cohort in flight."""
    storage = Storage(f"sqlite:///{file}", create=True)
    spaces = {"tiny": {"family": "gan", "axes": {"lr": [0.01, 0.001]}}}
    sweep_id = storage.declare("tiny", spaces, {"worker": {"cores": 1}}, "1")
    storage.add_trials(sweep_id, [*GRID, *STUDY])
    *ended, running = [GRID[at : at + 4] for at in range(0, len(GRID), 4)]
    for n, members in enumerate([*ended, STUDY]):
        cohort_id = storage.lease(sweep_id, [one.trial_id for one in members], "some", IDENTITY).cohort_id
        assert cohort_id is not None
        storage.record(cohort_id, [record(n + i, one) for i, one in enumerate(members)])
    storage.lease(sweep_id, [one.trial_id for one in running], "in flight", IDENTITY)
    storage.close()


def loosen(file: Path) -> list[tuple[str, str, bool]]:
    """Take types and constraints from every column, as strangers can; tells of each whether it may be NULL in ours."""
    columns = []
    with closing(sqlite3.connect(file)) as connection:
        (view,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'results'").fetchone()
        connection.executescript("DROP VIEW results; DROP VIEW results_mnist_gan; DROP VIEW results_by_classifier")
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            own = connection.execute(f"PRAGMA table_info({table})").fetchall()
            columns += [(table, name, not never_null) for _, name, _, never_null, *_ in own]
            connection.execute(f"ALTER TABLE {table} RENAME TO old")
            connection.execute(f"CREATE TABLE {table} ({', '.join(name for _, name, *_ in own)})")
            connection.execute(f"INSERT INTO {table} SELECT * FROM old")
            connection.execute("DROP TABLE old")
        connection.execute(view)
        connection.commit()
    return columns


@pytest.fixture(scope="module")
def loose(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[str, str, bool]]]:
    """A filled database that takes anything, and its columns."""
    file = tmp_path_factory.mktemp("loose") / "results.db"
    fill(file)
    return file, loosen(file)


@pytest.fixture
def file(loose: tuple[Path, object], tmp_path: Path) -> Path:
    return Path(shutil.copy(loose[0], tmp_path / "results.db"))


@pytest.fixture
def url(file: Path) -> str:
    return f"sqlite:///{file}"


def change(file: Path, *statements: str, values: Sequence[Any] = ()) -> None:
    with closing(sqlite3.connect(file)) as connection:
        for statement in statements:
            connection.execute(statement, values)
        connection.commit()


def outcome(command: Callable[[], int], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Run a command, which must end in time with 0, or with 2 and one line; its exit code and what it said."""
    capsys.readouterr()
    start = time.process_time()
    code = command()
    took = time.process_time() - start
    out, err = capsys.readouterr()
    assert (code, len(err.splitlines())) in ((0, 0), (2, 1)), (code, err)
    assert "\x1b" not in out + err
    assert took < SECONDS
    return code, out + err


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_anything_anywhere(
    loose: tuple[Path, list[tuple[str, str, bool]]],
    file: Path,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rng = random.Random(SEED)
    places = [place for place in loose[1] if place[0] != "alembic_version"]
    changes = [(*place, value) for place in places for value in VALUES]
    rng.shuffle(changes)
    monkeypatch.setattr(sys, "argv", ["reports", "--db", url, "--out", str(tmp_path / "report")])
    table = tmp_path / "results.csv"
    codes = []
    for at in range(0, len(changes), AT_ONCE):
        shutil.copy(loose[0], file)
        put_anywhere(file, rng, changes[at : at + AT_ONCE])
        codes.append(outcome(lambda: main(["status", "--db", url]), capsys)[0])
        code, said = outcome(lambda: main(["status", "--json", "--db", url]), capsys)
        assert code or json.loads(said)["left_out"] > 0
        codes.append(outcome(lambda: main(["export", "--to", "csv", str(table), "--db", url]), capsys)[0])
        table.unlink(missing_ok=True)
        codes.append(outcome(reports.__main__.main, capsys)[0])
        ask(url)
    assert codes.count(0) > 0.9 * len(codes)  # what can be told is told


def put_anywhere(file: Path, rng: random.Random, changes: Sequence[tuple[str, str, bool, Any]]) -> None:
    """Each value goes into one row of its column; where it may be NULL, now and then into all."""
    with closing(sqlite3.connect(file)) as connection:
        for table, column, may_be_null, value in changes:
            where = ""
            if not may_be_null or rng.random() < 0.9:
                rows = connection.execute(f"SELECT rowid FROM {table}").fetchall()
                if not rows:  # such as proposals, where nothing was searched for
                    continue
                where = f" WHERE rowid = {rng.choice(rows)[0]}"
            connection.execute(f"UPDATE {table} SET {column} = ?{where}", (value,))
        connection.commit()


def ask(url: str) -> None:
    """What `sweep rerun` looks up before it trains."""
    storage = Storage(url)
    try:
        found, _ = stored_trial(storage, ASKED)
        assert found == replace(GRID[0], space=found.space)
    except StorageError as error:
        assert len(str(error).splitlines()) == 1
    storage.close()


CHANGES = {
    "a start that is a number": "UPDATE sweeps SET started_at = 7",
    "a start that is a blob": "UPDATE sweeps SET started_at = x'00'",
    "a sign of life that is a number": "UPDATE sweeps SET last_heartbeat = 1e300",
    "a sign of life that is a blob": "UPDATE sweeps SET last_heartbeat = x'00'",
    "a share that is text": "UPDATE cohorts SET progress = 'half'",
    "a share that is a blob": "UPDATE cohorts SET progress = x'00'",
    "a family that is a blob": "UPDATE trials SET family = x'00'",
    "a family of 20,000 letters": f"UPDATE trials SET family = '{'x' * 20_000}'",
    "a place that is text": "UPDATE trials SET position = 'first'",
    "networks of 2,000,000,000 layers": "UPDATE trials SET n_layer_g = 2000000000",
    "no dropout": "UPDATE trials SET dropout_d = NULL",
    "a state that is none": "UPDATE trials SET state = 'DONE'",
    "attempts that are text": "UPDATE trials SET attempts = 'many'",
    "spaces that are a list": "UPDATE sweeps SET spaces = '[1]'",
    "spaces without end": f"UPDATE sweeps SET spaces = '{'[' * 50_000}'",
}


@pytest.mark.parametrize("statement", CHANGES.values(), ids=CHANGES.keys())
def test_status_tells_what_is_left(file: Path, url: str, capsys: pytest.CaptureFixture[str], statement: str) -> None:
    change(file, statement)
    assert outcome(lambda: main(["status", "--json", "--db", url]), capsys)[0] == 0
    code, said = outcome(lambda: main(["status", "--db", url]), capsys)
    assert code == 0
    lost = len(GRID) + len(STUDY) if statement.startswith("UPDATE trials") and "n_layer" not in statement else 0
    assert (f"left out: {lost} trials" in said) == (lost > 0)


def test_counts_leave_out_what_is_no_trial(file: Path, url: str) -> None:
    strange = {
        "trial_id": (b"1", 7, "x" * 17, None),
        "family": (b"gan", 7, "x" * 17, None),
        "state": (b"FAILED", "DONE"),
    }
    places = [(column, value) for column, values in strange.items() for value in values]
    for row, (column, value) in enumerate(places, start=1):
        change(file, f"UPDATE trials SET {column} = ? WHERE rowid = {row}", values=(value,))
    storage = Storage(url)
    counts = storage.counts()
    assert sum(sum(states.values()) for states in counts.values()) == len(GRID) + len(STUDY) - len(places)
    assert counts == storage.counts({one.trial_id for one in (*GRID, *STUDY)})
    storage.close()


REFUSED = {
    "bytes that are no text": ("UPDATE trials SET family = CAST(x'EDA080' AS TEXT)", "decode"),
    "bytes and control characters": ("UPDATE trials SET family = CAST(x'1B5B33316D0AEDA080' AS TEXT)", "decode"),
    "a version of two lines": ("UPDATE alembic_version SET version_num = 'a' || char(10) || char(27) || 'b'", "newer"),
    "other columns": ("CREATE VIEW results AS SELECT trial_id, 1 AS one FROM trials", "no such column"),
    "a table in place of the view": ("CREATE TABLE results (a, b)", "no such column"),
    "no table of scores": ("ALTER TABLE scores RENAME TO other", "not a results database"),
}


@pytest.mark.parametrize(("statement", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cant_be_read_is_refused_in_one_line(
    file: Path, url: str, capsys: pytest.CaptureFixture[str], statement: str, reason: str
) -> None:
    change(file, *(["DROP VIEW results"] if " results " in statement else []), statement)
    code, said = outcome(lambda: main(["status", "--db", url]), capsys)
    assert code == 2
    assert url in said and reason in said


def test_no_version_but_ours_is_read(file: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    for value in VALUES:
        change(file, "UPDATE alembic_version SET version_num = ?", values=(value,))
        assert outcome(lambda: main(["status", "--db", url]), capsys)[0] == 2


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_what_nobody_thought_of_is_one_line(
    file: Path, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A view with the columns of ours, in which every trial stands twice."""
    with closing(sqlite3.connect(file)) as connection:
        (view,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'results'").fetchone()
    twice = f"{view} UNION ALL {view[view.index('SELECT') :]}"
    change(file, "DROP VIEW results", twice)
    monkeypatch.setattr(sys, "argv", ["reports", "--db", url, "--out", str(tmp_path / "report")])
    code, said = outcome(reports.__main__.main, capsys)
    assert code == 2
    assert f"{url}: holds what no sweep wrote: " in said
    assert not list((tmp_path / "report").iterdir())


@pytest.mark.parametrize("png", NO_SHEETS.values(), ids=NO_SHEETS.keys())
def test_what_is_no_sheet_is_no_picture(png: bytes, recwarn: pytest.WarningsRecorder) -> None:
    assert read_sheet(png) is None
    assert not recwarn.list


def test_no_picture_starts_a_program(tmp_path: Path) -> None:
    """Pillow hands EPS to Ghostscript, the first of that name in PATH; in a process that has not looked for it yet."""
    path = stand_in(tmp_path)
    script = "import sys; from data.sample_sheet import read_sheet; print(read_sheet(sys.stdin.buffer.read()))"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PATH": path}
    done = subprocess.run([sys.executable, "-c", script], input=EPS, capture_output=True, env=environment, timeout=60)
    assert not (tmp_path / "started").exists()
    assert done.stdout == b"None\n"


def stand_in(folder: Path) -> str:
    """A PATH whose first `gs` leaves a trace in the folder."""
    program = folder / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {folder}/started\nexit 1\n")
    program.chmod(0o755)
    return f"{program.parent}:{os.environ['PATH']}"


def test_sheets_of_both_kinds_are_read() -> None:
    for mode in ("L", "P"):
        pixels = read_sheet(picture(mode=mode))
        assert pixels is not None and pixels.shape == (256, 384)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trials SET n_layer_g = 3",  # another trial than its identity says
        "UPDATE trials SET n_layer_g = 2000000000",
        "UPDATE trials SET lr = 'fast'",
        "UPDATE score_identities SET n_samples = 1000000000",
        "UPDATE score_identities SET z_seed = 'text'",
    ],
)
def test_a_trial_that_no_sweep_declared_is_not_run_again(file: Path, url: str, statement: str) -> None:
    change(file, statement)
    storage = Storage(url)
    with pytest.raises(StorageError) as caught:
        stored_trial(storage, ASKED)
    assert len(str(caught.value).splitlines()) == 1
    storage.close()


def test_text_of_a_table_is_no_formula(file: Path, url: str, tmp_path: Path) -> None:
    names = ["=cmd|' /C calc'!A1", "+1", "-1", "@SUM(A1)", "\tx", "\r=x", "a\r=x"]
    for n, name in enumerate(names):
        change(file, "UPDATE trials SET device = ? WHERE position = ?", values=(name, n))
    change(file, "UPDATE scores SET score = -1.5")
    assert main(["export", "--to", "csv", str(tmp_path / "results.csv"), "--db", url]) == 0
    with (tmp_path / "results.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert [row["device"] for row in rows[: len(names)]] == [
        *(f"'{name}" for name in names[:-2]),
        "'\n=x",
        "a\n=x",
    ]
    assert len(rows) == len(GRID) + len(STUDY)
    assert {row["score"] for row in rows} == {"-1.5", ""}


def report(url: str, out: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """By the real command, with its figures."""
    command = [sys.executable, "-m", "reports", "--db", url, "--out", str(out)]
    return subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)} | environment, timeout=120
    )


@pytest.mark.slow
def test_a_report_on_all_of_it(file: Path, url: str, tmp_path: Path) -> None:
    """Everything that has ended a report once, and a stand-in for the program that Pillow starts for EPS."""
    change(
        file,
        "UPDATE sweeps SET spaces = '[1]'",
        "INSERT INTO sweeps SELECT 2, 'two', '7', settings, code_version, started_at, '', host, 'x', x'', 7, x'00'"
        " FROM sweeps",
        "UPDATE trials SET family = x'00' WHERE position = 1",
        "UPDATE trials SET position = 'first' WHERE position = 2",
        "UPDATE trials SET size_g = 'text' WHERE position = 3",
        "UPDATE trials SET size_g = x'00' WHERE position = 4",
        "UPDATE trials SET sweep_id = 'text' WHERE position = 5",
        "UPDATE trials SET family = '=1+1' WHERE position = 6",
        f"UPDATE trials SET family = '{'x' * 20_000}' WHERE position = 7",
        f"UPDATE declared SET space = '{'y' * 20_000}' || space"
        " WHERE trial_id IN (SELECT trial_id FROM trials WHERE family = 'gan')",
        "INSERT INTO score_identities VALUES (2, 'kl', x'00', 'c', 'text', 9e999, 'none', 14.0, 9.8, 0.9)",
        "UPDATE scores SET identity_id = 2 WHERE rowid % 5 = 0",
    )
    for n, png in enumerate([SHEET, *NO_SHEETS.values(), SHEET]):
        change(file, "UPDATE samples SET png = ? WHERE rowid % 15 = ?", values=(png, n))
    done = report(url, tmp_path / "report", PATH=stand_in(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "started").exists()
    sheets = [path.read_bytes() for path in (tmp_path / "report" / "sheets").iterdir()]
    assert len(sheets) > 10
    assert set(sheets) == {SHEET}
    page = (tmp_path / "report" / "index.html").read_text()
    assert "y" * 59 in page
    assert "y" * 61 not in page
    with (tmp_path / "report" / "shares.csv").open(newline="") as table:
        assert "'=1+1" in {row["family"] for row in csv.DictReader(table)}
