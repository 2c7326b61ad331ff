"""Plans a sweep, and runs it to its end. The command line and notebooks call the same functions.

Nothing here prints: what a person should know goes to functions of the caller.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search_spaces.space import SearchSpace, check_names, expand
from search_spaces.space_file import load_space
from search_spaces.trial import Trial
from sweep.command.ending import ending
from sweep.driver.cluster import check_address, is_named
from sweep.driver.event_log import EventLog
from sweep.driver.hook import notify
from sweep.planning.calibration import calibrated
from sweep.planning.finished import finished_trials
from sweep.planning.machine import Machine, processor_name, this_machine
from sweep.planning.plan import Plan, make_plan
from sweep.planning.rates import CUDA, Rates, measured, recorded
from sweep.planning.resources import Resources, as_first_planned, share_out
from sweep.provenance import code_version, environment
from sweep.storage import DEFAULT_URL, Storage, StorageError
from sweep.storage.patience import answers_within
from sweep.worker.checkpoint_folder import EVERY_S, CheckpointFolder

if TYPE_CHECKING:
    from sweep.driver.supervisor import Outcome

MAX_ATTEMPTS = 3
Tell = Callable[[str], None]
Spaces = str | Path | Mapping[str, Any] | SearchSpace | Sequence[str | Path | Mapping[str, Any] | SearchSpace]


def _silent(line: str) -> None:
    """For callers who do not want to know."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a sweep is planned and run.

    Attributes:
        workers: cohorts in flight at once; by default one a GPU, and without GPUs one a core.
        gpus_per_worker: CUDA devices of a worker, may be a fraction.
        limit: only the first cohorts of what is missing, so many of them.
        order_seed: seed of the random order of trials.
        minutes: time after which the sweep stops, about a minute later at most; the next one goes on.
        since: Unix time from which the minutes count, in seconds; by default from the start.
        max_attempts: attempts for a cohort whose worker dies.
        checkpoints: folder of the checkpoints of long cohorts; by default beside an SQLite database.
        checkpoint_minutes: minutes between checkpoints, 0 for none.
        log: file of the event log; by default beside an SQLite database.
        notify: shell command to run at the end.
    """

    workers: int | None = None
    gpus_per_worker: float | None = None
    limit: int | None = None
    order_seed: int = 0
    minutes: float | None = None
    since: float | None = None
    max_attempts: int = MAX_ATTEMPTS
    checkpoints: Path | None = None
    checkpoint_minutes: float = EVERY_S / 60
    log: Path | None = None
    notify: str | None = None


def plan(spaces: Spaces, db: str | None = None, tell: Tell = _silent, **options: Any) -> Plan:
    """What a sweep over these search spaces would run.

    Args:
        spaces: one or several, each as `load_space` takes it, or loaded.
        db: URL of a results database; trials that it holds as finished are left out.
        tell: receives lines that a person should know.
        options: of `Options`.

    Raises:
        SpaceError, PlanError, StorageError: the message is one line.
    """
    return plan_sweep(_loaded(spaces), db, Options(**options), tell)


def run(
    spaces: Spaces,
    db: str = DEFAULT_URL,
    progress: Callable[[Mapping[str, Any]], None] = lambda progress: None,
    tell: Tell = _silent,
    **options: Any,
) -> "Outcome":
    """Run what these search spaces lack in a results database.

    Args:
        spaces: one or several, each as `load_space` takes it, or loaded.
        db: URL of the results database, which is made if it is missing.
        progress: receives now and then how far the sweep is, see `sweep.driver.progress.Progress.numbers`.
        tell: receives lines that a person should know.
        options: of `Options`.

    Returns:
        How it ended; `Outcome.state` is "done", "done with failures", "time limit" or "stopped".

    Raises:
        SpaceError, PlanError, StorageError, DataError, RayError: the message is one line.
    """
    return run_sweep(_loaded(spaces), db, Options(**options), tell, progress)


def _loaded(spaces: Spaces) -> list[SearchSpace]:
    several = [spaces] if isinstance(spaces, str | Path | Mapping | SearchSpace) else spaces
    return [one if isinstance(one, SearchSpace) else load_space(one) for one in several]


def machines() -> list[Machine]:
    """Where a sweep would run: the machines of the cluster that RAY_ADDRESS names, or this one.

    Raises:
        PlanError: the cluster does not answer.
    """
    check_address()
    if not is_named():
        return [this_machine()]
    from sweep.driver.ray_session import cluster_machines

    return cluster_machines()


def plan_sweep(
    spaces: Sequence[SearchSpace],
    db: str | None,
    options: Options,
    tell: Tell,
    where: Sequence[Machine] | None = None,
) -> Plan:
    """As `plan`, of loaded search spaces, on these machines."""
    where = machines() if where is None else where
    resources, trials = _whole_grid(spaces, options, where)
    if db is None:
        planned = make_plan(spaces, trials, resources)
        return replace(_first_cohorts(planned, options.limit), rates=_rates(resources, where, None))
    with closing(Storage(db)) as storage:
        return _missing(spaces, trials, resources, where, storage, options, tell)


def run_sweep(
    spaces: Sequence[SearchSpace],
    db: str,
    options: Options,
    tell: Tell,
    progress: Callable[[Mapping[str, Any]], None] | None = None,
    where: Sequence[Machine] | None = None,
    check: Callable[[Storage, int], None] = lambda storage, n_trials: None,
) -> "Outcome":
    """As `run`, of loaded search spaces, on these machines.

    Args:
        progress: None shows the progress live on the terminal.
        check: may refuse the database, by an error, before anything is changed; it also gets the number of trials.
    """
    # What is wrong with the grid, the cluster or the data shows before a database is made.
    where = machines() if where is None else where
    resources, trials = _whole_grid(spaces, options, where)
    for kind in {space.experiment: space.kind for space in spaces}.values():
        kind.fetch(tell)
    with closing(Storage(db, create=True)) as storage:
        check(storage, len(trials))
        storage.claim()
        storage.release()
        planned = _missing(spaces, trials, resources, where, storage, replace(options, limit=None), tell)
        checkpoints = _checkpoint_folder(options, storage)
        if checkpoints:
            missing = {trial_id for cohort in planned.cohorts for trial_id in cohort.trial_ids}
            checkpoints.clear({trial.trial_id for trial in trials} - missing)
        planned = _first_cohorts(planned, options.limit)
        tell(planned.text())
        return _run_plan(planned, storage, options, checkpoints, tell, progress)


def _whole_grid(
    spaces: Sequence[SearchSpace], options: Options, where: Sequence[Machine]
) -> tuple[Resources, Sequence[Trial]]:
    resources = share_out(where, options.workers, options.gpus_per_worker)
    return resources, expand(spaces, options.order_seed)


def _missing(
    spaces: Sequence[SearchSpace],
    trials: Sequence[Trial],
    resources: Resources,
    where: Sequence[Machine],
    storage: Storage,
    options: Options,
    tell: Tell,
) -> Plan:
    """The plan of what a database lacks, cut into cohorts as they were when it was first planned."""
    with storage.describing():
        declared, finished = storage.declared(), finished_trials(trials, storage)
    check_names(spaces, [records for records, _ in declared])
    resources, note = as_first_planned(resources, spaces, declared)
    if note:
        tell(note)
    planned = make_plan(spaces, trials, resources, finished)
    if planned.cohorts:  # a calibration takes seconds
        planned = replace(planned, rates=_rates(resources, where, storage))
    return _first_cohorts(planned, options.limit)


def _rates(resources: Resources, where: Sequence[Machine], storage: Storage | None) -> Rates:
    """How fast cohorts run, from a database if it has trials of this kind of device."""
    gpus = [name for machine in where for name, _ in machine.gpus]
    device = gpus[0] if resources.gpus else processor_name()
    if storage:
        with storage.describing():
            found = measured(recorded(resources.device), storage.timed(device), resources.units)
        if found:
            return found
    return CUDA if resources.gpus else calibrated()


def _first_cohorts(planned: Plan, limit: int | None) -> Plan:
    return replace(planned, cohorts=planned.cohorts[:limit])


def _run_plan(
    planned: Plan,
    storage: Storage,
    options: Options,
    checkpoints: CheckpointFolder | None,
    tell: Tell,
    progress: Callable[[Mapping[str, Any]], None] | None,
) -> "Outcome":
    """Declare a sweep and run it; whatever ends it, the event log and --notify are told."""
    from sweep.driver.dispatcher import Settings
    from sweep.driver.supervisor import ChildConfig, Outcome, supervise

    start = time.monotonic()
    trial_ids = {trial.trial_id for trial in planned.trials}
    if not planned.cohorts:
        if not _are_declared(planned.spaces, storage):
            storage.finish(_declare(planned, storage, options))
        tell(ending(storage.counts(trial_ids), storage.name))
        return Outcome(failed=0)
    sweep_id = _declare(planned, storage, options)
    log = EventLog(_beside(options.log, storage, f"sweep-{sweep_id}.jsonl"))
    log.write("planned", sweep=sweep_id, **planned.summary())
    url = storage.url.render_as_string(hide_password=False)
    settings = Settings(_deadline(options), options.max_attempts)
    config = ChildConfig(url, sweep_id, planned, settings, checkpoints, log.path, shows=progress is None)
    outcome = Outcome(failed=0, failure="it failed")
    tell("Starting Ray ...")
    try:
        outcome = supervise(config, storage, log, tell, progress or (lambda numbers: None))
        if outcome.is_complete:
            storage.finish(sweep_id, outcome.state)
        if not outcome.interrupted:
            tell(ending(storage.counts(trial_ids), storage.name, time.monotonic() - start, outcome.time_limit))
    except KeyboardInterrupt:
        outcome = Outcome(failed=0, interrupted=True)
        raise
    except Exception as error:
        outcome = Outcome(failed=0, failure=str(error))
        raise
    finally:
        log.write("over", state=outcome.state, failed=outcome.failed, interrupted=outcome.interrupted)
        if not outcome.is_complete:
            _note_end(storage, sweep_id, outcome)
        if options.notify:
            notify(options.notify, outcome.state, storage, sweep_id)
    return outcome


def _declare(planned: Plan, storage: Storage, options: Options) -> int:
    """Record a sweep, its search spaces and their trials; return its number."""
    sweep_id = storage.declare(
        name=", ".join(space.name for space in planned.spaces),
        spaces={space.name: space.as_dict() for space in planned.spaces},
        settings={
            "order_seed": options.order_seed,
            "worker": asdict(planned.resources),
            "machine": environment(this_machine()),
        },
        code_version=code_version(),
    )
    storage.add_trials(sweep_id, planned.trials)
    return sweep_id


def _are_declared(spaces: Sequence[SearchSpace], storage: Storage) -> bool:
    """Whether a sweep of this database has declared all these search spaces as they are."""
    recorded = [record for records, _ in storage.declared() if isinstance(records, dict) for record in records.values()]
    return all(json.loads(json.dumps(space.as_dict())) in recorded for space in spaces)


def _note_end(storage: Storage, sweep_id: int, outcome: "Outcome") -> None:
    """Keep in the database why a sweep ended early."""
    from sweep.driver.dispatcher import STOPPING_S

    # A stop does not wait for a database that fails, and that failure has been reported.
    with suppress(StorageError), answers_within(storage, lambda: STOPPING_S):
        storage.finish(sweep_id, outcome.state, outcome.reason, complete=False)


def _checkpoint_folder(options: Options, storage: Storage) -> CheckpointFolder | None:
    folder = _beside(options.checkpoints, storage, "checkpoints")
    every_s = 60 * options.checkpoint_minutes
    return CheckpointFolder(folder.absolute(), every_s) if folder and every_s else None


def _beside(chosen: Path | None, storage: Storage, name: str) -> Path | None:
    """A chosen path, or one beside the file of an SQLite database and named after it; a server has no place for it."""
    if chosen is None and storage.is_file:
        return storage.path.with_name(f"{storage.path.stem}-{name}")
    return chosen


def _deadline(options: Options) -> float | None:
    if options.minutes is None:
        return None
    passed = time.time() - options.since if options.since else 0.0
    return time.monotonic() - passed + 60 * options.minutes
