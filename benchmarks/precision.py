"""Does training in a lower precision give the same distribution of scores? A two-sample test on cells of a grid.

Two runs of one cell differ in any case: training multiplies rounding errors, and another seed starts elsewhere. So the
question is not whether single scores agree but whether their distributions do. The same cells are trained in both
precisions, and in float32 with another seed for comparison.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats

from benchmarks.options import count
from benchmarks.throughput.machine import device_name, file_name
from benchmarks.throughput.sample import FAMILIES, subsample
from search_spaces.space import expand
from search_spaces.space_file import load_space
from search_spaces.trial import Trial
from sweep.planning.cohorts import partition
from sweep.planning.machine import this_machine

RESULTS = Path(__file__).parent / "results"
LEVEL = 0.01  # below this p-value the distributions are taken to differ


@dataclass(frozen=True)
class Comparison:
    """Scores of the same cells, trained in two ways.

    Attributes:
        statistic, p_value: two-sample Kolmogorov-Smirnov.
        difference, interval: of the mean scores, second less first, paired by cell; 95% by bootstrap.
    """

    name: str
    n: int
    statistic: float
    p_value: float
    difference: float
    interval: tuple[float, float]

    @property
    def agrees(self) -> bool:
        return self.p_value >= LEVEL


def compare(name: str, first: Sequence[float], second: Sequence[float]) -> Comparison:
    """Compare scores of the same cells in the same order; diverged cells have NaN and count as a score of 0."""
    a, b = (np.nan_to_num(np.asarray(scores, dtype=float), nan=0.0) for scores in (first, second))
    test = stats.ks_2samp(a, b)
    difference = b - a
    if np.ptp(difference) == 0:
        low = high = float(difference[0])
    else:
        numbers = np.random.default_rng(0)
        found = stats.bootstrap((difference,), np.mean, method="percentile", n_resamples=2000, rng=numbers)
        low, high = (float(v) for v in found.confidence_interval)
    return Comparison(name, len(a), float(test.statistic), float(test.pvalue), float(difference.mean()), (low, high))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.precision", description=__doc__)
    parser.add_argument("--grid", choices=("laptop", "paper"), default="laptop")
    parser.add_argument(
        "--cells",
        type=count,
        default=256,
        help="cells, evenly over all axes (default: %(default)s)",
    )
    parser.add_argument("--steps", type=count, help="training steps (default: the grid's)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the JSON file")
    options = parser.parse_args(arguments)
    console, machine = Console(), this_machine()
    device = "cuda" if machine.gpus else "cpu"
    cells = sample_cells(options.grid, options.cells, options.steps)
    plain = scores(cells, device, console)
    found = [compare("float32, another seed", plain, scores([cell.changed(seed=1) for cell in cells], device, console))]
    if machine.gpus:
        lower = [cell.changed(precision="tf32") for cell in cells]
        found.insert(0, compare("tf32", plain, scores(lower, device, console)))
    console.print(_table(found))
    if not machine.gpus:
        console.print("tf32: not measured, because it needs a CUDA device")
    name = device_name(machine)
    path = options.out / f"precision-{file_name(name)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"device": name, "grid": options.grid, "steps": cells[0].training.steps, "level": LEVEL}
    path.write_text(json.dumps(content | {"found": [asdict(c) for c in found]}, indent=1) + "\n", encoding="utf-8")
    console.print(str(path))
    return 0 if all(comparison.agrees for comparison in found) else 1


def sample_cells(grid: str, n: int, steps: int | None) -> list[Trial]:
    """At most so many cells of a grid, evenly over its axes, of as many steps."""
    cells = subsample(expand([load_space(f"{grid}/{family}") for family in FAMILIES]), n)
    return [cell.changed(steps=steps or cell.training.steps) for cell in cells]


def scores(cells: Sequence[Trial], device: str, console: Console) -> list[float]:
    """Train and score cells; NaN for those that diverge.

    Raises:
        RuntimeError: a cell failed.
    """
    from sweep.worker.train import run_cohort

    found: dict[str, float] = {}
    in_order = sorted(cells, key=lambda cell: str(cell.shape))
    machine = this_machine()
    room = machine.gpus[0][1] if device == "cuda" else machine.memory
    for cohort in partition(in_order, room // 2, device):
        for record in run_cohort(cohort, device):
            if record.state == "FAILED":
                raise RuntimeError(f"trial {record.trial_id} failed: {record.error}")
            found[record.trial_id] = record.final["score"] if record.final else float("nan")
        console.print(f"{cells[0].training.precision}: {len(found)} of {len(cells)} cells", end="\r")
    return [found[cell.trial_id] for cell in cells]


def _table(found: Sequence[Comparison]) -> Table:
    table = Table(title="Against float32")
    for name in ("", "cells", "Kolmogorov-Smirnov", "p", "mean difference (95%)", ""):
        table.add_column(name)
    for c in found:
        row = [c.name, str(c.n), f"{c.statistic:.3f}", f"{c.p_value:.3f}"]
        row.append(f"{c.difference:+.3f} ({c.interval[0]:+.3f} to {c.interval[1]:+.3f})")
        table.add_row(*row, "agrees" if c.agrees else "differs")
    return table


if __name__ == "__main__":
    sys.exit(main())
