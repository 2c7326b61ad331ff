"""Totals, ratios and verdicts from made measurements, and what is written about them."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.throughput.results import BenchmarkResults, CaseResult, GridResult, SweepResult, verdicts
from benchmarks.throughput.tables import BEGIN, END, markdown, write_between_markers


def made_case(loop: list[float], cohort: list[float], member_steps: float) -> CaseResult:
    rates = {"loop": loop, "cohort": cohort}
    return CaseResult("gan 2x8 2x8", 24, 24, 10, member_steps, dict.fromkeys(rates, "processes"), rates, 0.001, 0.002)


def made_results(**sweep: float) -> BenchmarkResults:
    cases = [made_case([10.0, 20.0], [100.0, 100.0], 3600), made_case([40.0, 40.0], [400.0, 200.0], 7200)]
    grid = GridResult("laptop", 20, 2.0, cases, [], 0, {"loop": 2**20}, "gan", {"gan": 0.04}, {})
    environment = {"packages": {"torch": "2"}, "code": "0 abc"}
    whole = SweepResult(96, 10.0, sweep.get("run", 9.0), 1.0)
    return BenchmarkResults("some CPU", 2, environment, {"device": "cpu"}, 1e11, {"1024": 2e10}, [grid], whole)


def test_totals_weigh_every_case_by_its_steps() -> None:
    grid = made_results().grids[0]
    assert grid.hours("loop") == pytest.approx([2 * (0.1 + 0.05), 2 * (0.05 + 0.05)])
    assert grid.hours("cohort") == pytest.approx([2 * (0.01 + 0.005), 2 * (0.01 + 0.01)])
    assert grid.ratio("loop") == pytest.approx([10, 5])
    assert grid.lower_bound_hours() == pytest.approx(2 * 10800 * 0.001 / 3600)
    assert grid.roofline_fraction("loop") == pytest.approx(0.006 / 0.25)
    assert grid.roofline_fraction("loop", main_memory=True) == pytest.approx(0.012 / 0.25)


def test_ray_tunes_own_time_counts() -> None:
    made = made_results().grids[0]
    cases = [replace(case, rates=case.rates | {"tune": case.rates["loop"]}) for case in made.cases]
    grid = replace(made, cases=cases, tune_overhead=[7.2, 0.0], tune_concurrent=2)
    extra = 20 * 7.2 / 2 / 3600  # every cell of the grid is a trial
    assert grid.hours("tune") == pytest.approx([made.hours("loop")[0] + extra, made.hours("loop")[1]])


def test_verdicts_hide_nothing() -> None:
    found = {v.what: v for v in verdicts(made_results())}
    assert found["laptop: speed of cohort relative to loop"].met is True
    assert found["laptop: speed of cohort relative to vmap"].met is None
    assert found["laptop: speed of cohort relative to vmap"].reached == "not measured"
    assert found["laptop: cohort's fraction of the roofline"].met is False
    assert found["laptop: time of scoring relative to training, gan"].met is True
    assert found["time of a whole small sweep relative to its training alone"].met is True
    assert {v.what: v for v in verdicts(made_results(run=12.0))}[
        "time of a whole small sweep relative to its training alone"
    ].met is False


def test_json_round_trip(tmp_path: Path) -> None:
    results = made_results()
    results.write(tmp_path / "new" / "some.json")
    assert BenchmarkResults.read(tmp_path / "new" / "some.json") == results


def test_prose_around_the_tables_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Before\n\n{BEGIN}\nold\n{END}\n\nafter\n", encoding="utf-8")
    for _ in range(2):
        write_between_markers(page, markdown(made_results()))
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Before\n\n") and text.endswith("\n\nafter\n")
    assert "old" not in text
    assert text.count("| laptop: speed of cohort relative to loop |") == 1


def test_a_page_without_markers_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("mine\n", encoding="utf-8")
    with pytest.raises(ValueError, match="markers"):
        write_between_markers(page, "tables")
    assert page.read_text(encoding="utf-8") == "mine\n"
