"""The command line: what it prints, how it ends, and that bad input costs one line and changes nothing."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from made_trials import complete, failed, put, rows, trials, write_space

from metrics.classifier_card import CLASSIFIERS, classifier_card
from metrics.identity import FORMULA, ScoreIdentity
from search_spaces.space import expand
from search_spaces.space_file import load_space
from sweep.__main__ import DEFAULT_SPACES, main
from sweep.planning.machine import this_machine
from sweep.storage import Storage, StorageError

THREE_TRIALS = trials(3)


@pytest.fixture
def space(tmp_path: Path) -> str:
    return write_space(tmp_path / "tiny.yaml")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Three trials: one complete, one failed, one waiting."""
    file = tmp_path / "results.db"
    storage = Storage(f"sqlite:///{file}", create=True)
    storage.add_trials(storage.declare("tiny", {}, {}, "1"), THREE_TRIALS)
    put(storage, [complete(THREE_TRIALS[0]), failed(THREE_TRIALS[1])])
    storage.close()
    return file


def broken(old: str, new: str) -> Callable[[Path], list[str]]:
    def arguments(folder: Path) -> list[str]:
        file = folder / "broken.yaml"
        write_space(file)
        file.write_text(file.read_text().replace(old, new))
        return [str(file)]

    return arguments


def twice(folder: Path) -> list[str]:
    for name in ("one", "two"):
        (folder / name).mkdir()
    return [write_space(folder / "one" / "grid.yaml"), write_space(folder / "two" / "grid.yaml", rates=(0.001,))]


def good(folder: Path, *options: str) -> list[str]:
    return [write_space(folder / "good.yaml"), *options]


BAD: dict[str, tuple[Callable[[Path], list[str]], list[str]]] = {
    "unknown axis": (broken("n_layer_g", "nLayerG"), ["broken.yaml: axes.nLayerG: unknown key", "did you mean n_lay"]),
    "unknown family": (broken("gan", "wgan"), ["broken.yaml: family: got 'wgan', allowed: 'gan', 'ebgan' or"]),
    "width 0": (broken("size_g: 16", "size_g: 0"), ["broken.yaml: fixed.size_g: got 0, allowed: greater than or eq"]),
    "negative rate": (broken("0.01", "-1e-2"), ["broken.yaml: axes.lr[0]: got -0.01, allowed: greater than 0"]),
    "syntax error": (broken("[0.01, 0.001]", "[0.01"), ["broken.yaml: not valid YAML: "]),
    "python object": (
        broken("[0.01, 0.001]", "!!python/name:os.system"),
        ["broken.yaml: not valid YAML", "python/name"],
    ),
    "missing file": (lambda folder: [str(folder / "nothing.yaml")], ["nothing.yaml: no such search space, allowed: "]),
    "two grids of one name": (twice, ["grid: two search spaces have this name, allowed: a `name` of its own for each"]),
    "too many workers": (lambda folder: good(folder, "--workers", "9999"), ["--workers: got 9999, allowed: 1 to "]),
    "0 workers": (lambda folder: good(folder, "--workers", "0"), ["--workers: got 0, allowed: a whole number from 1"]),
    "workers in words": (
        lambda folder: good(folder, "--workers", "two"),
        ["--workers", "two", "a whole number from 1"],
    ),
    "limit 0": (lambda folder: good(folder, "--limit", "0"), ["--limit: got 0, allowed: a whole number from 1"]),
    "negative seed": (lambda folder: good(folder, "--seed", "-1"), ["--seed: got -1, allowed: a whole number from 0"]),
    "share in words": (
        lambda folder: good(folder, "--gpus-per-worker", "half"),
        ["--gpus-per-worker", "half", "allowed"],
    ),
    "unknown option": (lambda folder: good(folder, "--wokers", "1"), ["unrecognized arguments: --wokers 1"]),
}


def one_line(stderr: str) -> str:
    (line,) = stderr.splitlines()
    assert line.startswith("error: ")
    return line


def run_here(arguments: list[str]) -> int:
    """The command in this process; argparse ends it by SystemExit."""
    try:
        return main(arguments)
    except SystemExit as end:
        assert isinstance(end.code, int)
        return end.code


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_makes_no_database(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, command: str
) -> None:
    make, fragments = BAD[name]
    missing = tmp_path / "new" / "results.db"
    database = ["--db", f"sqlite:///{missing}"] if command == "run" else []
    assert run_here([command, *make(tmp_path), *database]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    line = one_line(output.err)
    assert all(fragment in line for fragment in fragments), line
    assert not missing.parent.exists()


@pytest.mark.skipif(bool(this_machine().gpus), reason="this machine has a GPU")
def test_a_gpu_where_there_is_none(space: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", space, "--gpus-per-worker", "0.5"]) == 2
    line = one_line(capsys.readouterr().err)
    assert line == "error: --gpus-per-worker: got 0.5, allowed: 0, for no CUDA device is found here"


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf", "ten"])
def test_minutes_are_above_0(space: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], minutes: str) -> None:
    assert run_here(["run", space, "--db", f"sqlite:///{tmp_path}/x.db", f"--minutes={minutes}"]) == 2
    line = one_line(capsys.readouterr().err)
    assert "--minutes" in line
    assert minutes in line
    assert "allowed: a number above 0" in line
    assert not (tmp_path / "x.db").exists()


def test_a_plan_that_cant_be_saved_is_one_line(space: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "nowhere" / "plan.csv"
    assert main(["plan", space, "--save", str(file)]) == 2
    assert str(file) in one_line(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("case", "command"),
    [("unknown axis", "run"), ("two grids of one name", "run"), ("too many workers", "run"), ("syntax error", "plan")],
)
def test_the_real_command_leaves_a_database_as_it_was(tmp_path: Path, database: Path, case: str, command: str) -> None:
    make, fragments = BAD[case]
    before = database.read_bytes()
    arguments = [command, *make(tmp_path), "--db", f"sqlite:///{database}"]
    done = subprocess.run([sys.executable, "-m", "sweep", *arguments], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    line = one_line(done.stderr)
    assert all(fragment in line for fragment in fragments), line
    assert database.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"not a database at all\n" * 100], ids=["empty", "text"])
def test_a_file_that_is_no_database_stays_as_it_was(
    tmp_path: Path, space: str, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(content)
    for arguments in (["plan", space], ["status"], ["retry"]):
        assert main([*arguments, "--db", f"sqlite:///{file}"]) == 2
        assert str(file) in one_line(capsys.readouterr().err)
        assert file.read_bytes() == content


@pytest.mark.parametrize("command", ["plan", "run", "status", "retry"])
def test_unusable_databases(space: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    (tmp_path / "file").write_text("in the way")
    spaces = [space] if command in ("plan", "run") else []
    for url in (f"sqlite:///{tmp_path}/file/x.db", "cassandra://me:secret@host/db", f"sqlite:///{tmp_path}"):
        assert main([command, *spaces, "--db", url]) == 2
        line = one_line(capsys.readouterr().err)
        assert url.removeprefix("sqlite:///").removesuffix("://me:secret@host/db") in line
        assert "secret" not in line
        assert "secret" not in line
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_plan_needs_no_database(space: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "later" / "results.db"
    assert main(["plan", space, "--db", str(file)]) == 0
    out, err = capsys.readouterr()
    assert "4 to run" in out
    assert err.splitlines() == [f"There is no database {file} yet: every trial is missing."]
    assert not file.parent.exists()


def test_status_counts_what_there_is(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--db", f"sqlite:///{database}", "--json"]) == 0
    counts = {"WAITING": 1, "RUNNING": 0, "COMPLETE": 1, "DIVERGED": 0, "FAILED": 1}
    found = json.loads(capsys.readouterr().out)
    assert found["counts"] == {"gan": counts}
    assert found["failed"] == {"error": 1}
    assert (found["running"], found["repeated"], found["hours_left"]) == ([], 0, None)
    assert main(["status", "--db", f"sqlite:///{database}"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split() == ["gan", "3", "trials:", "1", "waiting,", "1", "complete,", "1", "failed"]
    assert second == "failed: 1 by error; the last: ValueError: it broke"


def test_retry_says_how_many(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ("1 failed trial", "0 failed trials"):
        assert main(["retry", "--db", f"sqlite:///{database}"]) == 0
        assert capsys.readouterr().out == f"{words} put back to waiting\n"
    assert rows(database, "SELECT state FROM trials ORDER BY seed") == [("COMPLETE",), ("WAITING",), ("WAITING",)]


@pytest.mark.parametrize("command", [["status"], ["status", "--json"], ["plan"]], ids=str)
def test_output_that_can_not_be_written_is_one_line(database: Path, space: str, command: list[str]) -> None:
    words = [*command, *([space] if command == ["plan"] else []), "--db", f"sqlite:///{database}"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "sweep", *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert (done.returncode, done.stderr) == (2, "error: the output can't be written: No space left on device\n")


def test_a_reader_that_goes_away_is_no_error(database: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "sweep", "status", "--db", f"sqlite:///{database}"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, timeout=60)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["sweep", "run", "{space}", "--since", "nan"], "got nan, allowed: seconds since 1970"),
        (["sweep", "run", "{space}", "--minutes", "1e308"], "got 1e308, allowed: a number above 0, up to 5,000,000"),
        (["sweep", "run", "{space}", "--db", "sqlite:///x%00y"], "allowed: a name of a file, which has no NUL in it"),
        (["sweep", "export", "--to", "csv", "x" * 300, "--db", "{db}"], "can't be written: File name too long"),
        (["sweep", "status", "--d", "{db}"], "unrecognized arguments: --d (a URL)"),
        (["reports", "postgresql://u:geheim@h/x"], "invalid choice: (a URL)"),
        (["reports", "watch", "--every", "1e300", "--db", "{db}"], "allowed: a number above 0, up to 1e+06"),
    ],
)
def test_what_a_stranger_typed_is_answered_in_one_line(
    database: Path, space: str, command: list[str], reason: str
) -> None:
    words = [word.format(space=space, db=f"sqlite:///{database}") for word in command]
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert reason in one_line(done.stderr)


def test_an_error_that_can_not_be_written_keeps_its_exit_code(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "sweep", "status", "--db", f"sqlite:///{tmp_path}/none.db"]
        assert subprocess.run(command, stderr=full, timeout=60).returncode == 2


def test_rerun_of_an_unknown_trial_fetches_nothing(
    database: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SWEEP_DATA", str(tmp_path / "nowhere"))
    assert main(["rerun", "nothere", "--db", f"sqlite:///{database}"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert one_line(output.err).endswith("no trial nothere, allowed: one of the column trial_id")


def test_a_run_without_a_space_adds_nothing_to_a_database_of_other_spaces(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = rows(database, "SELECT count(*) FROM trials")
    assert main(["run", "--db", f"sqlite:///{database}"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: no SPACE is named, and sqlite:///")
    assert error.endswith(" holds tiny: name the spaces to run")
    assert rows(database, "SELECT count(*) FROM trials") == before


@pytest.mark.parametrize(("answer", "added"), [("y", True), ("n", False)])
def test_in_a_terminal_it_asks(
    database: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str, added: bool
) -> None:
    class Typed(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = Typed()
    monkeypatch.setattr(sys, "stdin", Typed(f"{answer}\n"))
    monkeypatch.setattr(sys, "stderr", shown)
    holder = Storage(f"sqlite:///{database}")
    holder.claim()  # it is refused there, after the question
    code = main(["run", "--db", f"sqlite:///{database}"])
    holder.close()
    assert code == 2
    n = len(expand(list(map(load_space, DEFAULT_SPACES))))
    assert f"holds tiny.\nAdd {n} trials of quick/mnist_gan, " in shown.getvalue()
    assert ("a sweep is running on it" in shown.getvalue()) == added
    assert ("nothing was added" in shown.getvalue()) != added


def test_the_database_may_come_from_the_environment(
    database: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWEEP_DB", f"sqlite:///{database}")
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"]["gan"]["COMPLETE"] == 1


def test_limit_takes_the_first_cohorts(space: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    files = [tmp_path / f"{n}.csv" for n in (1, 2)]
    for n, file in enumerate(files, start=1):
        assert main(["plan", space, "--json", "--limit", str(n), "--save", str(file)]) == 0
        plan = json.loads(capsys.readouterr().out)
        assert (plan["cells"], plan["cohorts"], plan["missing"]) == (4, n, 2 * n)
    one, two = (file.read_text() for file in files)
    assert two.startswith(one)
    assert len(two) > len(one)


def test_the_seed_changes_the_order_and_nothing_else(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    orders = []
    for seed in ("0", "0", "1"):
        assert main(["plan", "laptop/mnist_ebgan", "--seed", seed, "--save", str(tmp_path / "plan.csv")]) == 0
        orders.append([line.split(",")[1] for line in (tmp_path / "plan.csv").read_text().splitlines()[1:]])
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])
    first, _, other = capsys.readouterr().out.split("512 cells")[1:]
    assert first == other


def test_plan_without_a_space_says_which_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--json"]) == 0
    output = capsys.readouterr()
    by_family = {space.family: len(expand([space])) for space in map(load_space, DEFAULT_SPACES)}
    assert json.loads(output.out)["by_family"] == by_family
    assert output.err == "No SPACE is named: taking quick/mnist_gan, quick/mnist_ebgan, quick/mnist_ebgan_pt.\n"


def test_each_space_is_finished_by_its_own_way_of_scoring(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Scores of 1,000 samples are no scores of 500, whatever else runs."""
    many, few, other = (tmp_path / f"{name}.yaml" for name in ("many", "few", "other"))
    for file, layers, samples in ((many, [2], 1000), (few, [2], 500), (other, [3], 1000)):
        write_space(file, layers)
        file.write_text(file.read_text().replace("n_samples: 500", f"n_samples: {samples}"))
    database = f"sqlite:///{tmp_path}/results.db"
    storage = Storage(database, create=True)
    grid = expand([load_space(str(many))])
    storage.add_trials(storage.declare("many", {}, {}, "1"), grid)
    identity = ScoreIdentity(FORMULA, classifier_card(CLASSIFIERS[0]).sha256, 1000, 0)
    put(storage, [complete(trial, identity) for trial in grid])
    storage.close()
    for spaces, missing in (([many], 0), ([few], 2), ([other], 2), ([few, other], 4), ([many, other], 2)):
        assert main(["plan", *map(str, spaces), "--db", database, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["missing"] == missing, spaces
        assert main(["plan", *map(str, spaces), "--db", database, "--time"]) == 0
        told = r"about \d+ seconds? on this machine\n" if missing else ""
        assert re.fullmatch(told, capsys.readouterr().out), spaces


def test_a_name_that_the_database_has_for_another_grid_is_refused(
    tmp_path: Path, space: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/results.db"
    storage = Storage(url, create=True)
    storage.declare("tiny", {"tiny": load_space(space).as_dict()}, {}, "1")
    storage.close()
    write_space(Path(space), rates=(0.5,))
    for command in ("plan", "run"):
        assert main([command, space, "--db", url]) == 2
        line = one_line(capsys.readouterr().err)
        assert line == (
            "error: tiny: the database holds another grid of this name, with axes.lr [0.01, 0.001], "
            "allowed: a grid that contains it, or another `name`"
        )
    storage = Storage(url)
    assert len(storage.sweeps()) == 1
    storage.close()


def test_a_link_to_a_database_is_that_database(tmp_path: Path) -> None:
    first = Storage(f"sqlite:///{tmp_path}/results.db", create=True)
    first.claim()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "link.db").symlink_to(tmp_path / "results.db")
    (tmp_path / "results.db.lock").unlink()
    second = Storage(f"sqlite:///{tmp_path}/other/link.db")
    with pytest.raises(StorageError, match="a sweep is running on it"):
        second.claim()
    first.close()
    second.claim()
    second.close()


def test_no_room_for_a_new_database_is_one_line(space: str, tmp_path: Path) -> None:
    code = (
        "import resource, sys; from sweep.__main__ import main;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY)); sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "run", space, "--db", f"sqlite:///{tmp_path}/results.db"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert one_line(done.stderr) == f"error: sqlite:///{tmp_path}/results.db: disk I/O error"


def test_what_cant_be_printed_stops_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """A closed pipe mutes, a full disk swallows a line, and rich's way to tell of a closed pipe counts as one."""
    code = (
        "import io, os; from rich.console import Console;"
        "from sweep.command.console import say; from sweep.driver.display import Display;"
        "from sweep.driver.progress import Progress; shown = Display(Console(), Progress({}, 1.0));"
        "shown.say('one'); say('two'); shown.say('three'); os.write(2, b'alive')"
    )
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, timeout=60)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"alive")
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-c", f"{code}; os.dup2(2, 1)"]  # what Python still holds has a way out
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert b"alive" in done.stderr


@pytest.mark.parametrize("command", ["plan", "run", "status", "retry", "export", "dashboard"])
def test_a_url_that_is_not_utf_8_is_one_line(
    space: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    own = {"plan": [space], "run": [space], "export": ["--to", "optuna", "new.log"]}.get(command, [])
    assert run_here([command, *own, "--db", os.fsdecode(b"sqlite:///x\xff.db")]) == 2
    line = one_line(capsys.readouterr().err)
    assert line.startswith("error: sqlite...: not in UTF-8, which a database URL is written in; allowed: ")
    assert list(tmp_path.iterdir()) == [Path(space)]


def test_an_address_of_two_lines_is_refused_in_one(
    space: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "first\nsecond:6379")
    assert main(["plan", space]) == 2
    line = one_line(capsys.readouterr().err)
    assert line == r"error: RAY_ADDRESS: got 'first\nsecond:6379', allowed: host:port of a Ray cluster, or auto"
