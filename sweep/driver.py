"""Runs the cohorts that a dispatcher hands out on Ray Tune.

Ray says "trial" for what we call a cohort: one Ray trial trains and scores all members of one cohort. Ray Tune's own
state is scratch; the database is the truth, and a sweep goes on by planning again.
"""

import itertools
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from sweep.devices import ALLOCATOR, Machine, this_machine

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_DEDUP_LOGS": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_memory_monitor_refresh_ms": "0",  # it would end the whole sweep; workers mind their memory themselves
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # no files per trial, no growing memory
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
}
for _name, _value in (_QUIET | ALLOCATOR).items():
    os.environ.setdefault(_name, _value)

# Ray reads its settings when it is imported, so these imports come after them.
import ray  # noqa: E402
from ray import tune  # noqa: E402
from ray.tune import Callback, Stopper, Trainable  # noqa: E402
from ray.tune.search import Searcher  # noqa: E402
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: E402

from sweep.cluster import is_named  # noqa: E402
from sweep.cohorts import Cohort  # noqa: E402
from sweep.dispatch import Dispatcher  # noqa: E402
from sweep.marks import Marks  # noqa: E402
from sweep.plan import PlanError, Resources  # noqa: E402

MAX_SCRATCH = 30  # characters; Ray's sockets lie deep below, and the path of a socket is short
COHORTS_PER_FIT = 500
ROOT = Path(__file__).parent.parent
_SILENT: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
logging.getLogger("ray").setLevel(logging.CRITICAL)  # what goes wrong is told by the database and the panel
RAY_FAILURES = 3


class RayError(Exception):
    """Ray can't be made to work; the message is one line."""


class CohortShelf:
    """An actor of Ray with the cohorts in flight, where workers on any machine find theirs by number.

    Ray Tune would keep and save a cohort in a trial's configuration for ever.
    """

    def __init__(self) -> None:
        self._cohorts: dict[int, Cohort] = {}

    def put(self, number: int, cohort: Cohort) -> None:
        self._cohorts[number] = cohort

    def get(self, number: int) -> Cohort:
        return self._cohorts[number]

    def drop(self, number: int) -> None:
        self._cohorts.pop(number, None)


class CohortTrainable(Trainable):
    """Runs one cohort after another in a process that stays."""

    def setup(self, config: dict[str, Any], shelf: Any = None, device: str = "cpu", marks: Marks | None = None) -> None:
        self._shelf, self._device, self._marks = shelf, device, marks
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        from sweep.worker import run_cohort  # torch belongs to the workers

        cohort = ray.get(self._shelf.get.remote(new_config["cohort"]))
        self._work = run_cohort(cohort, self._device, self._marks)
        return True

    def step(self) -> dict[str, Any]:
        item = next(self._work)
        if isinstance(item, list):
            return {"records": item, "share": 1.0, "note": None, "done": True}
        return {"records": [], "share": item.member_steps / item.total, "note": item.note, "done": False}


class _CohortQueue(Searcher):
    """Gives Ray Tune the next cohort when it has room for one.

    Attributes:
        done: whether the dispatcher has no more.
    """

    def __init__(self, dispatcher: Dispatcher, shelf: Any) -> None:
        super().__init__()
        self._dispatcher, self._shelf, self._left = dispatcher, shelf, COHORTS_PER_FIT
        self.done = False

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Ray Tune pickles its set-up in order to restore it; we plan again instead, so nothing is kept."""
        return object, ()

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        if not self._left:
            return cast(dict[str, Any], Searcher.FINISHED)
        number = self._dispatcher.next()
        if number == "wait":
            return None
        if number == "done":
            self.done = True
            return cast(dict[str, Any], Searcher.FINISHED)
        self._left -= 1
        ray.get(self._shelf.put.remote(number, self._dispatcher.cohort(number)))
        return {"cohort": number}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing to learn from a result: the order is fixed."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the database knows what is missing."""

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError("a sweep goes on by planning again")


class _Reporter(Callback):
    """Passes what Ray Tune reports to the dispatcher."""

    def __init__(self, dispatcher: Dispatcher, shelf: Any) -> None:
        self._dispatcher, self._shelf = dispatcher, shelf

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
            self._shelf.drop.remote(trial.config["cohort"])
        else:
            self._dispatcher.progressed(trial.config["cohort"], result["share"], result["note"])

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._shelf.drop.remote(trial.config["cohort"])
        self._dispatcher.lost(trial.config["cohort"], _first_line(trial.get_pickled_error()))


class _Stop(Stopper):
    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return object, ()  # as in _CohortQueue

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._dispatcher.must_stop()


def run_cohorts(dispatcher: Dispatcher, resources: Resources, marks: Marks | None = None) -> None:
    """Run what a dispatcher hands out until it has no more or wants to stop.

    Args:
        marks: where and how often cohorts keep checkpoints; None for none.

    Raises:
        PlanError: the cluster lacks what the plan asks for.
        RayError: Ray failed several times with nothing done in between.
    """
    failures = 0
    while True:
        ended = dispatcher.n_ended
        try:
            folder = tempfile.TemporaryDirectory(prefix="sweep-", ignore_cleanup_errors=True)
            with folder as scratch, _ray(resources, scratch), _interrupts(dispatcher):
                if not failures:
                    _check_cluster(resources)  # later, one that has lost machines will do
                for fit in itertools.count():
                    done = _fit(dispatcher, resources, marks, f"{scratch}/{fit}")
                    if done or dispatcher.must_stop():
                        return
                    shutil.rmtree(f"{scratch}/{fit}", ignore_errors=True)
        except PlanError:
            raise
        except Exception as error:  # whatever Ray throws; what it ran is handed out again by a new Ray
            failures = 1 if dispatcher.n_ended > ended else failures + 1
            if failures == RAY_FAILURES:
                raise RayError(f"Ray failed {failures} times in a row: {_first_line(error)}") from error
            dispatcher.note(f"Ray failed, starting it again: {_first_line(error)}")
        finally:
            dispatcher.abandon()


def _fit(dispatcher: Dispatcher, resources: Resources, marks: Marks | None, scratch: str) -> bool:
    """Run some cohorts; Ray Tune remembers every one, so it starts afresh now and then. Returns whether all is done."""
    here = _on(ray.get_runtime_context().get_node_id())
    shelf = ray.remote(num_cpus=0)(CohortShelf).options(scheduling_strategy=here).remote()
    queue = _CohortQueue(dispatcher, shelf)
    places = sum(int(node["Resources"].get("CPU", 0) // resources.cores) for node in ray.nodes() if node["Alive"])
    trainable = tune.with_resources(
        tune.with_parameters(CohortTrainable, shelf=shelf, device=resources.device, marks=marks),
        {"cpu": resources.cores, "gpu": resources.gpus},
    )
    tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=queue,
            num_samples=-1,
            max_concurrent_trials=max(1, min(places, resources.workers)),
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="sweep",
            storage_path=scratch,
            callbacks=[_Reporter(dispatcher, shelf)],
            stop=_Stop(dispatcher),
            failure_config=tune.FailureConfig(max_failures=0),  # the dispatcher hands out again what was lost
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            verbose=0,
        ),
    ).fit()
    return queue.done


def cluster_machines() -> list[Machine]:
    """What the machines of the cluster that RAY_ADDRESS names can compute on, asked of each.

    Raises:
        PlanError: the cluster can't be joined.
    """
    with _joined():
        nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
        ask = ray.remote(num_cpus=0)(this_machine)
        found = [ask.options(scheduling_strategy=_on(node["NodeID"])).remote() for node in nodes]
        return [
            replace(machine, cores=int(node["Resources"]["CPU"]))
            for machine, node in zip(ray.get(found), nodes, strict=True)
        ]


def _on(node_id: str) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node_id, soft=True)


@contextmanager
def _ray(resources: Resources, scratch: str) -> Iterator[None]:
    """Ray for the length of a sweep: an existing cluster where RAY_ADDRESS names one, this machine otherwise."""
    if is_named():
        with _joined():
            yield
        return
    settings: dict[str, Any] = {"_temp_dir": scratch} if len(scratch) <= MAX_SCRATCH else {}  # or its logs stay behind
    ray.init(num_cpus=int(resources.workers * resources.cores), include_dashboard=False, **_SILENT, **settings)
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _joined() -> Iterator[None]:
    """Be a driver of the cluster; its machines get this code, and need its libraries alone."""
    code = [str(ROOT / package) for package in ("data", "metrics", "models", "search_spaces", "sweep")]
    try:
        ray.init(runtime_env={"py_modules": code, "env_vars": dict(ALLOCATOR)}, **_SILENT)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise PlanError(f"RAY_ADDRESS: got {os.environ['RAY_ADDRESS']}, can't join it: {reason}") from None
    try:
        yield
    finally:
        ray.shutdown()


def _check_cluster(resources: Resources) -> None:
    """Ray would wait for ever for what no node has."""
    has = ray.cluster_resources()
    for name, each in (("CPU", resources.cores), ("GPU", resources.gpus)):
        need = each * resources.workers
        if need > has.get(name, 0.0) + 1e-9:
            raise PlanError(
                f"--workers {resources.workers}: needs {need:g} {name}, the cluster has {has.get(name, 0):g}"
            )


@contextmanager
def _interrupts(dispatcher: Dispatcher) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM asks the sweep to stop, a second one ends it at once."""

    def ask(number: int, frame: Any) -> None:
        if dispatcher.interrupted:
            raise KeyboardInterrupt
        dispatcher.interrupted = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _first_line(error: object) -> str:
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__
