"""Planning, storing and resuming synthetic grids of 1,000 to 1,000,000 cells: seconds, memory, and cost per cell.

`python -m benchmarks.scale` measures each grid and size in processes of its own, keeps the least of every number,
prints the curve and writes it to benchmarks/results/scale-<processor>.json. Nothing is trained.
"""

import argparse
import json
import re
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from metrics.identity import FORMULA, ScoreIdentity
from search_spaces.experiments.mnist_gan import GanScoring, GanTraining
from search_spaces.space import SearchSpace, expand
from sweep.planning.machine import processor_name
from sweep.planning.plan import Plan, make_plan
from sweep.planning.resources import Resources
from sweep.storage import Storage

RESULTS = Path(__file__).parent / "results"
SIZES = (1_000, 10_000, 100_000, 1_000_000)
GRIDS = ("seeds", "shapes")
# What a million cells may take.
LIMITS = {"plan_s": 20.0, "plan_bytes": 1e9, "database_s": 120.0, "resume_s": 20.0}

T = TypeVar("T")

_RESOURCES = Resources(workers=8, cores=2, gpus=1.0, memory=72 * 2**30)
_TRAINING = GanTraining(steps=4690, batch_size=128)
_SCORING = GanScoring()
_IDENTITY = ScoreIdentity(FORMULA, "0" * 64, _SCORING.n_samples, _SCORING.z_seed)
# Recording a million results one by one would take minutes and measure something else.
_FINISH = """
INSERT INTO score_identities (identity_id, formula, classifier, n_samples, z_seed, real_score)
    VALUES (1, :formula, :classifier, :n_samples, :z_seed, 14.0);
INSERT INTO scores (trial_id, step, identity_id, score, inception_score, coverage, entropy, frechet)
    SELECT trial_id, steps, 1, 7.0, 2.5, 6, 1.5, 20.0 FROM trials;
UPDATE trials SET state = 'COMPLETE';
"""


@dataclass(frozen=True)
class Point:
    """What one grid of one size took; *_cpu_s is processor time, which neighbours disturb less.

    Attributes:
        plan_s: expanding the space, hashing its cells, stacking cohorts, and the summary.
        plan_bytes: largest resident memory of the process until then, Python and libraries included.
        database_s: entering every cell into a new SQLite database.
        resume_s: expanding the space, hashing its cells, and finding in a database where every cell is finished
            that none is missing.
        peak_bytes: largest resident memory of all three.
    """

    grid: str
    cells: int
    cohorts: int
    plan_s: float
    plan_cpu_s: float
    plan_bytes: int
    database_s: float
    database_cpu_s: float
    resume_s: float
    resume_cpu_s: float
    peak_bytes: int


def synthetic_space(grid: str, cells: int) -> SearchSpace:
    """A grid of GANs with this many cells, a multiple of 1,000.

    Args:
        grid: "seeds" is 1,000 settings in 100 shapes, each with cells / 1,000 seeds; "shapes" is cells / 4 shapes,
            each with four settings.
    """
    axes: dict[str, tuple[object, ...]] = {
        "n_layer_g": (2, 3),
        "n_layer_d": (2, 3),
        "size_g": (400, 800, 1600, 3200, 6400),
        "size_d": (128, 256, 512, 1024, 2048),
        "dropout_d": (False,),
        "optim_g": ("adam", "sgd"),
        "optim_d": ("adam",),
        "lr": (0.1, 0.01, 0.001, 0.0001, 0.00001),
        "margin": (None,),
        "pt_weight": (None,),
        "norm_d": ("separate",),
        "seed": tuple(range(cells // 1000)),
    }
    if grid == "shapes":
        axes |= {"n_layer_g": (2,), "size_g": tuple(range(64, 64 + cells // 200)), "size_d": tuple(range(64, 64 + 25))}
        axes |= {"lr": (0.01, 0.001), "seed": (0,)}
    return SearchSpace(f"synthetic/{grid}", f"synthetic/{grid}", "mnist_gan", "gan", axes, _TRAINING, _SCORING)


def measure(grid: str, cells: int, folder: Path) -> Point:
    """Plan a grid, enter it into a new database in this folder, and plan what is missing once all is finished."""
    space, file = synthetic_space(grid, cells), folder / f"{grid}-{cells}.db"
    trials, expand_s, expand_cpu_s = _timed(lambda: expand([space]))
    plan, stack_s, stack_cpu_s = _timed(lambda: _summed_up(make_plan([space], trials, _RESOURCES)))
    plan_bytes = _peak_bytes()
    storage = Storage(f"sqlite:///{file}", create=True)
    sweep_id = storage.declare(space.name, {space.name: space.as_dict()}, {}, "benchmark")
    _, database_s, database_cpu_s = _timed(lambda: storage.add_trials(sweep_id, plan.trials))
    _finish(file)
    left, rest_s, rest_cpu_s = _timed(
        lambda: _summed_up(make_plan([space], trials, _RESOURCES, storage.finished(_IDENTITY)))
    )
    storage.close()
    assert len(plan.trials) == plan.missing == cells
    assert left.missing == 0
    return Point(
        grid=grid,
        cells=cells,
        cohorts=len(plan.cohorts),
        plan_s=expand_s + stack_s,
        plan_cpu_s=expand_cpu_s + stack_cpu_s,
        plan_bytes=plan_bytes,
        database_s=database_s,
        database_cpu_s=database_cpu_s,
        resume_s=expand_s + rest_s,
        resume_cpu_s=expand_cpu_s + rest_cpu_s,
        peak_bytes=_peak_bytes(),
    )


def measure_apart(grid: str, cells: int) -> Point:
    """Measure in a new process, whose peak memory is that of this grid alone."""
    command = [sys.executable, "-m", "benchmarks.scale", "--one", grid, str(cells)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Point(**json.loads(done.stdout))


def least(points: Sequence[Point]) -> Point:
    """The least of every number over repeats of one measurement: what disturbs it only adds to it."""
    rows = [asdict(point) for point in points]
    return Point(**{name: min(row[name] for row in rows) for name in rows[0]})


def table(points: Sequence[Point]) -> str:
    """The curve: a row for each size of each grid, microseconds a cell by processor time."""
    lines = [
        "Seconds and peak memory; in brackets microseconds of processor time a cell.",
        f"{'grid':7} {'cells':>9} {'cohorts':>8} {'plan':>16} {'MB':>5} {'database':>16} {'resume':>16} {'MB':>5}",
    ]
    for p in points:
        stages = [(p.plan_s, p.plan_cpu_s), (p.database_s, p.database_cpu_s), (p.resume_s, p.resume_cpu_s)]
        plan, database, resume = (f"{wall:8.2f} ({cpu / p.cells * 1e6:5.1f})" for wall, cpu in stages)
        lines.append(
            f"{p.grid:7} {p.cells:>9} {p.cohorts:>8} {plan} {p.plan_bytes / 1e6:5.0f} {database} {resume}"
            f" {p.peak_bytes / 1e6:5.0f}"
        )
    return "\n".join(lines)


def misses(points: Sequence[Point]) -> list[str]:
    """Limits that a million cells do not keep."""
    return [
        f"{point.grid} {point.cells}: {name} is {getattr(point, name):.3g}, limit {limit:.3g}"
        for point in points
        for name, limit in LIMITS.items()
        if point.cells == SIZES[-1] and getattr(point, name) > limit
    ]


def _summed_up(plan: Plan) -> Plan:
    plan.summary()
    return plan


def _finish(file: Path) -> None:
    values = {name: repr(value) for name, value in asdict(_IDENTITY).items()}
    script = re.sub(r":(\w+)", lambda name: values[name[1]], _FINISH)
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(f"BEGIN;{script}COMMIT;")


def _timed(action: Callable[[], T]) -> tuple[T, float, float]:
    """What an action gives, and its seconds of wall and of processor time."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = action()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def _peak_bytes() -> int:
    status = Path("/proc/self/status")
    own = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.MULTILINE) if status.exists() else None
    if own:
        return int(own[1]) * 1024  # Linux's getrusage starts from the size of the process that started this one
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _save(points: Sequence[Point], repeats: int) -> Path:
    name = processor_name()
    path = RESULTS / f"scale-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.json"
    path.parent.mkdir(exist_ok=True)
    found = {"processor": name, "python": sys.version.split()[0], "repeats": repeats, "limits": LIMITS}
    path.write_text(json.dumps(found | {"points": [asdict(p) for p in points]}, indent=2) + "\n", encoding="utf-8")
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="measurements of each size (default: %(default)s)")
    parser.add_argument("--one", nargs=2, metavar=("GRID", "CELLS"), help="measure once, here, and print JSON")
    options = parser.parse_args(arguments)
    if options.one:
        with tempfile.TemporaryDirectory(prefix="scale-") as folder:
            print(json.dumps(asdict(measure(options.one[0], int(options.one[1]), Path(folder)))))
        return 0
    points = []
    for grid in GRIDS:
        for cells in SIZES:
            points.append(least([measure_apart(grid, cells) for _ in range(options.repeats)]))
            print(table(points).splitlines()[-1], file=sys.stderr)
    print(table(points))
    print(f"Written to {_save(points, options.repeats)}")
    for miss in misses(points):
        print(f"missed: {miss}")
    return 1 if misses(points) else 0


if __name__ == "__main__":
    sys.exit(main())
