"""A sweep that goes on cuts the cohorts that it cut at first, whatever is finished and whatever memory is free."""

import csv
import json
import sqlite3
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_trials import complete, put, rows
from processes import beginning_with

from data.mnist.dataset import ensure_mnist
from metrics.classifier_card import CLASSIFIERS, classifier_card
from metrics.identity import FORMULA, ScoreIdentity
from search_spaces.space import expand
from search_spaces.space_file import load_space
from sweep.__main__ import main
from sweep.planning import machine
from sweep.planning.costs import mnist_gan as cost
from sweep.planning.machine import this_machine
from sweep.planning.resources import share_out
from sweep.storage import Storage

PATIENCE_S = 120.0
SPACE = """\
family: gan
axes:
  n_layer_g: [2, 3]
  lr: {rates}
  optim_d: [adam, sgd]
  dropout_d: [false, true]
fixed: {{n_layer_d: 2, size_g: {size}, size_d: 16, optim_g: adam}}
training: {{steps: {steps}, batch_size: 16, z_dim: 10}}
scoring: {{n_samples: 500}}
"""
RATES = (0.01, 0.003, 0.001, 0.0003)

IDENTITY = ScoreIdentity(FORMULA, classifier_card(CLASSIFIERS[0]).sha256, 500, 0)
Cohorts = list[list[str]]


def write_grid(file: Path, rates: Iterable[float] = RATES, size: int = 16, steps: int = 3) -> str:
    """Two shapes, each of 4 trials for a rate."""
    file.write_text(SPACE.format(rates=list(rates), size=size, steps=steps))
    return str(file)


def memory_for(space: str, members: int) -> int:
    """Free memory of which a lone worker gets so much that this many members of the larger shape fit, and no more."""
    trial = max(load_space(space).trials(), key=cost.member_bytes)
    return int((cost.shared_bytes(trial) + (members + 0.5) * cost.member_bytes(trial)) / 0.7)


@contextmanager
def free(memory: float) -> Iterator[None]:
    """A machine with so much free memory, and no GPU."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(machine, "_free_memory", lambda: int(memory))
        patched.setattr(machine, "_cuda_devices", lambda: ())
        yield


class Sweeps:
    """Sweeps of one grid into one database, as the command plans them and leaves them."""

    def __init__(self, folder: Path) -> None:
        self.url, self._table = f"sqlite:///{folder}/results.db", folder / "plan.csv"
        Storage(self.url, create=True).close()

    def plan(self, space: str, *options: str) -> Cohorts:
        """Trials of each cohort that is missing."""
        command = ["plan", space, "--db", self.url, "--workers", "1", "--save", str(self._table)]
        assert main([*command, *options]) == 0
        found = defaultdict(list)
        with self._table.open(newline="") as file:
            for row in csv.DictReader(file):
                found[row["cohort"]].append(row["trial_id"])
        return list(found.values())

    def begin(self, space: str, **changes: Any) -> None:
        """Declare what a run declares, with the memory that is free now."""
        grid = load_space(space)
        worker = asdict(share_out([this_machine()], 1)) | changes
        storage = Storage(self.url)
        sweep_id = storage.declare(grid.name, {grid.name: grid.as_dict()}, {"worker": worker}, "1")
        storage.add_trials(sweep_id, expand([grid]))
        storage.close()

    def finish(self, space: str, cohorts: Iterable[Iterable[str]]) -> None:
        """Cohorts end, one after the other."""
        trials = {trial.trial_id: trial for trial in load_space(space).trials()}
        storage = Storage(self.url)
        for cohort in cohorts:
            put(storage, [complete(trials[i], IDENTITY) for i in cohort])
        storage.close()


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_grid(tmp_path_factory.mktemp("grid") / "grid.yaml")


@settings(max_examples=4, deadline=None)
@given(st.integers(3, 9), st.randoms(use_true_random=False))
def test_what_is_left_runs_in_the_cohorts_of_the_first_plan(grid: str, members: int, random: Random) -> None:
    """Whatever cohorts were finished when the sweep was killed, and with 5 % more or less memory when it goes on."""
    memory = memory_for(grid, members)
    with tempfile.TemporaryDirectory() as folder:
        sweeps = Sweeps(Path(folder))
        with free(memory):
            first = sweeps.plan(grid)
            sweeps.begin(grid)
        missing = list(first)
        while missing:
            with free(memory * random.choice([0.95, random.uniform(0.95, 1.05), 1.05])):
                assert sweeps.plan(grid) == missing
            sweeps.finish(grid, [missing.pop(random.randrange(len(missing)))])


def test_it_is_the_memory_that_cuts(grid: str, tmp_path: Path) -> None:
    """So that the test above can fail: without an earlier sweep, 5 % less memory makes other cohorts."""
    sweeps = Sweeps(tmp_path)
    with free(memory_for(grid, 5)):
        first = sweeps.plan(grid)
    with free(0.95 * memory_for(grid, 5)):
        assert sweeps.plan(grid) != first


def test_half_the_memory_cuts_anew_and_says_so(grid: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweeps = Sweeps(tmp_path)
    plenty, less = memory_for(grid, 100), memory_for(grid, 3)
    with free(plenty):
        first = sweeps.plan(grid)
        sweeps.begin(grid)
    capsys.readouterr()
    with free(less):
        second = sweeps.plan(grid, "--json")
        sweeps.begin(grid)
    output, errors = capsys.readouterr()
    assert second != first
    assert json.loads(output)["cohorts"] == len(second)
    assert len(errors.splitlines()) == 1
    assert "divides the trials into cohorts again. Their scores may differ in rounding" in errors
    with free(0.97 * less):
        assert sweeps.plan(grid) == second, "the last figure that fits"
    capsys.readouterr()
    with free(plenty):
        assert sweeps.plan(grid) == first
    assert capsys.readouterr().err == ""


def test_a_grid_with_more_values_is_cut_by_all_its_trials(grid: str, tmp_path: Path) -> None:
    larger = write_grid(tmp_path / "larger.yaml", (*RATES, 0.0001))
    with free(memory_for(grid, 5)):
        whole = Sweeps(tmp_path).plan(larger)
        sweeps = Sweeps(tmp_path / "begun")
        first = sweeps.plan(grid)
        sweeps.begin(grid)
    sweeps.finish(grid, first[1:3])
    finished = {trial_id for cohort in first[1:3] for trial_id in cohort}
    left = [[trial_id for trial_id in cohort if trial_id not in finished] for cohort in whole]
    with free(0.95 * memory_for(grid, 5)):
        assert sweeps.plan(larger) == [cohort for cohort in left if cohort]


@pytest.mark.parametrize("other", [{"steps": 4}, {"size": 17}, {"rates": (0.1,)}])
def test_a_sweep_of_other_trials_has_no_say(grid: str, tmp_path: Path, other: dict[str, Any]) -> None:
    sweeps = Sweeps(tmp_path)
    with free(memory_for(grid, 3)):
        sweeps.begin(write_grid(tmp_path / "other.yaml", **other))
    with free(memory_for(grid, 5)):
        assert sweeps.plan(grid) == Sweeps(tmp_path / "fresh").plan(grid)


@pytest.mark.parametrize("kind", [{"cores": 7}, {"gpus": 1.0}])
def test_nor_has_one_with_other_workers(grid: str, tmp_path: Path, kind: dict[str, Any]) -> None:
    sweeps = Sweeps(tmp_path)
    with free(memory_for(grid, 3)):
        sweeps.begin(grid, **kind)
    with free(memory_for(grid, 5)):
        assert sweeps.plan(grid) == Sweeps(tmp_path / "fresh").plan(grid)


@pytest.mark.parametrize("memory", [-1, True, "7", 7.5, 10**400])
def test_nor_has_what_no_sweep_wrote(grid: str, tmp_path: Path, memory: object) -> None:
    sweeps = Sweeps(tmp_path)
    with free(memory_for(grid, 5)):
        sweeps.begin(grid, memory=memory)
        assert sweeps.plan(grid) == Sweeps(tmp_path / "fresh").plan(grid)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("spaces", value) for value in ("7", "[[1]]", '{"x": 1}', '{"x": {"family": "gan", "training": 7}}')),
        *(("settings", value) for value in ("null", "[1]", '{"worker": [1]}')),
    ],
)
def test_nor_have_strange_records(grid: str, tmp_path: Path, column: str, value: str) -> None:
    sweeps = Sweeps(tmp_path)
    with free(memory_for(grid, 5)):
        sweeps.begin(grid, memory=1)
        with closing(sqlite3.connect(tmp_path / "results.db")) as connection, connection:
            connection.execute(f"UPDATE sweeps SET {column} = ?", (value,))
        assert sweeps.plan(grid) == Sweeps(tmp_path / "fresh").plan(grid)


def test_a_limit_counts_what_is_missing(grid: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweeps = Sweeps(tmp_path)
    with free(memory_for(grid, 5)):
        first = sweeps.plan(grid)
        sweeps.begin(grid)
        sweeps.finish(grid, first[:3:2])
        capsys.readouterr()
        assert sweeps.plan(grid, "--limit", "2", "--json") == [first[1], first[3]]
    summary = json.loads(capsys.readouterr().out)
    assert (summary["cohorts"], summary["missing"]) == (2, len(first[1]) + len(first[3]))
    assert summary["cells"] == sum(map(len, first))


def command(folder: Path, memory: float, *arguments: str) -> str:
    """What the real command prints on a machine with so much free memory, and with one thread in the environment."""
    patch = f"from sweep.planning import machine\nmachine._free_memory = lambda: {int(memory)}"
    environment = beginning_with(patch, folder / "patch") | {"OMP_NUM_THREADS": "1"}
    line = [sys.executable, "-m", "sweep", *arguments, "--db", f"sqlite:///{folder}/results.db"]
    done = subprocess.run(line, capture_output=True, text=True, env=environment, timeout=PATIENCE_S)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


VALUES = "SELECT trial_id, state, score, inception_score, coverage, entropy, frechet, d_loss FROM results ORDER BY 1"


@pytest.mark.slow
@pytest.mark.skipif(bool(this_machine().gpus), reason="made for the pace of a CPU")
def test_a_real_sweep_that_goes_on_with_less_memory_ends_bit_by_bit_the_same(tmp_path: Path) -> None:
    ensure_mnist()
    space = write_grid(tmp_path / "grid.yaml", size=32, steps=60)
    workers = min(2, this_machine().cores)  # with one thread each, on two cores
    memory = memory_for(space, 5) * workers
    for name, shares in {"undisturbed": [(1.0, "100")], "disturbed": [(1.0, "3"), (0.95, "100")]}.items():
        (tmp_path / name).mkdir()
        for share, limit in shares:
            command(tmp_path / name, share * memory, "run", space, "--workers", str(workers), "--limit", limit)
    sizes = "SELECT count(*) FROM attempts GROUP BY started_at, sweep_id ORDER BY 1"
    for query in (VALUES, sizes):
        found = [rows(tmp_path / name / "results.db", query) for name in ("undisturbed", "disturbed")]
        assert found[0] == found[1]
    assert len(found[0]) == 8


@pytest.mark.slow
@pytest.mark.skipif(bool(this_machine().gpus), reason="made for the pace of a CPU")
def test_threads_in_the_environment_change_nothing(tmp_path: Path) -> None:
    """A lone worker has all cores. A trial comes back bit by bit among the others of its cohort."""
    ensure_mnist()
    space = write_grid(tmp_path / "grid.yaml", rates=(0.01, 0.001))
    memory = memory_for(space, 100)
    command(tmp_path, memory, "run", space, "--workers", "1", "--limit", "1")
    ((trial_id,),) = rows(tmp_path / "results.db", "SELECT trial_id FROM results WHERE state = 'COMPLETE' LIMIT 1")
    printed = command(tmp_path, memory, "rerun", trial_id, "--cohort")
    differences = [line.split()[-1] for line in printed.splitlines() if line.startswith(("score", "frechet"))]
    assert differences == ["+0", "+0"]
