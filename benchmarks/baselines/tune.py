"""The baseline `tune`: one configuration per Ray Tune trial, actors reused, one trial a core (or some a GPU).

Training every sampled cell to its end would take hours, so a trial trains a few timed steps while all its neighbours
do the same, and the rest of the wall time is what Ray Tune adds to a trial.
"""

import logging
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sweep.worker.memory import ALLOCATOR

for _name, _value in {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_DEDUP_LOGS": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_memory_monitor_refresh_ms": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    **ALLOCATOR,
}.items():
    os.environ.setdefault(_name, _value)

# Ray reads its settings when it is imported, so these imports come after them.
import ray  # noqa: E402
from ray import tune  # noqa: E402

from search_spaces.trial import Trial  # noqa: E402

_LONGEST = 200  # steps of a trial


@dataclass(frozen=True)
class TuneTimes:
    """What Ray Tune took.

    Attributes:
        step_seconds: of a step of each cell, by number, with all its neighbours running.
        overhead: seconds of a trial's slot that are not its steps: scheduling, building the networks, reporting.
        concurrent: trials at once.
    """

    step_seconds: dict[int, float]
    overhead: float
    concurrent: int


class SoloTrainable(tune.Trainable):
    """Trains one configuration after another in a process that stays."""

    def setup(
        self, config: dict[str, Any], cells: Sequence[Trial] = (), device: str = "cpu", seconds: float = 0
    ) -> None:
        import torch

        from data.tensors import load_mnist, scale

        torch.set_num_threads(1)
        self._cells, self._seconds = cells, seconds
        self._images = scale(load_mnist("train")[0]).flatten(1).to(device)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._number = new_config["cell"]
        return True

    def step(self) -> dict[str, Any]:
        from benchmarks.baselines.loop import SoloTraining

        if self._number < 0:  # a first trial for every process, which loads torch and the images
            time.sleep(1)
            return {"number": -1, "done": True}
        solo = SoloTraining(self._cells[self._number], self._images)
        solo.step()
        estimate = self._timed(solo, 1)
        steps = min(_LONGEST, max(1, round(self._seconds / estimate)))
        took = self._timed(solo, steps)
        # A full training would not repeat the estimate. The first step counts as overhead.
        return {"number": self._number, "step_seconds": took / steps, "timed": took + estimate, "done": True}

    def _timed(self, solo: Any, steps: int) -> float:
        self._wait()
        start = time.perf_counter()
        for _ in range(steps):
            solo.step()
        self._wait()
        return time.perf_counter() - start

    def _wait(self) -> None:
        if self._images.is_cuda:
            import torch

            torch.cuda.synchronize()


def measure_tune(cells: Sequence[Trial], device: str, concurrent: int, cores: int, seconds: float) -> TuneTimes:
    """Train every cell in a Ray Tune trial of its own, in a running Ray.

    Args:
        concurrent: trials at once.
        cores: of this machine.
        seconds: about how long a trial trains.
    """
    trainable = tune.with_resources(
        tune.with_parameters(SoloTrainable, cells=list(cells), device=device, seconds=seconds),
        {"cpu": cores / concurrent, "gpu": 1 / concurrent if device == "cuda" else 0},
    )
    watch = _Watch(len(cells))
    # The first trials load torch in every process; the clock starts when the last of them has ended.
    order = [-1] * concurrent + list(range(len(cells)))
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        results = tune.Tuner(
            trainable,
            param_space={"cell": tune.grid_search(order)},
            tune_config=tune.TuneConfig(max_concurrent_trials=concurrent, reuse_actors=True),
            run_config=tune.RunConfig(
                name="bench",
                storage_path=scratch,
                callbacks=[watch],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                verbose=0,
            ),
        ).fit()
        if results.errors:
            raise RuntimeError(f"a Ray Tune trial failed: {results.errors[0]}")
    slots = concurrent * (watch.ended - watch.started)
    return TuneTimes(watch.step_seconds, max(0.0, slots - watch.timed) / len(cells), concurrent)


class _Watch(tune.Callback):
    """Records when the measured trials start and end."""

    def __init__(self, n: int) -> None:
        self.started = self.ended = self.timed = 0.0
        self.step_seconds: dict[int, float] = {}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        self.ended = time.perf_counter()
        if result["number"] < 0:
            self.started = self.ended
        else:
            self.step_seconds[result["number"]] = result["step_seconds"]
            self.timed += result["timed"]


@contextmanager
def quiet_ray(cores: int) -> Iterator[float]:
    """Ray on this machine; gives the seconds that its start took."""
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    start = time.perf_counter()
    ray.init(num_cpus=cores, include_dashboard=False, log_to_driver=False, logging_level=logging.CRITICAL)
    try:
        yield time.perf_counter() - start
    finally:
        ray.shutdown()
