"""The command `make bench`: cohorts next to baselines that do the same work, and to the roofline of the machine."""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.options import count, seconds
from benchmarks.throughput.details import Details, measure_details
from benchmarks.throughput.machine import better, device_name, file_name, measure_roofline
from benchmarks.throughput.processes import Processes
from benchmarks.throughput.results import BenchmarkResults, CaseResult, GridResult, SweepResult, spread
from benchmarks.throughput.roofline import Roofline, mean_lower_bound
from benchmarks.throughput.sample import Sample, draw_sample, subsample
from benchmarks.throughput.side_by_side import BASELINES, CaseRates, Effort, measure_sample
from benchmarks.throughput.tables import markdown, show, write_between_markers
from benchmarks.throughput.whole_sweep import measure_sweep
from search_spaces.trial import Trial
from sweep.planning.machine import Machine, this_machine
from sweep.provenance import code_version, environment

ROOT = Path(__file__).parent.parent.parent
RESULTS = ROOT / "benchmarks" / "results"
DOCUMENT = ROOT / "docs" / "performance.md"
GRIDS = ("laptop", "paper")
SHAPES = 16
_TUNE_CELLS = 4  # cells of each case
_TUNE_REPEATS = 2  # a repeat takes a minute
_WIDTH = 130  # columns where the output is no terminal
_ROOFLINE_SECONDS = 0.2


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    start = time.perf_counter()
    results = _measure(options, console)
    show(results, console)
    if options.out:
        path = options.out / f"{file_name(results.device)}.json"
        results.write(path)
        console.print(f"{path}, after {(time.perf_counter() - start) / 60:.1f} minutes")
    else:
        console.print("Not recorded, because this was a part of the benchmark; --out DIR writes it to a folder.")
    if options.document:
        write_between_markers(options.document, markdown(results))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--grid", choices=GRIDS, nargs="+", default=list(GRIDS))
    parser.add_argument(
        "--shapes",
        type=count,
        default=SHAPES,
        help="pairings of depths with widths (default: all 16)",
    )
    parser.add_argument("--seconds", type=seconds, default=0.2, help="length of a measurement (default: %(default)s)")
    parser.add_argument("--repeats", type=count, default=3)
    parser.add_argument("--baselines", choices=(*BASELINES, "tune"), nargs="+", default=[*BASELINES, "tune"])
    parser.add_argument("--processes", type=count, help="measuring processes (default: all cores, or 1 with a GPU)")
    parser.add_argument("--concurrent", type=count, nargs="+", help="Ray Tune trials at once; the best number counts")
    parser.add_argument("--no-sweep", dest="sweep", action="store_false", help="leave out scoring and the whole sweep")
    parser.add_argument("--out", type=Path, help="folder of the JSON file (a whole run: benchmarks/results)")
    parser.add_argument("--document", type=Path, help="file for the tables (a whole run: docs/performance.md)")
    parser.add_argument("--no-document", dest="document", action="store_const", const=None)
    options = parser.parse_args(arguments)
    cores = this_machine().cores
    if options.shapes > SHAPES:
        parser.error(f"--shapes: got {options.shapes}, allowed: 1 to {SHAPES}")
    if options.processes and options.processes > cores:
        parser.error(f"--processes: got {options.processes}, allowed: 1 to {cores} on this machine")
    if not set(options.baselines) - {"tune", "loops"}:
        parser.error(
            f"--baselines: got {' '.join(options.baselines)}, allowed: loop, vmap or cohort, with or without these"
        )
    whole = all(
        getattr(options, name) == parser.get_default(name)
        for name in ("grid", "shapes", "seconds", "repeats", "baselines", "processes", "concurrent", "sweep")
    )
    if whole and "--no-document" not in (sys.argv[1:] if arguments is None else arguments):
        options.document = options.document or DOCUMENT
    if whole:
        options.out = options.out or RESULTS
    return options


def _measure(options: argparse.Namespace, console: Console) -> BenchmarkResults:
    machine, code = this_machine(), code_version()
    device = "cuda" if machine.gpus else "cpu"
    n = options.processes or (1 if machine.gpus else machine.cores)
    room = machine.gpus[0][1] if machine.gpus else machine.memory
    memory = int(0.6 * room / n)
    baselines = [baseline for baseline in BASELINES if baseline in options.baselines and (baseline != "loops" or n > 1)]
    samples = [draw_sample(grid, options.shapes) for grid in options.grid]
    measured: dict[str, list[CaseRates]] = {}
    details: dict[str, Details] = {}
    sweep: SweepResult | None = None
    with Processes(n, device) as processes:
        roofline = measure_roofline(processes, device, min(_ROOFLINE_SECONDS, options.seconds))
        effort = Effort(options.seconds, options.repeats, roofline.flops / n, memory)
        for sample in samples:
            console.rule(sample.grid)
            measured[sample.grid] = measure_sample(
                processes, sample, baselines, effort, lambda case: _report(case, console)
            )
            details[sample.grid] = measure_details(processes, measured[sample.grid], baselines, device, options.sweep)
        if options.sweep and "cohort" in baselines and device == "cpu":
            console.print("a whole sweep ...")
            sweep = measure_sweep(processes, memory)
        roofline = better(roofline, measure_roofline(processes, device, min(_ROOFLINE_SECONDS, options.seconds)))
    tune = _measure_tune(options, machine, device, measured, console) if "tune" in options.baselines else {}
    return BenchmarkResults(
        device=device_name(machine),
        processes=n,
        environment=environment(machine) | {"code": code},
        settings={
            key: value if not isinstance(value, Path) else value.name
            for key, value in (vars(options) | {"device": device}).items()
        },
        flops=roofline.flops,
        bandwidth={str(size): rate for size, rate in roofline.bandwidth.items()},
        grids=[_grid_result(s, measured[s.grid], roofline, tune.get(s.grid), details[s.grid]) for s in samples],
        sweep=sweep,
    )


def _measure_tune(
    options: argparse.Namespace,
    machine: Machine,
    device: str,
    measured: dict[str, list[CaseRates]],
    console: Console,
) -> dict[str, list[Any]]:
    """Times of Ray Tune by grid, one for each repeat, at the best of the numbers of concurrent trials."""
    from benchmarks.baselines.tune import measure_tune, quiet_ray

    candidates = options.concurrent or ([machine.cores] if device == "cpu" else [4, 16])
    found = {}
    with quiet_ray(machine.cores):
        for grid, cases in measured.items():
            cells = [cell for rates in cases for cell in subsample(rates.measured, _TUNE_CELLS)]
            # Every trial is as long as a neighbour's, so that all cores are busy to the end.
            tried = [
                [
                    measure_tune(cells, device, n, machine.cores, options.seconds)
                    for _ in range(min(options.repeats, _TUNE_REPEATS))
                ]
                for n in candidates
            ]
            found[grid] = min(tried, key=lambda times: _slot_seconds(times[0], cells))
            console.print(f"{grid}: Ray Tune adds {found[grid][0].overhead:.3f} s to a trial")
    return found


def _slot_seconds(times: Any, cells: Sequence[Trial]) -> float:
    """Seconds of all cells at their full length."""
    training = sum(seconds * cells[i].training.steps for i, seconds in times.step_seconds.items())
    return float((training + times.overhead * len(cells)) / times.concurrent)


def _grid_result(
    sample: Sample,
    cases: Sequence[CaseRates],
    roofline: Roofline,
    tune: Sequence[Any] | None,
    details: Details,
) -> GridResult:
    found = [_case_result(rates, roofline) for rates in cases]
    if tune:
        _add_tune(found, cases, tune)
    return GridResult(
        grid=sample.grid,
        n_cells=sample.n_cells,
        inflation=sample.inflation,
        cases=found,
        tune_overhead=[times.overhead for times in tune or ()],
        tune_concurrent=tune[0].concurrent if tune else 0,
        **asdict(details),
    )


def _case_result(rates: CaseRates, roofline: Roofline) -> CaseResult:
    near, far = mean_lower_bound(rates.measured, roofline)
    return CaseResult(
        name=rates.case.name,
        members=len(rates.case.cells),
        measured=len(rates.measured),
        stands_for=rates.case.stands_for,
        member_steps=rates.case.member_steps,
        layouts=dict(rates.layouts),
        rates={baseline: list(values) for baseline, values in rates.rates.items()},
        lower_bound=near,
        lower_bound_main_memory=far,
    )


def _add_tune(found: Sequence[CaseResult], cases: Sequence[CaseRates], tune: Sequence[Any]) -> None:
    at = 0
    for case, rates in zip(found, cases, strict=True):
        n = len(subsample(rates.measured, _TUNE_CELLS))
        for times in tune:
            mean = sum(times.step_seconds[i] for i in range(at, at + n)) / n
            case.rates.setdefault("tune", []).append(times.concurrent / mean)
        at += n


def _report(rates: CaseRates, console: Console) -> None:
    baselines = ", ".join(f"{baseline} {spread(values, 0)}" for baseline, values in rates.rates.items())
    console.print(f"{rates.case.name}, {len(rates.measured)} members: {baselines} member-steps/s", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
