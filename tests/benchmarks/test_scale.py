"""Planning, storing and resuming at scale: the work for a cell does not grow with their number."""

import cProfile
import hashlib
import pstats
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.scale import GRIDS, LIMITS, SIZES, Point, least, measure, measure_apart, misses, synthetic_space, table
from search_spaces.space import expand
from sweep.planning.plan import make_plan
from sweep.planning.resources import Resources
from sweep.storage import Storage

POINT = Point("seeds", SIZES[-1], 7, 9.0, 8.0, 5 * 10**8, 30.0, 29.0, 12.0, 11.0, 6 * 10**8)


def calls(action: Callable[[], object]) -> int:
    """How many function calls an action makes; the same on every machine, however busy."""
    profile = cProfile.Profile()
    profile.runcall(action)
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("cells", [1000, 10000])
def test_a_synthetic_grid_has_as_many_cells_and_shapes_as_it_says(grid: str, cells: int) -> None:
    trials = expand([synthetic_space(grid, cells)])
    shapes = {trial.kind.shape_values(trial.settings) for trial in trials}
    assert len({trial.trial_id for trial in trials}) == len(trials) == cells
    assert len(shapes) == {"seeds": 100, "shapes": cells // 4}[grid]


@pytest.mark.parametrize("grid", GRIDS)
def test_ten_thousand_cells_take_seconds_and_resume_finds_nothing_missing(grid: str) -> None:
    point = measure_apart(grid, 10_000)  # asserts itself that nothing is missing
    assert 0 < point.plan_s < 2  # about 0.1 s where this was written
    assert 0 < point.database_s < 5  # about 0.3 s
    assert 0 < point.resume_s < 3  # about 0.15 s
    assert point.plan_bytes <= point.peak_bytes < 1e9


@pytest.mark.parametrize("grid", GRIDS)
def test_planning_makes_as_many_calls_for_a_cell_however_many_there_are(grid: str) -> None:
    resources = Resources(workers=1, cores=1, gpus=0.0, memory=2**36)

    def per_cell(cells: int) -> float:
        space = synthetic_space(grid, cells)
        return calls(lambda: make_plan([space], expand([space]), resources, {"0" * 16})) / cells

    per_cell(1000)  # once, so that nothing is done for the first time below
    assert per_cell(16_000) < 1.05 * per_cell(2000)


@pytest.mark.slow
@pytest.mark.parametrize("grid", GRIDS)
def test_the_curve_of_work_has_no_bend(grid: str, tmp_path: Path) -> None:
    """Calls do not see what a single one does, such as a look-up in a list, so time is compared as well."""
    small, large = (least([measure(grid, n, tmp_path / f"{n}-{i}") for i in range(2)]) for n in (4000, 32_000))
    for name in ("plan_cpu_s", "database_cpu_s", "resume_cpu_s"):
        # Eight times the cells: 8 where the cost is flat, 64 where it grows with their number.
        assert getattr(large, name) < 24 * getattr(small, name), name


def test_adding_what_is_there_costs_little_beside_adding_it_first(tmp_path: Path) -> None:
    """A sweep that goes on adds its whole grid again; looking each cell up in a list would take minutes."""
    trials = expand([synthetic_space("shapes", 20_000)])
    storage = Storage(f"sqlite:///{tmp_path}/results.db", create=True)
    seconds = []
    for _ in range(2):
        start = time.process_time()
        storage.add_trials(storage.declare("x", {}, {}, "1"), trials)
        seconds.append(time.process_time() - start)
    storage.close()
    assert seconds[1] < seconds[0] / 2  # about a twentieth where this was written


@pytest.mark.parametrize("grid", GRIDS)
def test_an_identity_is_hashed_once(grid: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[bytes] = []
    sha256 = hashlib.sha256

    def counted(data: bytes) -> object:
        hashed.append(data)
        return sha256(data)

    monkeypatch.setattr("hashlib.sha256", counted)
    measure(grid, 1000, tmp_path)
    assert sum(text.startswith(b"family=") for text in hashed) == 1000


def test_rows_enter_in_parts_none_lost_and_positions_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweep.storage.sweeps.ROWS_AT_ONCE", 300)
    trials = expand([synthetic_space("shapes", 1000)])
    storage = Storage(f"sqlite:///{tmp_path}/results.db", create=True)
    storage.add_trials(storage.declare("x", {}, {}, "1"), trials[:700:7])
    storage.add_trials(storage.declare("x", {}, {}, "1"), trials)
    found = storage.results()
    storage.close()
    assert set(found["trial_id"]) == {trial.trial_id for trial in trials}
    second = found[found["sweep_id"] == 2]
    assert [trials[n].trial_id for n in second["position"]] == list(second["trial_id"])
    assert len(second) == 900


def test_the_least_of_repeats_and_what_misses_its_limit() -> None:
    slow = replace(POINT, plan_s=21.0, database_s=29.0)
    assert least([POINT, slow]) == replace(POINT, database_s=29.0)
    assert misses([POINT]) == []
    assert misses([slow, replace(slow, cells=1000)]) == ["seeds 1000000: plan_s is 21, limit 20"]
    assert len(misses([replace(POINT, plan_bytes=2 * 10**9, database_s=121.0, resume_s=20.1)])) == len(LIMITS) - 1


def test_the_table_shows_cost_per_cell() -> None:
    row = table([POINT]).splitlines()[-1].split()
    assert row == [
        "seeds",
        "1000000",
        "7",
        "9.00",
        "(",
        "8.0)",
        "500",
        "30.00",
        "(",
        "29.0)",
        "12.00",
        "(",
        "11.0)",
        "600",
    ]
