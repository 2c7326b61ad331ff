"""Runs the cohorts of a plan on Ray Tune and stores what comes back.

Ray says "trial" for what we call a cohort: one Ray trial trains and scores all members of one cohort. Ray Tune's own
state is scratch; the database is the truth, and a sweep goes on by planning again.
"""

import logging
import os
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from sweep.devices import ALLOCATOR

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

from metrics.card import classifier_card  # noqa: E402
from sweep.cohorts import Cohort  # noqa: E402
from sweep.panel import Panel  # noqa: E402
from sweep.plan import Plan, PlanError, Resources, cohort_flops  # noqa: E402
from sweep.records import Record  # noqa: E402
from sweep.storage import Reference, Storage, StorageError  # noqa: E402

MAX_SCRATCH = 30  # characters; Ray's sockets lie deep below, and the path of a socket is short
MAX_FAILURES = 2  # of a worker process; errors in a cohort's own code come back as records


class Interrupted(Exception):
    """The user asked to stop; what was finished is stored."""


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

    def setup(self, config: dict[str, Any], shelf: Any = None, device: str = "cpu") -> None:
        self._shelf, self._device = shelf, device
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        from sweep.worker import run_cohort  # torch belongs to the workers

        self._work = run_cohort(ray.get(self._shelf.get.remote(new_config["cohort"])), self._device)
        return True

    def step(self) -> dict[str, Any]:
        item = next(self._work)
        if isinstance(item, list):
            return {"records": item, "share": 1.0, "done": True}
        return {"records": [], "share": item.member_steps / item.total, "done": False}


class Sweep:
    """One run of a plan: hands out cohorts, stores records, and knows when to stop."""

    def __init__(self, plan: Plan, storage: Storage, panel: Panel, deadline: float | None) -> None:
        self.plan, self.storage, self.panel, self.deadline = plan, storage, panel, deadline
        self.interrupted = False
        self.failed = 0
        self._next = 0
        self._over: set[int] = set()
        self._unsaved: list[Sequence[Record]] = []
        self._problem = StorageError("")
        card = classifier_card()
        self._reference = Reference(card.real_score, card.real_inception_score, card.test_accuracy)

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Ray Tune pickles its set-up in order to restore it; we plan again instead, so nothing is kept."""
        return object, ()

    def hand_out(self) -> int | None:
        """Number of the next cohort; None when there is no more, or none that would end in time.

        Cohorts start in the plan's order, so what is finished is a first part of it and a fair sample of the grid.
        """
        if self._next == len(self.plan.cohorts) or self.interrupted:
            return None
        if self._next >= self.plan.resources.workers and self._too_late(self.plan.cohorts[self._next]):
            return None
        self._next += 1
        return self._next - 1

    def started(self, number: int) -> None:
        cohort = self.plan.cohorts[number]
        self._guard(lambda: self.storage.start(cohort.trial_ids))
        self.panel.started(str(number), _title(cohort), cohort_flops(cohort))

    def progressed(self, number: int, share: float) -> None:
        self.panel.progressed(str(number), share)

    def ended(self, number: int, records: Sequence[Record]) -> None:
        if number in self._over:
            return
        self._over.add(number)
        self._unsaved.append(records)
        self.save()
        self.failed += sum(record.state == "FAILED" for record in records)
        families = {trial.trial_id: trial.family for trial in self.plan.cohorts[number].trials}
        self.panel.ended(str(number), [families[record.trial_id] for record in records], records)

    def lost(self, number: int, reason: str) -> None:
        """A worker died for good on this cohort."""
        self.ended(number, [Record(i, "FAILED", error=reason) for i in self.plan.cohorts[number].trial_ids])

    def save(self) -> None:
        """Store what is not stored yet; while the database does not answer, keep it for the next time."""
        while self._unsaved and self._guard(lambda: self.storage.record(self._unsaved[0], self._reference)):
            self._unsaved.pop(0)

    def must_stop(self) -> bool:
        """On Ctrl-C, or at the deadline; then a run that has finished nothing waits for its first cohort."""
        late = self.deadline is not None and time.monotonic() > self.deadline
        return self.interrupted or (late and bool(self._over))

    def _too_late(self, cohort: Cohort) -> bool:
        if self.deadline is None:
            return False
        workers = self.plan.resources.workers
        measured = self.panel.operations_per_second
        rate = measured / workers if measured else self.plan.resources.flops
        return time.monotonic() + cohort_flops(cohort) / rate > self.deadline

    def _guard(self, action: Any) -> bool:
        """Run a database action; an exception inside a callback of Ray Tune would end the whole sweep."""
        try:
            action()
        except StorageError as error:
            self._problem = error
            return False
        return True

    def check_saved(self) -> None:
        """Raises StorageError if finished cohorts could not be stored."""
        self.save()
        if self._unsaved:
            raise self._problem


class _CohortQueue(Searcher):
    """Gives Ray Tune the next cohort when it has room for one."""

    def __init__(self, sweep: Sweep, shelf: Any) -> None:
        super().__init__()
        self._sweep, self._shelf = sweep, shelf

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        number = self._sweep.hand_out()
        if number is None:
            return cast(dict[str, Any], Searcher.FINISHED)
        ray.get(self._shelf.put.remote(number, self._sweep.plan.cohorts[number]))
        return {"cohort": number}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing to learn from a result: the order is fixed."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the database knows what is missing."""

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError("a sweep goes on by planning again")


class _Recorder(Callback):
    """Passes what Ray Tune reports to the sweep."""

    def __init__(self, sweep: Sweep, shelf: Any) -> None:
        self._sweep, self._shelf = sweep, shelf

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._sweep.started(trial.config["cohort"])

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        if result["records"]:
            self._sweep.ended(trial.config["cohort"], list(result["records"]))
            result["records"].clear()  # Ray Tune keeps the result of every trial for ever
            self._shelf.drop.remote(trial.config["cohort"])
        else:
            self._sweep.progressed(trial.config["cohort"], result["share"])

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._sweep.lost(trial.config["cohort"], f"worker lost {MAX_FAILURES + 1} times: {trial.get_pickled_error()}")
        self._shelf.drop.remote(trial.config["cohort"])


class _Stop(Stopper):
    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._sweep.must_stop()


def run_sweep(plan: Plan, storage: Storage, panel: Panel, deadline: float | None = None) -> int:
    """Run every missing cohort of a plan.

    Args:
        deadline: value of time.monotonic() by which to be done; cohorts that would not end in time don't start.

    Returns:
        How many trials failed.

    Raises:
        Interrupted: the user pressed Ctrl-C; finished cohorts are stored.
        PlanError: the cluster lacks what the plan asks for.
        StorageError: results could not be stored.
    """
    sweep = Sweep(plan, storage, panel, deadline)
    device = "cuda" if plan.resources.gpus else "cpu"
    folder = tempfile.TemporaryDirectory(prefix="sweep-", ignore_cleanup_errors=True)
    with folder as scratch, _ray(plan.resources, scratch), _interrupts(sweep), panel:
        shelf = ray.remote(num_cpus=0)(CohortShelf).remote()
        trainable = tune.with_resources(
            tune.with_parameters(CohortTrainable, shelf=shelf, device=device),
            {"cpu": plan.resources.cores, "gpu": plan.resources.gpus},
        )
        tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=_CohortQueue(sweep, shelf),
                num_samples=len(plan.cohorts),
                max_concurrent_trials=plan.resources.workers,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="sweep",
                storage_path=scratch,
                callbacks=[_Recorder(sweep, shelf)],
                stop=_Stop(sweep),
                failure_config=tune.FailureConfig(max_failures=MAX_FAILURES),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                verbose=0,
            ),
        ).fit()
    storage.release()
    sweep.check_saved()
    if sweep.interrupted:
        raise Interrupted
    return sweep.failed


@contextmanager
def _ray(resources: Resources, scratch: str) -> Iterator[None]:
    """Ray for the length of a sweep: an existing cluster where RAY_ADDRESS names one, this machine otherwise."""
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
    logging.getLogger("ray").setLevel(logging.CRITICAL)  # what goes wrong is told by the database and the panel
    if os.environ.get("RAY_ADDRESS"):
        try:
            ray.init(**quiet)
        except (ConnectionError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise PlanError(f"RAY_ADDRESS: got {os.environ['RAY_ADDRESS']}, can't join it: {reason}") from None
    else:
        if len(scratch) <= MAX_SCRATCH:
            quiet["_temp_dir"] = scratch  # otherwise Ray leaves its logs behind
        ray.init(num_cpus=int(resources.workers * resources.cores), include_dashboard=False, **quiet)
    try:
        _check_cluster(resources)
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
def _interrupts(sweep: Sweep) -> Iterator[None]:
    """The first Ctrl-C asks the sweep to stop, a second one ends it at once."""

    def ask(number: int, frame: Any) -> None:
        if sweep.interrupted:
            raise KeyboardInterrupt
        sweep.interrupted = True

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _title(cohort: Cohort) -> str:
    first = cohort.trials[0]
    families = " + ".join(sorted({trial.family for trial in cohort.trials}))
    shape = f"{first.n_layer_g}x{first.size_g} against {first.n_layer_d}x{first.size_d}"
    return f"{len(cohort.trials)} {families}, {shape}"
