"""Estimates of time against measured times: the recorded benchmark, and the trials of the example database."""

import json
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from made_trials import IDENTITY, SCORES, complete, put, trials

from search_spaces.experiments.mnist_gan import GanScoring
from search_spaces.space import SearchSpace, expand
from search_spaces.space_file import load_space
from sweep.planning import calibration
from sweep.planning.plan import make_plan
from sweep.planning.rates import CPU, CUDA, PROCESSOR, PRODUCT_FLOPS, Rates, measured, recorded
from sweep.planning.resources import Resources
from sweep.results.status import _work
from sweep.storage import Storage

ROOT = Path(__file__).parent.parent.parent.parent
BENCHMARK = json.loads((ROOT / "benchmarks/results/amd-epyc-2-cores.json").read_text())
TWO_CORES = Resources(workers=2, cores=1, gpus=0, memory=4 * 2**30)
FAMILIES = ("gan", "ebgan", "ebgan_pt")
STEPS = {"laptop": 2000, "paper": 4690}  # as they were when the benchmark ran


def as_benchmarked(grid: str) -> list[SearchSpace]:
    spaces = [load_space(f"{grid}/mnist_{family}") for family in FAMILIES]
    scoring = GanScoring(n_samples=1000, times=1)
    return [replace(s, training=replace(s.training, steps=STEPS[grid]), scoring=scoring) for s in spaces]


@pytest.mark.parametrize(("grid", "hours"), [("laptop", 4.92), ("paper", 514.53)])
def test_whole_grids_take_what_was_measured(grid: str, hours: float) -> None:
    """The hours are those of docs/performance.md, for two cores."""
    assert f"| {hours:.2f} (" in (ROOT / "docs/performance.md").read_text()
    spaces = as_benchmarked(grid)
    plan = make_plan(spaces, expand(spaces), TWO_CORES)
    assert hours / 1.2 < plan.total_seconds / 3600 < hours * 1.2


@pytest.mark.parametrize("grid", ["laptop", "paper"])
def test_each_cohort_of_the_benchmark_is_within_half(grid: str) -> None:
    (cases,) = (found["cases"] for found in BENCHMARK["grids"] if found["grid"] == grid)
    one_of = {}
    for trial in expand(as_benchmarked(grid)[:2]):
        s = trial.settings
        one_of[f"{trial.family} {s.n_layer_g}x{s.size_g} {s.n_layer_d}x{s.size_d}"] = trial
    for case in cases:
        trial, members = one_of[case["name"]], case["measured"]
        spent = 2 * members * STEPS[grid] / statistics.median(case["rates"]["cohort"])  # by one of two processes
        assert spent / 1.5 < CPU.seconds(trial, members) < spent * 1.5, case["name"]


def test_the_first_trials_of_a_database_say_how_long_the_rest_takes(tmp_path: Path) -> None:
    """The example was made on a busy machine, 2.4 times slower than the recorded one."""
    file = tmp_path / "example.db"
    file.write_bytes((ROOT / "tests/golden/example.db").read_bytes())
    storage = Storage(f"sqlite:///{file}")
    rows, found = storage.timed("AMD EPYC"), storage.results()
    storage.close()
    assert len(rows) == len(found) == 456
    assert 2.0 < found["duration_s"].sum() / _work(found, CPU).sum() < 3.0
    for first in (48, 100, 456):
        rates = measured(CPU, rows[-first:])  # the last of them ended first
        assert rates is not None
        assert rates.source == f"{first} finished trials of this database"
        assert 1 / 1.5 < _work(found, rates).sum() / found["duration_s"].sum() < 1.5, first


def test_rates_of_short_trials_or_other_devices_do_not_count_and_scoring_does(tmp_path: Path) -> None:
    storage = Storage(f"sqlite:///{tmp_path}/results.db", create=True)
    grid = [*trials(2, steps=20_000), *trials(2)]
    storage.add_trials(storage.declare("tiny", {}, {}, "1"), grid)
    scored = {IDENTITY: {10_000: SCORES, 20_000: SCORES}}
    put(storage, [replace(complete(one), duration_s=300.0, scores=scored) for one in grid])
    assert storage.timed("another CPU") == []
    assert len(storage.timed("some CPU")) == 4
    rates = measured(CPU, storage.timed("some CPU"))
    storage.close()
    assert rates is not None
    assert rates.source == "2 finished trials of this database"
    assert rates.seconds(replace(grid[0], scoring=GanScoring(n_samples=500, times=2)), 2) == pytest.approx(600.0)
    assert rates.seconds(grid[0], 2) < 599.9
    assert measured(CPU, []) is None


@pytest.mark.parametrize("seconds", [5e-324, 1e9])
def test_times_that_can_not_be_do_not_count(tmp_path: Path, seconds: float) -> None:
    storage = Storage(f"sqlite:///{tmp_path}/results.db", create=True)
    grid = trials(2, steps=20_000)
    storage.add_trials(storage.declare("tiny", {}, {}, "1"), grid)
    put(storage, [replace(complete(one), duration_s=seconds) for one in grid])
    rows = storage.timed("some CPU")
    storage.close()
    assert len(rows) == 2
    assert measured(CPU, rows) is None


def test_more_cores_do_the_operations_faster_and_nothing_else() -> None:
    rates = Rates(1e9, 0.0, 0.0, "made")
    assert rates.seconds(trials(1)[0], 4, units=2) == pytest.approx(rates.seconds(trials(1)[0], 2))
    slow = Rates(1e18, 0.5, 2.0, "made")
    assert slow.seconds(trials(1)[0], 4, units=2) == pytest.approx(3 * (4 * 0.5 + 2.0))
    assert slow.slower(3, "x").seconds(trials(1)[0], 4) == pytest.approx(9 * (4 * 0.5 + 2.0))


def test_a_machine_that_was_not_measured_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "processor_name", lambda: PROCESSOR)
    monkeypatch.setattr(calibration, "_product_flops", lambda: 0.0)
    assert calibration.calibrated() is CPU
    monkeypatch.setattr(calibration, "processor_name", lambda: "another CPU")
    monkeypatch.setattr(calibration, "_product_flops", lambda: PRODUCT_FLOPS / 4)
    rates = calibration.calibrated()
    assert rates.flops == pytest.approx(CPU.flops / 4)
    assert rates.source == "matrix products of two seconds on this machine"


def test_the_measurement_gives_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "SECONDS", 0.05)
    assert 1e8 < calibration._product_flops() < 1e13


def test_devices() -> None:
    assert (recorded("cpu"), recorded("cuda")) == (CPU, CUDA)
