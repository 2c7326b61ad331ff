"""A whole small sweep by its command line, compared with the training that it contains."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.throughput.processes import Processes
from benchmarks.throughput.results import SweepResult
from search_spaces.space import expand
from search_spaces.space_file import load_space
from search_spaces.trial import Trial
from sweep.planning.cohorts import partition

_SPACE = """\
family: gan
axes:
  n_layer_g: [2, 3]
  n_layer_d: [2, 3]
  dropout_d: [true, false]
  optim_g: [adam, sgd]
  optim_d: [adam, sgd]
  lr: [1e-2, 1e-3, 1e-4]
fixed: {size_g: 200, size_d: 32}
training: {steps: 2000, batch_size: 32}
scoring: {n_samples: 1000}
"""
_MEASURED_SECONDS = 1.0  # for each cohort


def measure_sweep(processes: Processes, memory: int) -> SweepResult:
    """Run it with as many workers as processes; 96 trials in four cohorts, settings of the laptop grids.

    Starting and ending take the same time for every sweep, so a shorter one would say more of that and less of a
    real one, which takes hours.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        space = Path(folder) / "small.yaml"
        space.write_text(_SPACE, encoding="utf-8")
        trials = expand([load_space(str(space))])
        db = f"sqlite:///{folder}/results.db"
        before = _training_alone(processes, trials, memory)
        run = _seconds("sweep", "run", str(space), "--db", db, "--workers", str(len(processes)))
        after = _training_alone(processes, trials, memory)
        report = _seconds("reports", "--db", db, "--out", f"{folder}/report")
    return SweepResult(len(trials), (before + after) / 2, run, report)


def _training_alone(processes: Processes, trials: Sequence[Trial], memory: int) -> float:
    """Seconds of training every cohort, all processes busy, from their measured rates."""
    total = 0.0
    for cohort in partition(trials, memory):
        processes.all("prepare", cohort.trials, ["cohort"], memory)
        rate = sum(processes.all("measure", "cohort", 1, _MEASURED_SECONDS))
        total += len(cohort.trials) * cohort.trials[0].training.steps / rate
    return total


def _seconds(module: str, *arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", module, *arguments],
        check=True,
        capture_output=True,
        env=os.environ | {"TERM": "dumb"},
        cwd=Path(__file__).parent.parent.parent,
    )
    return time.perf_counter() - start
