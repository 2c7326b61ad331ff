"""Runs the cohorts that a dispatcher hands out on Ray Tune.

What Ray calls a trial is a cohort here: one Ray trial trains and scores all members of one cohort. Nothing is restored
from Ray Tune's own state; the database is the truth, and a sweep is resumed by planning again.
"""

import itertools
import math
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from sweep.driver.dispatcher import Dispatcher
from sweep.driver.ray_session import check_cluster, on_node, session
from sweep.driver.supervisor import STOP_SIGNALS
from sweep.errors import RayError
from sweep.planning.cohorts import Cohort
from sweep.planning.resources import PlanError, Resources
from sweep.worker.checkpoint_folder import CheckpointFolder

# Ray reads its settings when it is imported, so sweep.driver.ray_session, which makes them, is imported before it.
import ray  # isort: skip
from ray import tune  # isort: skip
from ray.tune import Callback, Stopper, Trainable  # isort: skip
from ray.tune.search import Searcher  # isort: skip

COHORTS_PER_FIT = 500  # then a new run of Ray Tune begins, because one keeps all its trials in memory


class CohortStore:
    """A Ray actor with the cohorts in flight, from which workers on any machine get theirs by number.

    In a trial's configuration Ray Tune would keep and save a cohort for ever.

    Args:
        deadline: value of time.monotonic() on the driver's machine, where this actor runs too, at which the sweep
            stops; None for no deadline.
    """

    def __init__(self, deadline: float | None = None) -> None:
        self._cohorts: dict[int, Cohort] = {}
        self._deadline = math.inf if deadline is None else deadline

    def put(self, number: int, cohort: Cohort) -> None:
        self._cohorts[number] = cohort

    def get(self, number: int) -> tuple[Cohort, float]:
        """A cohort, and the seconds until the deadline."""
        return self._cohorts[number], self._deadline - time.monotonic()

    def drop(self, number: int) -> None:
        self._cohorts.pop(number, None)


class CohortTrainable(Trainable):
    """Runs one cohort after another in the same process."""

    def setup(
        self,
        config: dict[str, Any],
        store: Any = None,
        device: str = "cpu",
        checkpoints: CheckpointFolder | None = None,
        threads: int = 1,
    ) -> None:
        import torch  # only workers load torch

        torch.set_num_threads(threads)  # rounding depends on it, so OMP_NUM_THREADS must not decide
        self._store, self._device, self._checkpoints = store, device, checkpoints
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        from sweep.worker.train import cohort_steps  # only workers load torch

        cohort, seconds = ray.get(self._store.get.remote(new_config["cohort"]))
        self._work = cohort_steps(cohort, self._device, self._checkpoints, seconds)
        return True

    def step(self) -> dict[str, Any]:
        from sweep.worker.train import TimeLimit

        result = {"records": [], "share": 1.0, "note": None, "stopped": False, "done": True}
        try:
            progress = next(self._work)
        except StopIteration as end:
            return result | {"records": end.value}
        except TimeLimit as limit:
            return result | {"share": limit.share, "note": limit.problem, "stopped": True}
        return result | {"share": progress.member_steps / progress.total, "note": progress.note, "done": False}


class _CohortQueue(Searcher):
    """Gives Ray Tune the next cohort when a worker is free.

    Attributes:
        done: whether the dispatcher has no more cohorts.
    """

    def __init__(self, dispatcher: Dispatcher, store: Any) -> None:
        super().__init__()
        self._dispatcher, self._store, self._n_left = dispatcher, store, COHORTS_PER_FIT
        self.done = False

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Ray Tune pickles its searcher in order to restore it; we plan again instead, so the pickle is empty."""
        return object, ()

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        if not self._n_left:
            return cast(dict[str, Any], Searcher.FINISHED)
        number = self._dispatcher.next()
        if number == "wait":
            return None
        if number == "done":
            self.done = True
            return cast(dict[str, Any], Searcher.FINISHED)
        self._n_left -= 1
        ray.get(self._store.put.remote(number, self._dispatcher.cohort(number)))
        return {"cohort": number}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """The order of the cohorts is fixed, so results change nothing."""

    def save(self, checkpoint_path: str) -> None:
        """There is nothing to save: the database knows what is missing."""

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError("a sweep is resumed by planning again")


class _Reporter(Callback):
    """Passes what Ray Tune reports to the dispatcher."""

    def __init__(self, dispatcher: Dispatcher, store: Any) -> None:
        self._dispatcher, self._store = dispatcher, store

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return object, ()  # as in _CohortQueue

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        self._dispatcher.tick()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._dispatcher.started(trial.config["cohort"])

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        if result["records"]:
            self._dispatcher.ended(trial.config["cohort"], list(result["records"]))
            result["records"].clear()  # Ray Tune keeps the result of every trial for ever
            self._store.drop.remote(trial.config["cohort"])
        else:
            self._dispatcher.progressed(trial.config["cohort"], result["share"], result["note"])
        if result["stopped"]:
            self._dispatcher.stopped(trial.config["cohort"])
            self._store.drop.remote(trial.config["cohort"])

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._store.drop.remote(trial.config["cohort"])
        self._dispatcher.lost(trial.config["cohort"], _first_line(trial.get_pickled_error() or "its worker died"))


class _Stop(Stopper):
    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return object, ()  # as in _CohortQueue

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._dispatcher.must_stop()


def run_cohorts(
    dispatcher: Dispatcher,
    resources: Resources,
    scratch: str,
    checkpoints: CheckpointFolder | None = None,
    require_all: bool = True,
) -> None:
    """Run the cohorts that a dispatcher hands out, until it has no more or must stop.

    Args:
        scratch: an empty folder that only this user can enter, for the files of Ray.
        checkpoints: folder and interval of the checkpoints; None for none.
        require_all: whether the cluster must have all that the plan asks for. After a restart it need not: it may have
            lost machines.

    Raises:
        PlanError: the cluster lacks what the plan asks for.
        RayError: Ray failed.
    """
    try:
        # Twice on purpose: Ray sets signal handlers of its own while its session starts.
        with _stop_on_signals(dispatcher), session(resources, f"{scratch}/r"), _stop_on_signals(dispatcher):
            if require_all:
                check_cluster(resources)
            for fit in itertools.count():
                folder = f"{scratch}/{fit}"
                if _fit(dispatcher, resources, checkpoints, folder) or dispatcher.must_stop():
                    return
                shutil.rmtree(folder, ignore_errors=True)
    except PlanError:
        raise
    except Exception as error:  # Ray raises errors of many kinds
        raise RayError(_first_line(error)) from error


def _fit(dispatcher: Dispatcher, resources: Resources, checkpoints: CheckpointFolder | None, scratch: str) -> bool:
    """Run up to `COHORTS_PER_FIT` cohorts. Returns whether there are no more."""
    here = on_node(ray.get_runtime_context().get_node_id())
    store = ray.remote(num_cpus=0)(CohortStore).options(scheduling_strategy=here).remote(dispatcher.deadline)
    queue = _CohortQueue(dispatcher, store)
    slots = sum(int(node["Resources"].get("CPU", 0) // resources.cores) for node in ray.nodes() if node["Alive"])
    trainable = tune.with_resources(
        tune.with_parameters(
            CohortTrainable, store=store, device=resources.device, checkpoints=checkpoints, threads=int(resources.cores)
        ),
        {"cpu": resources.cores, "gpu": resources.gpus},
    )
    tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=queue,
            num_samples=-1,
            max_concurrent_trials=max(1, min(slots, resources.workers)),
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="sweep",
            storage_path=scratch,
            callbacks=[_Reporter(dispatcher, store)],
            stop=_Stop(dispatcher),
            failure_config=tune.FailureConfig(max_failures=0),  # the dispatcher requeues lost cohorts itself
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            verbose=0,
        ),
    ).fit()
    return queue.done


@contextmanager
def _stop_on_signals(dispatcher: Dispatcher) -> Iterator[None]:
    """Let signals stop the sweep, also those that came while they were blocked."""

    def stop(number: int, frame: Any) -> None:
        dispatcher.interrupted = True

    before = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _first_line(error: object) -> str:
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__
