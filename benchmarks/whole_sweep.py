"""A whole small sweep by its command line, beside the training that it contains."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.findings import SweepFinding
from benchmarks.lanes import Lanes
from search_spaces.space import expand, load_space
from sweep.cohorts import partition

_SPACE = """\
family: gan
axes:
  n_layer_d: [2, 3]
  dropout_d: [true, false]
  optim_g: [adam, sgd]
  optim_d: [adam, sgd]
  lr: [1e-2, 1e-3, 1e-4]
fixed: {n_layer_g: 2, size_g: 100, size_d: 32}
training: {steps: 2000, batch_size: 32}
scoring: {n_samples: 1000}
"""


def measure_sweep(lanes: Lanes, seconds: float, memory: int) -> SweepFinding:
    """Run it with one worker a lane; 48 trials in two cohorts, settings of the laptop grids."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        space = Path(folder) / "small.yaml"
        space.write_text(_SPACE, encoding="utf-8")
        db = f"sqlite:///{folder}/results.db"
        training = _training_alone(lanes, space, seconds, memory)
        run = _seconds("sweep", "run", str(space), "--db", db, "--workers", str(len(lanes)))
        report = _seconds("reports", "--db", db, "--out", f"{folder}/report")
        trials = len(expand([load_space(str(space))]))
    return SweepFinding(trials, training, run, report)


def _training_alone(lanes: Lanes, space: Path, seconds: float, memory: int) -> float:
    """Seconds of training every cohort, all lanes busy, from their measured rates."""
    total = 0.0
    for cohort in partition(expand([load_space(str(space))]), memory):
        lanes.all("prepare", cohort.trials, ["cohort"], memory)
        rate = sum(lanes.all("measure", "cohort", 1, seconds))
        total += len(cohort.trials) * cohort.trials[0].training.steps / rate
    return total


def _seconds(module: str, *arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", module, *arguments],
        check=True,
        capture_output=True,
        env=os.environ | {"TERM": "dumb"},
        cwd=Path(__file__).parent.parent,
    )
    return time.perf_counter() - start
