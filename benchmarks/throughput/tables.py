"""The findings as tables, for the terminal and for docs/performance.md."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.throughput.results import Findings, GridFinding, spread, verdicts

BEGIN = "<!-- from here to the end marker: written by `make bench` -->"
END = "<!-- end of what `make bench` writes -->"


@dataclass(frozen=True)
class Sheet:
    """A table as text."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def sheets(findings: Findings) -> Iterator[Sheet]:
    """All tables, totals first."""
    yield _targets(findings)
    yield _limit(findings)
    for grid in findings.grids:
        yield _totals(grid)
        yield _by_shape(grid)
        if grid.stages:
            yield _stages(grid)
    if findings.sweep:
        yield _sweep(findings)


def show(findings: Findings, console: Console) -> None:
    for sheet in sheets(findings):
        table = Table(title=sheet.title, title_justify="left")
        for i, name in enumerate(sheet.head):
            table.add_column(name, justify="right" if i else "left")
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table)


def markdown(findings: Findings) -> str:
    """The tables between the markers of docs/performance.md."""
    env = findings.environment
    cores = f"{findings.lanes} measuring processes"
    lines = [f"Measured on {findings.device} ({cores}), torch {env['packages']['torch']}, code {env['code']}.", ""]
    for sheet in sheets(findings):
        lines += [f"**{sheet.title}**", ""]
        lines.append("| " + " | ".join(sheet.head) + " |")
        lines.append("|" + "---|" + "---:|" * (len(sheet.head) - 1))
        lines += ["| " + " | ".join(row) + " |" for row in sheet.rows]
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


def _targets(findings: Findings) -> Sheet:
    words = {True: "met", False: "missed", None: "not measured"}
    rows = [[v.what, v.target, v.reached, words[v.met]] for v in verdicts(findings)]
    return Sheet("Targets", ["what", "target", "reached (median, range)", ""], rows)


def _limit(findings: Findings) -> Sheet:
    rows = [["matrix product", f"{findings.flops / 1e9:.0f} GFLOP/s"]]
    rows += [[f"copy that touches {_size(int(n))}", f"{v / 1e9:.0f} GB/s"] for n, v in findings.bandwidth.items()]
    return Sheet("What the machine can do, all cores", ["", "rate"], rows)


def _totals(grid: GridFinding) -> Sheet:
    rows = []
    for way in grid.ways:
        ratio = spread(grid.ratio(way)) if "cohort" in grid.ways else ""
        memory = f"{grid.memory[way] / 2**20:.0f} MiB" if way in grid.memory else ""
        rows.append(
            [
                *(way, f"{grid.rate(way):.4g}", spread(grid.hours(way))),
                *(f"{grid.share(way):.0%}", f"{grid.share(way, main_memory=True):.0%}", ratio, memory),
            ]
        )
    floor, far = grid.floor_hours(), grid.floor_hours(main_memory=True)
    rows.append(["limit", f"{grid.member_steps / grid.floor_hours() / 3600:.4g}", f"{floor:.2f}", "100%"])
    rows[-1] += [f"{far / floor:.0%}", "", ""]
    head = ["way", "member-steps/s", "hours of the grid", "of the limit", "of it from main memory"]
    title = f"{grid.grid} grid, {grid.n_cells} cells, weighted; memory added to a process by {grid.memory_case or '-'}"
    return Sheet(title, [*head, "cohort is faster by", "memory"], rows)


def _by_shape(grid: GridFinding) -> Sheet:
    rows = []
    for case in grid.cases:
        cells = f"{case.measured} of {case.members}" if case.measured < case.members else str(case.members)
        row = [case.name, cells]
        for way in grid.ways:
            mark = "*" if case.layouts.get(way) == "threads" else ""
            row.append(spread(case.rates[way], 0 if max(case.rates[way]) > 100 else 1) + mark)
        row.append(f"{1 / case.floor:.4g}")
        rows.append(row)
    title = f"{grid.grid} grid, member-steps/s by shape (* one process with all threads was better)"
    return Sheet(title, ["generator, discriminator", "members", *grid.ways, "limit"], rows)


def _stages(grid: GridFinding) -> Sheet:
    limits = {case.name: (case.rates["cohort"], case.floor) for case in grid.cases}
    rows = []
    for name, shares in grid.stages.items():
        rates, floor = limits[name]
        rows.append([name, f"{floor * statistics.median(rates):.0%}", *(f"{share:.0%}" for share in shares.values())])
    head = ["cohort", "of the limit", *next(iter(grid.stages.values()))]
    return Sheet(f"{grid.grid} grid, where the time of a cohort's step goes (one lane, profiled)", head, rows)


def _sweep(findings: Findings) -> Sheet:
    sweep = findings.sweep
    assert sweep is not None
    rows = [
        ["training alone, no Ray", f"{sweep.training:.1f} s"],
        ["python -m sweep run", f"{sweep.run:.1f} s"],
        ["python -m reports", f"{sweep.report:.1f} s"],
        ["both over training", f"{sweep.ratio:.2f}"],
    ]
    return Sheet(f"A whole laptop sweep of {sweep.trials} trials", ["", ""], rows)


def _size(n: int) -> str:
    return f"{n / 2**20:g} MiB" if n >= 2**20 else f"{n / 2**10:g} KiB"
