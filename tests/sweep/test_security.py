"""What docs/security.md promises, each with something hostile."""

import hashlib
import os
import pickle
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from made_trials import NO_IDENTITY, complete, put, trial, trials, write_space

import reports.__main__
from sweep.__main__ import main
from sweep.driver.event_log import Journal
from sweep.driver.hook import notify
from sweep.driver.scratch import scratch_folder
from sweep.planning.cohorts import Cohort
from sweep.storage import Storage
from sweep.worker.checkpoints import Checkpoints
from sweep.worker.recipes.mnist_gan import new_training

ROOT = Path(__file__).parent.parent.parent
HOSTILE = "<script>alert('x')</script>'; DROP TABLE trials; --"


class Bomb:
    """Unpickled, it leaves a trace."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {Path.cwd() / 'exploded'}",)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_search_space_runs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for tag in ("!!python/object/apply:os.system ['touch exploded']", "!!python/name:os.system"):
        file = tmp_path / "space.yaml"
        write_space(file)
        file.write_text(file.read_text().replace("[0.01, 0.001]", tag))
        assert main(["plan", str(file)]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "exploded").exists()


def test_a_strangers_database_is_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "stranger.db"
    storage = Storage(f"sqlite:///{file}", create=True)
    grid = trials(3, space=HOSTILE)
    storage.add_trials(storage.declare(HOSTILE, {HOSTILE: {}}, {"x": HOSTILE}, HOSTILE), grid)
    put(storage, [complete(one) for one in grid])
    storage.close()
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE trials SET device = ?, family = 'gan'", (HOSTILE,))
        connection.execute("UPDATE samples SET png = ?", (pickle.dumps(Bomb()),))
    monkeypatch.setattr(sys, "argv", ["reports", "--db", f"sqlite:///{file}", "--out", str(tmp_path / "report")])
    assert reports.__main__.main() == 0
    assert main(["status", "--db", f"sqlite:///{file}"]) == 0
    pages = list((tmp_path / "report").rglob("*.html"))
    assert pages
    for page in pages:
        assert "<script>alert" not in page.read_text()
    assert not (tmp_path / "exploded").exists()
    assert len(Storage(f"sqlite:///{file}").results()) == 3


def test_names_are_parameters(url: str) -> None:
    storage = Storage(url, create=True)
    grid = [trial(space=HOSTILE, seed=seed) for seed in range(2)]
    sweep_id = storage.declare(HOSTILE, {}, {}, HOSTILE)
    storage.add_trials(sweep_id, grid)
    lease = storage.lease(sweep_id, [one.trial_id for one in grid] + [HOSTILE], HOSTILE, NO_IDENTITY)
    assert lease.cohort_id is not None
    storage.lost(lease.cohort_id, HOSTILE)
    assert list(storage.results()["space"]) == [HOSTILE] * 2
    assert storage.sheets([HOSTILE]) == {}
    storage.close()


def test_a_checkpoint_that_is_a_pickle_is_no_checkpoint(tmp_path: Path) -> None:
    cohort = Cohort(tuple(trials(2)))
    content = pickle.dumps(Bomb())
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / f"{9:012d}-{hashlib.sha256(content).hexdigest()}.safetensors").write_bytes(content)
    checkpoints = Checkpoints(folder, cohort, torch.device("cpu"))
    found = checkpoints.restore(lambda: new_training(cohort, torch.zeros(50, 1024)))
    assert found.training.steps_done == 0
    assert not (tmp_path / "exploded").exists()


def test_what_a_notice_is_told_is_no_command(tmp_path: Path) -> None:
    storage = Storage(f"sqlite:///{tmp_path}/x.db", create=True)
    notify('printf "%s" "$SWEEP_STATE" > told', "$(touch exploded)", storage, 1)
    assert (tmp_path / "told").read_text() == "$(touch exploded)"
    assert not (tmp_path / "exploded").exists()


def test_files_are_made_with_the_umask_of_the_user(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        Storage(f"sqlite:///{tmp_path}/runs/x.db", create=True).close()
        Journal(tmp_path / "runs" / "log.jsonl").write("event")
        cohort = Cohort(tuple(trials(1)))
        training = new_training(cohort, torch.zeros(50, 1024))
        Checkpoints(tmp_path / "runs" / "checkpoints", cohort, torch.device("cpu")).save(training, 1.0, {})
    finally:
        os.umask(before)
    for path in (tmp_path / "runs").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


SECRET = "postgresql+psycopg://u:geheim@127.0.0.1:1/db"
# Arguments of `python -m sweep` and its environment: whatever is wrong with a URL, and wherever it stands.
WITH_A_PASSWORD: tuple[tuple[str, dict[str, str]], ...] = (
    (f"status --db {SECRET}", {}),
    (f"status {SECRET}", {}),
    ("status", {"SWEEP_DB": SECRET}),
    ("run --help", {"SWEEP_DB": SECRET}),
    ("plan space.yaml --db postgres://h/db?user=u&password=geheim", {}),
    ("run space.yaml --db postgresql+psycopg//u:geheim", {}),
    ("run space.yaml --db postgresql+psycopg://u:geh@geheim@127.0.0.1/db", {}),
)


def ended(command: Callable[[], int], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, output and errors of a command that runs in this process."""
    capsys.readouterr()
    try:
        code: int = command()
    except SystemExit as end:
        assert isinstance(end.code, int)
        code = end.code
    output, errors = capsys.readouterr()
    return code, output, errors


def ended_apart(*command: str, **environment: str) -> tuple[int, str, str]:
    """The same of `python -m` in a process of its own."""
    told = os.environ | environment | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, env=told, timeout=120)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(("arguments", "environment"), WITH_A_PASSWORD)
def test_no_line_shows_a_password(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    environment: dict[str, str],
) -> None:
    write_space(tmp_path / "space.yaml")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    _, output, errors = ended(lambda: main(arguments.split()), capsys)
    assert output + errors
    assert "geheim" not in output + errors


@pytest.mark.parametrize(("arguments", "environment"), [WITH_A_PASSWORD[0], WITH_A_PASSWORD[-1]])
def test_the_real_command_shows_no_password(tmp_path: Path, arguments: str, environment: dict[str, str]) -> None:
    write_space(tmp_path / "space.yaml")
    _, output, errors = ended_apart("sweep", *arguments.split(), **environment)
    assert output + errors
    assert "geheim" not in output + errors
    assert "Traceback" not in errors


# What a stranger may have put in the place of values: each is shown as nothing, or refused in one line.
CHANGES = (
    "UPDATE sweeps SET last_heartbeat = NULL;"
    "INSERT INTO cohorts VALUES (7, 1, 'x', 3, 0.5, '2026-01-01 00:00:00.000000', NULL)",
    "UPDATE trials SET started_at = 'not a date', finished_at = 'neither'",
    "UPDATE sweeps SET spaces = '{not json'",
    "UPDATE sweeps SET started_at = 'garbage'",
    "PRAGMA ignore_check_constraints = 1; UPDATE trials SET state = 'WEIRD'",
    "UPDATE trials SET duration_s = 'abc', lr = 'xyz'",
    "UPDATE scores SET score = '<b>x</b>'",
    "UPDATE scores SET score = 1e308",
    "UPDATE trials SET family = char(27) || '[31m' || char(27) || ']0;owned' || char(7)",
)


def changed(file: Path, change: str) -> str:
    """URL of a database of three finished trials in which a stranger has changed something."""
    url = f"sqlite:///{file}"
    storage = Storage(url, create=True)
    grid = trials(3)
    storage.add_trials(storage.declare("tiny", {}, {}, "1"), grid)
    put(storage, [complete(one) for one in grid])
    storage.close()
    with sqlite3.connect(file) as connection:
        connection.executescript(change)
    return url


def is_harmless(code: int, output: str, errors: str) -> bool:
    """Whether a command did what it was asked for, or refused in one line."""
    assert "\x1b" not in output + errors
    return code == 0 or (code == 2 and len(errors.splitlines()) == 1)


def told_and_reported(url: str, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert is_harmless(*ended(lambda: main(["status", "--db", url]), capsys))
    monkeypatch.setattr(sys, "argv", ["reports", "--out", str(out), "--db", url])
    assert is_harmless(*ended(reports.__main__.main, capsys))


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("change", CHANGES)
def test_values_that_no_sweep_wrote_break_nothing(
    tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told_and_reported(changed(tmp_path / "stranger.db", change), tmp_path / "report", monkeypatch, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_values_that_no_sweep_wrote_can_be_drawn(
    tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told_and_reported(changed(tmp_path / "stranger.db", change), tmp_path / "report", monkeypatch, capsys)


@pytest.mark.slow
def test_the_real_commands_survive_what_is_meant_for_a_terminal(tmp_path: Path) -> None:
    url = changed(tmp_path / "stranger.db", CHANGES[-1])
    assert is_harmless(*ended_apart("sweep", "status", "--db", url))
    assert is_harmless(*ended_apart("reports", "--out", str(tmp_path / "report"), "--db", url))


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Where somebody listens who never answers, so that a command waits."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("command", ["sweep status --db", "sweep run --db sqlite:///x.db --db", "reports --db"])
def test_a_password_leaves_the_command_line_within_a_second(silent_port: int, command: str) -> None:
    url = f"postgresql+psycopg://u:geheim@127.0.0.1:{silent_port}/db"
    module, *words = command.split()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    waiting = subprocess.Popen([sys.executable, "-m", module, *words, url], env=environment, stdout=pipe, stderr=pipe)
    try:
        shown = Path(f"/proc/{waiting.pid}/cmdline")
        end = time.monotonic() + 1
        while b"geheim" in shown.read_bytes() or module.encode() not in shown.read_bytes():
            assert time.monotonic() < end
            time.sleep(0.01)
        assert waiting.poll() is None
    finally:
        waiting.kill()
        output, errors = waiting.communicate()
    assert b"geheim" not in output + errors


def test_scratch_folders_are_private_and_go_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))
    monkeypatch.setattr(tempfile, "tempdir", str(short))
    left, other, young = (short / f"sweep-{name}" for name in ("killed01", "linked01", "starting"))
    (tmp_path / "mine").mkdir()
    other.symlink_to(tmp_path / "mine")
    for path in (left, young):
        path.mkdir()
    os.utime(left, (0, 0))
    before = os.umask(0)
    try:
        with scratch_folder() as first:
            assert stat.S_IMODE(Path(first).stat().st_mode) == 0o700
            os.utime(first, (0, 0))  # it looks old, and its sweep lives
            with scratch_folder() as second:
                assert {path.name for path in short.iterdir()} == {
                    *(Path(first).name, Path(second).name, other.name, young.name)
                }
        assert {path.name for path in short.iterdir()} == {other.name, young.name}
        assert (tmp_path / "mine").is_dir()
    finally:
        os.umask(before)
        shutil.rmtree(short)
