"""The command `make bench`: the same work through four ways, beside the limit of the machine."""

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
from benchmarks.throughput.machine import better, device_name, file_name, measure_limit
from benchmarks.throughput.processes import Lanes
from benchmarks.throughput.results import CaseFinding, Findings, GridFinding, SweepFinding, spread
from benchmarks.throughput.roofline import Limit, mean_floor
from benchmarks.throughput.sample import Sample, draw_sample, thin
from benchmarks.throughput.side_by_side import WAYS, CaseRates, Effort, measure_sample
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
_TUNE_CELLS = 4  # of a case
_TUNE_REPEATS = 2  # a repeat takes a minute
_WIDTH = 130  # of a console that is no terminal
_LIMIT_SECONDS = 0.2


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    start = time.perf_counter()
    findings = _measure(options, console)
    show(findings, console)
    if options.out:
        path = options.out / f"{file_name(findings.device)}.json"
        findings.write(path)
        console.print(f"{path}, after {(time.perf_counter() - start) / 60:.1f} minutes")
    else:
        console.print("Not recorded, for this was a part of the benchmark; --out DIR keeps it.")
    if options.document:
        write_between_markers(options.document, markdown(findings))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--grid", choices=GRIDS, nargs="+", default=list(GRIDS))
    parser.add_argument("--shapes", type=count, default=SHAPES, help="of 16 pairings of depths with widths")
    parser.add_argument("--seconds", type=seconds, default=0.2, help="of one measurement")
    parser.add_argument("--repeats", type=count, default=3)
    parser.add_argument("--ways", choices=(*WAYS, "tune"), nargs="+", default=[*WAYS, "tune"])
    parser.add_argument("--lanes", type=count, help="measuring processes (default: one a core, or 1 with a GPU)")
    parser.add_argument("--concurrent", type=count, nargs="+", help="Ray Tune trials at once; the best number counts")
    parser.add_argument("--no-sweep", dest="sweep", action="store_false", help="leave out scoring and the whole sweep")
    parser.add_argument("--out", type=Path, help="folder of the JSON file (default: of a whole run, the recorded one)")
    parser.add_argument("--document", type=Path, help="Markdown file for the tables (default: likewise)")
    parser.add_argument("--no-document", dest="document", action="store_const", const=None)
    options = parser.parse_args(arguments)
    cores = this_machine().cores
    if options.shapes > SHAPES:
        parser.error(f"--shapes: got {options.shapes}, allowed: 1 to {SHAPES}")
    if options.lanes and options.lanes > cores:
        parser.error(f"--lanes: got {options.lanes}, allowed: 1 to {cores} on this machine")
    if not set(options.ways) - {"tune", "loops"}:
        parser.error(f"--ways: got {' '.join(options.ways)}, allowed: these beside loop, vmap or cohort")
    whole = all(
        getattr(options, name) == parser.get_default(name)
        for name in ("grid", "shapes", "seconds", "repeats", "ways", "lanes", "concurrent", "sweep")
    )
    if whole and "--no-document" not in (sys.argv[1:] if arguments is None else arguments):
        options.document = options.document or DOCUMENT
    if whole:
        options.out = options.out or RESULTS
    return options


def _measure(options: argparse.Namespace, console: Console) -> Findings:
    machine, code = this_machine(), code_version()
    device = "cuda" if machine.gpus else "cpu"
    n = options.lanes or (1 if machine.gpus else machine.cores)
    room = machine.gpus[0][1] if machine.gpus else machine.memory
    memory = int(0.6 * room / n)
    ways = [way for way in WAYS if way in options.ways and (way != "loops" or n > 1)]
    samples = [draw_sample(grid, options.shapes) for grid in options.grid]
    measured: dict[str, list[CaseRates]] = {}
    details: dict[str, Details] = {}
    sweep: SweepFinding | None = None
    with Lanes(n, device) as lanes:
        limit = measure_limit(lanes, device, min(_LIMIT_SECONDS, options.seconds))
        effort = Effort(options.seconds, options.repeats, limit.flops / n, memory)
        for sample in samples:
            console.rule(sample.grid)
            measured[sample.grid] = measure_sample(lanes, sample, ways, effort, lambda case: _tell(case, console))
            details[sample.grid] = measure_details(lanes, measured[sample.grid], ways, device, options.sweep)
        if options.sweep and "cohort" in ways and device == "cpu":
            console.print("a whole sweep ...")
            sweep = measure_sweep(lanes, memory)
        limit = better(limit, measure_limit(lanes, device, min(_LIMIT_SECONDS, options.seconds)))
    tune = _measure_tune(options, machine, device, measured, console) if "tune" in options.ways else {}
    return Findings(
        device=device_name(machine),
        lanes=n,
        environment=environment(machine) | {"code": code},
        settings={
            key: value if not isinstance(value, Path) else value.name
            for key, value in (vars(options) | {"device": device}).items()
        },
        flops=limit.flops,
        bandwidth={str(size): rate for size, rate in limit.bandwidth.items()},
        grids=[_grid_finding(s, measured[s.grid], limit, tune.get(s.grid), details[s.grid]) for s in samples],
        sweep=sweep,
    )


def _measure_tune(
    options: argparse.Namespace,
    machine: Machine,
    device: str,
    measured: dict[str, list[CaseRates]],
    console: Console,
) -> dict[str, list[Any]]:
    """Times of Ray Tune by grid, one a repeat, at the best of the numbers of concurrent trials."""
    from benchmarks.baselines.tune import measure_tune, quiet_ray

    candidates = options.concurrent or ([machine.cores] if device == "cpu" else [4, 16])
    found = {}
    with quiet_ray(machine.cores):
        for grid, cases in measured.items():
            cells = [cell for rates in cases for cell in thin(rates.measured, _TUNE_CELLS)]
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


def _grid_finding(
    sample: Sample,
    cases: Sequence[CaseRates],
    limit: Limit,
    tune: Sequence[Any] | None,
    details: Details,
) -> GridFinding:
    found = [_case_finding(rates, limit) for rates in cases]
    if tune:
        _add_tune(found, cases, tune)
    return GridFinding(
        grid=sample.grid,
        n_cells=sample.n_cells,
        inflation=sample.inflation,
        cases=found,
        tune_overhead=[times.overhead for times in tune or ()],
        tune_concurrent=tune[0].concurrent if tune else 0,
        **asdict(details),
    )


def _case_finding(rates: CaseRates, limit: Limit) -> CaseFinding:
    near, far = mean_floor(rates.measured, limit)
    return CaseFinding(
        name=rates.case.name,
        members=len(rates.case.cells),
        measured=len(rates.measured),
        stands_for=rates.case.stands_for,
        member_steps=rates.case.member_steps,
        layouts=dict(rates.layouts),
        rates={way: list(values) for way, values in rates.rates.items()},
        floor=near,
        floor_main_memory=far,
    )


def _add_tune(found: Sequence[CaseFinding], cases: Sequence[CaseRates], tune: Sequence[Any]) -> None:
    at = 0
    for case, rates in zip(found, cases, strict=True):
        n = len(thin(rates.measured, _TUNE_CELLS))
        for times in tune:
            mean = sum(times.step_seconds[i] for i in range(at, at + n)) / n
            case.rates.setdefault("tune", []).append(times.concurrent / mean)
        at += n


def _tell(rates: CaseRates, console: Console) -> None:
    ways = ", ".join(f"{way} {spread(values, 0)}" for way, values in rates.rates.items())
    console.print(f"{rates.case.name}, {len(rates.measured)} members: {ways} member-steps/s", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
