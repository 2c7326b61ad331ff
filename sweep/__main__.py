"""The command line: python -m sweep plan | run | status | retry | rerun | export | dashboard."""

import argparse
import json
import math
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import NoReturn

from data.mnist import DataError, ensure_mnist
from metrics.card import ClassifierError, classifier_card
from metrics.identity import FORMULA, ScoreIdentity
from search_spaces.space import SearchSpace, SpaceError, expand, load_space
from search_spaces.trial import Scoring, Trial
from sweep.cluster import check_address, is_named, share_out_all
from sweep.devices import Machine, this_machine
from sweep.export import FORMATS, ExportError, export
from sweep.journal import Journal
from sweep.marks import EVERY_S, Marks
from sweep.notice import notify
from sweep.output import one_line, say, shown
from sweep.plan import Plan, PlanError, Resources, cohort_flops, make_plan, save_plan
from sweep.provenance import code_version, environment
from sweep.rerun import rerun, rerun_text
from sweep.status import read_status, status_text
from sweep.storage import DEFAULT_URL, Storage, StorageError, exists
from sweep.tables import REASONS, STATES

FAMILIES = ("mnist_gan", "mnist_ebgan", "mnist_ebgan_pt")
LAPTOP_MINUTES = 10.0
MAX_ATTEMPTS = 3


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        message = re.sub(r"\S*://\S*", "(a URL)", message)  # which may hold a password
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        code: int = options.command(options)
    except (SpaceError, PlanError, StorageError, DataError, ClassifierError, ExportError) as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m sweep", description="Plan, run and watch a sweep over search spaces.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    plan = commands.add_parser("plan", help="cells, cohorts, memory, time and disk before anything runs")
    _add_plan_options(plan)
    plan.add_argument("--db", metavar="URL", help="leave out what this database has finished (default: as run)")
    plan.add_argument("--json", action="store_true", help="print the plan as one JSON object")
    plan.add_argument("--save", type=Path, metavar="FILE", help="write every missing trial as CSV")
    plan.set_defaults(command=_plan)

    run = commands.add_parser("run", help="run what is missing")
    _add_plan_options(run)
    _add_db(run)
    run.add_argument("--minutes", type=_positive, help="stop after this time; later runs go on")
    run.add_argument("--since", type=float, metavar="SECONDS", help="count the minutes from this Unix time")
    run.add_argument(
        "--max-attempts",
        type=_count,
        default=MAX_ATTEMPTS,
        metavar="N",
        help="of a cohort whose worker dies (default: %(default)s)",
    )
    run.add_argument(
        "--checkpoints", type=Path, metavar="DIR", help="of long cohorts (default: beside an SQLite database)"
    )
    run.add_argument(
        "--checkpoint-minutes",
        type=_share,
        default=EVERY_S / 60,
        metavar="M",
        help="of training between two checkpoints, 0 for none (default: %(default)g)",
    )
    run.add_argument("--log", type=Path, metavar="FILE", help="JSON lines (default: beside an SQLite database)")
    run.add_argument("--notify", metavar="COMMAND", help="for the shell, at the end; told how it went by SWEEP_STATE")
    run.set_defaults(command=_run)

    status = commands.add_parser("status", help="what is done, what runs, what is left; also while a sweep runs")
    _add_db(status)
    status.add_argument("--json", action="store_true", help="print it as one JSON object")
    status.set_defaults(command=_status)

    retry = commands.add_parser("retry", help="put failed trials back to waiting")
    _add_db(retry)
    retry.add_argument("--reason", choices=REASONS, help="only those that failed for this reason")
    retry.set_defaults(command=_retry)
    _add_looking(commands)
    return parser


def _add_looking(commands: "argparse._SubParsersAction[_Parser]") -> None:
    """Commands that look at results and leave the database as it is."""
    again = commands.add_parser("rerun", help="run one finished trial again and print the difference")
    again.add_argument("trial_id", metavar="TRIAL_ID")
    again.add_argument("--cohort", action="store_true", help="among the trials it ran with: longer, and the same bits")
    _add_db(again)
    again.set_defaults(command=_rerun)

    exported = commands.add_parser("export", help="write the results to a new file")
    exported.add_argument("--to", choices=FORMATS, required=True, help="optuna: a journal file of studies")
    exported.add_argument("path", type=Path, metavar="PATH")
    _add_db(exported)
    exported.set_defaults(command=_export)

    dashboard = commands.add_parser("dashboard", help="browse the results in Optuna's dashboard")
    _add_db(dashboard)
    dashboard.add_argument("--port", type=_port, default=8080, help="on this machine alone (default: %(default)s)")
    dashboard.set_defaults(command=_dashboard)


def _add_plan_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spaces", nargs="*", metavar="SPACE", help="a YAML file, or a name such as paper/mnist_gan")
    parser.add_argument(
        "--workers", type=_count, help="cohorts in flight at once (default: one a GPU, else one a core)"
    )
    parser.add_argument(
        "--gpus-per-worker", type=_share, metavar="N", help="CUDA devices of a worker, may be a fraction"
    )
    parser.add_argument("--limit", type=_count, metavar="N", help="only the first N cohorts of what is missing")
    parser.add_argument("--seed", type=_seed, default=0, help="of the random order of cells (default: 0)")


def _add_db(parser: argparse.ArgumentParser) -> None:
    default = os.environ.get("SWEEP_DB") or DEFAULT_URL
    words = f"results database (default: the variable SWEEP_DB, else {DEFAULT_URL})"
    parser.add_argument("--db", default=default, metavar="URL", help=words)


def _plan(options: argparse.Namespace) -> int:
    spaces, resources, trials = _whole_grid(options, _machines())
    url = options.db or os.environ.get("SWEEP_DB") or DEFAULT_URL
    finished: set[str] = set()
    if options.db or exists(url):
        storage = Storage(url)
        with storage.describing():
            finished = _finished(trials, storage)
    plan = _first_cohorts(make_plan(spaces, trials, resources, finished), options.limit)
    if options.save:
        save_plan(plan, options.save)
    print(json.dumps(plan.summary()) if options.json else _plan_text(plan))
    return 0


def _run(options: argparse.Namespace) -> int:
    # What is wrong with the grid, the cluster or the data shows before a database is made.
    spaces, resources, trials = _whole_grid(options, _machines())
    ensure_mnist(say)
    storage = Storage(options.db, create=True)
    storage.claim()
    storage.release()
    finished = _finished(trials, storage)
    plan = make_plan(spaces, trials, resources, finished)
    marks = _marks(options, storage)
    if marks:
        marks.clear(finished)
    plan = _first_cohorts(plan, options.limit)
    say(_plan_text(plan))
    if not plan.cohorts:
        return 0
    sweep_id = storage.declare(
        name=", ".join(space.name for space in plan.spaces),
        spaces={space.name: space.as_dict() for space in plan.spaces},
        settings={"order_seed": options.seed, "worker": asdict(plan.resources), "machine": environment(this_machine())},
        code_version=code_version(),
    )
    storage.add_trials(sweep_id, plan.trials)
    state = "failed"
    try:
        code = _run_plan(plan, storage, sweep_id, options, marks)
        state = {0: "done", 1: "done with failures", 130: "stopped"}[code]
    except KeyboardInterrupt:
        state = "stopped"
        raise
    finally:
        if options.notify:
            notify(options.notify, state, storage, sweep_id)
    return code


def _run_plan(plan: Plan, storage: Storage, sweep_id: int, options: argparse.Namespace, marks: Marks | None) -> int:
    # Ray takes seconds to load and to start, so it comes after the plan and its checks.
    from rich.console import Console

    from sweep.dispatch import Dispatcher, Settings
    from sweep.driver import RayError, run_cohorts
    from sweep.panel import Panel

    say("Starting Ray ...")
    deadline = _deadline(options)
    counts = _counts_before(plan, storage)
    journal = Journal(_beside(options.log, storage, f"sweep-{sweep_id}.jsonl"))
    journal.write("planned", sweep=sweep_id, **plan.summary())
    panel = Panel(Console(), counts, sum(map(cohort_flops, plan.cohorts)), deadline)
    settings = Settings(deadline, options.max_attempts)
    identities = _identities({space.scoring for space in plan.spaces})
    dispatcher = Dispatcher(plan, storage, sweep_id, identities, panel, journal, settings, marks)
    try:
        with panel:
            run_cohorts(dispatcher, plan.resources, marks)
    except RayError as error:
        raise PlanError(str(error)) from None
    finally:
        dispatcher.close()
        journal.write("over", failed=dispatcher.failed, interrupted=dispatcher.interrupted)
    if dispatcher.repeated_error:
        print(f"Stopped: the same error came three times in a row.\n{dispatcher.repeated_error}", file=sys.stderr)
        return 1
    if dispatcher.interrupted:
        say("Stopped. Finished cohorts are stored; the same command goes on with the rest.")
        return 130
    storage.finish(sweep_id)
    return 1 if dispatcher.failed else 0


def _marks(options: argparse.Namespace, storage: Storage) -> Marks | None:
    folder = _beside(options.checkpoints, storage, "checkpoints")
    every_s = 60 * options.checkpoint_minutes
    return Marks(folder.absolute(), every_s) if folder and every_s else None


def _beside(chosen: Path | None, storage: Storage, name: str) -> Path | None:
    """A chosen path, or one beside the file of an SQLite database and named after it; a server has no place for it."""
    if chosen is None and storage.is_file:
        return storage.path.with_name(f"{storage.path.stem}-{name}")
    return chosen


def _counts_before(plan: Plan, storage: Storage) -> dict[str, dict[str, int]]:
    """Trials by family and state, in which whatever is going to run waits, whatever it did before."""
    missing = {trial.trial_id: trial.family for cohort in plan.cohorts for trial in cohort.trials}
    counts = storage.counts({trial.trial_id for trial in plan.trials} - missing.keys())
    for family, n in Counter(missing.values()).items():
        counts.setdefault(family, dict.fromkeys(STATES, 0))["WAITING"] += n
    return counts


def _status(options: argparse.Namespace) -> int:
    storage = Storage(options.db)
    with storage.describing():
        found = read_status(storage)
        text = json.dumps(found, allow_nan=False) if options.json else shown(status_text(found))
    print(text)
    return 0


def _retry(options: argparse.Namespace) -> int:
    storage = Storage(options.db)
    with storage.describing():
        n = storage.retry(options.reason)
    print(f"{n} failed trials put back to waiting")
    return 0


def _rerun(options: argparse.Namespace) -> int:
    ensure_mnist(print)
    device = "cuda" if this_machine().gpus else "cpu"
    print(f"Training {options.trial_id} again ...", flush=True)

    def progress(share: float) -> None:
        if sys.stdout.isatty():
            print(f"\r{share:.0%}\r", end="", flush=True)

    print(rerun_text(rerun(Storage(options.db), options.trial_id, device, options.cohort, progress)))
    return 0


def _export(options: argparse.Namespace) -> int:
    n = export(Storage(options.db), options.to, options.path, lambda text: print(text, flush=True))
    print(f"{options.path}: {n:,} trials")
    return 0


def _dashboard(options: argparse.Namespace) -> int:
    from sweep.dashboard import DashboardError, serve

    try:
        serve(Storage(options.db), options.port, lambda text: print(text, flush=True))
    except DashboardError as error:
        raise PlanError(str(error)) from None
    return 0


def _spaces(options: argparse.Namespace, machine: Machine) -> list[SearchSpace]:
    """The named search spaces; by default the paper's grids on a GPU, else the laptop grids for a few minutes."""
    names = options.spaces
    if not names:
        folder = "paper" if machine.gpus else "laptop"
        names = [f"{folder}/{family}" for family in FAMILIES]
        found = f"{machine.gpus[0][0]} found" if machine.gpus else "No CUDA device found"
        print(f"{found}: taking the {folder} grids.", file=sys.stderr)
        if not machine.gpus and "minutes" in options and options.minutes is None:
            options.minutes = LAPTOP_MINUTES
            print(
                f"This run stops after {LAPTOP_MINUTES:g} minutes (say --minutes, or MINUTES= to make).",
                file=sys.stderr,
            )
    return [load_space(name) for name in names]


def _whole_grid(
    options: argparse.Namespace, machines: Sequence[Machine]
) -> tuple[list[SearchSpace], Resources, Sequence[Trial]]:
    spaces = _spaces(options, max(machines, key=lambda machine: len(machine.gpus)))
    resources = share_out_all(machines, options.workers, options.gpus_per_worker)
    return spaces, resources, expand(spaces, options.seed)


def _machines() -> list[Machine]:
    """Where a sweep would run: the machines of the cluster that RAY_ADDRESS names, or this one."""
    check_address()
    if not is_named():
        return [this_machine()]
    from sweep.ray_session import cluster_machines

    return cluster_machines()


def _finished(trials: Sequence[Trial], storage: Storage) -> set[str]:
    """Which of these trials need no more work, each by its own way of scoring."""
    scorings = {trial.scoring for trial in trials}
    found = {scoring: storage.finished(identity) for scoring, identity in _identities(scorings).items()}
    return {trial.trial_id for trial in trials if trial.trial_id in found[trial.scoring]}


def _identities(scorings: Iterable[Scoring]) -> dict[Scoring, ScoreIdentity]:
    """What scores made in these ways are called."""
    classifier = classifier_card().sha256
    return {s: ScoreIdentity(FORMULA, classifier, s.n_samples, s.z_seed) for s in scorings}


def _first_cohorts(plan: Plan, limit: int | None) -> Plan:
    return replace(plan, cohorts=plan.cohorts[:limit])


def _deadline(options: argparse.Namespace) -> float | None:
    if options.minutes is None:
        return None
    passed = time.time() - options.since if options.since else 0.0
    return time.monotonic() - passed + 60 * options.minutes


def _plan_text(plan: Plan) -> str:
    numbers = plan.summary()
    families = ", ".join(f"{n} {family}" for family, n in numbers["by_family"].items())
    lines = [f"{numbers['cells']} cells: {families}; {plan.missing} to run in {numbers['cohorts']} cohorts"]
    if plan.cohorts:
        lines.append(
            f"{numbers['workers']} workers, {numbers['memory_per_worker_gib']} GiB each; about {numbers['hours']} hours"
            f" for everything (a guess until the first cohorts are done), {numbers['disk_mib']} MiB of disk"
        )
    return "\n".join(lines)


def _number(convert: Callable[[str], float], fits: Callable[[float], bool], allowed: str) -> Callable[[str], float]:
    """A reader of numbers that says what is allowed."""

    def read(text: str) -> float:
        try:
            value = convert(text)
        except ValueError:
            value = math.nan
        if not fits(value):
            raise argparse.ArgumentTypeError(f"got {text}, allowed: {allowed}")
        return value

    return read


_count = _number(int, lambda number: number >= 1, "a whole number from 1")
_seed = _number(int, lambda number: number >= 0, "a whole number from 0")
_positive = _number(float, lambda number: 0 < number < math.inf, "a number above 0")
_port = _number(int, lambda number: 1 <= number <= 65535, "a port from 1 to 65535")
_share = _number(float, lambda number: 0 <= number < math.inf, "a number from 0")


if __name__ == "__main__":
    sys.exit(main())
