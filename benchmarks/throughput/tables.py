"""The results as tables, for the terminal and for docs/performance.md."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.throughput.results import BenchmarkResults, GridResult, spread, verdicts

BEGIN = "<!-- from here to the end marker: written by `make bench` -->"
END = "<!-- end of what `make bench` writes -->"


@dataclass(frozen=True)
class TextTable:
    """A table as text."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(results: BenchmarkResults) -> Iterator[TextTable]:
    """All tables, totals first."""
    yield _targets(results)
    yield _roofline(results)
    for grid in results.grids:
        yield _totals(grid)
        yield _by_shape(grid)
        if grid.profile:
            yield _profile(grid)
    if results.sweep:
        yield _sweep(results)


def show(results: BenchmarkResults, console: Console) -> None:
    for text in tables(results):
        table = Table(title=text.title, title_justify="left")
        for i, name in enumerate(text.head):
            table.add_column(name, justify="right" if i else "left")
        for row in text.rows:
            table.add_row(*row)
        console.print(table)


def markdown(results: BenchmarkResults) -> str:
    """The tables between the markers of docs/performance.md."""
    env = results.environment
    cores = f"{results.processes} measuring processes"
    lines = [f"Measured on {results.device} ({cores}), torch {env['packages']['torch']}, code {env['code']}.", ""]
    for table in tables(results):
        lines += [f"**{table.title}**", ""]
        lines.append("| " + " | ".join(table.head) + " |")
        lines.append("|" + "---|" + "---:|" * (len(table.head) - 1))
        lines += ["| " + " | ".join(row) + " |" for row in table.rows]
        lines.append("")
    return "\n".join(lines)


def write_between_markers(path: Path, text: str) -> None:
    """Replace what stands between the markers; the prose around them stays.

    Raises:
        ValueError: the file lacks the markers.
    """
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} lacks the markers between which the tables go")
    path.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


def _targets(results: BenchmarkResults) -> TextTable:
    words = {True: "met", False: "missed", None: "not measured"}
    rows = [[v.what, v.target, v.reached, words[v.met]] for v in verdicts(results)]
    return TextTable("Targets", ["what", "target", "reached (median, range)", ""], rows)


def _roofline(results: BenchmarkResults) -> TextTable:
    rows = [["matrix product", f"{results.flops / 1e9:.0f} GFLOP/s"]]
    rows += [[f"copy that touches {_size(int(n))}", f"{v / 1e9:.0f} GB/s"] for n, v in results.bandwidth.items()]
    return TextTable("What the machine can do, all cores", ["", "rate"], rows)


def _totals(grid: GridResult) -> TextTable:
    rows = []
    for baseline in grid.baselines:
        ratio = spread(grid.ratio(baseline)) if "cohort" in grid.baselines else ""
        memory = f"{grid.memory[baseline] / 2**20:.0f} MiB" if baseline in grid.memory else ""
        fractions = [f"{grid.roofline_fraction(baseline, main_memory=far):.0%}" for far in (False, True)]
        rows.append([baseline, f"{grid.rate(baseline):.4g}", spread(grid.hours(baseline)), *fractions, ratio, memory])
    near, far = grid.lower_bound_hours(), grid.lower_bound_hours(main_memory=True)
    rate = grid.member_steps / near / 3600
    rows.append(["roofline", f"{rate:.4g}", f"{near:.2f}", "100%", f"{far / near:.0%}", "", ""])
    head = [
        "baseline",
        "member-steps/s",
        "hours for the grid",
        "fraction of the roofline",
        "with all bytes from main memory",
    ]
    title = f"{grid.grid} grid, {grid.n_cells} cells, weighted; memory: added to a process by {grid.memory_case or '-'}"
    return TextTable(title, [*head, "speedup of cohort", "memory"], rows)


def _by_shape(grid: GridResult) -> TextTable:
    rows = []
    for case in grid.cases:
        cells = f"{case.measured} of {case.members}" if case.measured < case.members else str(case.members)
        row = [case.name, cells]
        for baseline in grid.baselines:
            mark = "*" if case.layouts.get(baseline) == "threads" else ""
            row.append(spread(case.rates[baseline], 0 if max(case.rates[baseline]) > 100 else 1) + mark)
        row.append(f"{1 / case.lower_bound:.4g}")
        rows.append(row)
    title = f"{grid.grid} grid, member-steps/s by shape (*: one process with all threads was faster)"
    return TextTable(title, ["generator, discriminator", "members", *grid.baselines, "roofline"], rows)


def _profile(grid: GridResult) -> TextTable:
    rates_and_bounds = {case.name: (case.rates["cohort"], case.lower_bound) for case in grid.cases}
    rows = []
    for name, parts in grid.profile.items():
        rates, lower_bound = rates_and_bounds[name]
        fraction = lower_bound * statistics.median(rates)
        rows.append([name, *(f"{share:.0%}" for share in (fraction, *parts.values()))])
    head = ["cohort", "fraction of the roofline", *next(iter(grid.profile.values()))]
    return TextTable(f"{grid.grid} grid, shares of the time of a cohort's step (one process, profiled)", head, rows)


def _sweep(results: BenchmarkResults) -> TextTable:
    sweep = results.sweep
    assert sweep is not None
    rows = [
        ["training alone, no Ray", f"{sweep.training:.1f} s"],
        ["python -m sweep run", f"{sweep.run:.1f} s"],
        ["python -m reports", f"{sweep.report:.1f} s"],
        ["the last two relative to training alone", f"{sweep.ratio:.2f}"],
    ]
    return TextTable(f"A whole laptop sweep of {sweep.trials} trials", ["", ""], rows)


def _size(n: int) -> str:
    return f"{n / 2**20:g} MiB" if n >= 2**20 else f"{n / 2**10:g} KiB"
