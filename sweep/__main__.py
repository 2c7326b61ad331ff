"""The command line: python -m sweep plan | run | status | retry | rerun | export | dashboard."""

# The password must leave the command line before slow modules are loaded.
import signal

from sweep.command.password import hide_password

if __name__ == "__main__":
    hide_password()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until `main` sets a handler, Ctrl-C ends the process

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import fields
from pathlib import Path

from data.errors import DataError
from metrics.classifier_card import ClassifierError
from search_spaces.experiment import broken_experiments
from search_spaces.space import SearchSpace, SpaceError
from search_spaces.space_file import load_space
from sweep.command.console import OutputError, answer, attempt, one_line, say, shown, warn
from sweep.command.parser import CommandParser
from sweep.command.terminal import open_streams
from sweep.command.version import project_version
from sweep.driver.cluster import is_named
from sweep.errors import RayError, StorageError
from sweep.planning.machine import this_machine
from sweep.planning.resources import PlanError
from sweep.results.export import FORMATS, ExportError, export, save_plan
from sweep.results.rerun import rerun, rerun_text, stored_trial
from sweep.results.status import read_status, status_text
from sweep.runner import MAX_ATTEMPTS, Options, machines, plan_sweep, run_sweep
from sweep.storage import DEFAULT_URL, Storage, exists
from sweep.storage.tables import REASONS
from sweep.text import counted, duration
from sweep.worker.checkpoint_folder import EVERY_S

DEFAULT_SPACES = ("quick/mnist_gan", "quick/mnist_ebgan", "quick/mnist_ebgan_pt")
CODES = {"done": 0, "time limit": 0, "done with failures": 1, "failed": 1, "stopped": 130}  # exit codes
MOST_MINUTES = 5_000_000.0  # almost ten years
_EXPECTED = (SpaceError, PlanError, StorageError, DataError, ClassifierError, ExportError, RayError, OutputError)


def main(arguments: Sequence[str] | None = None) -> int:
    if arguments is None:
        open_streams()
        signal.signal(signal.SIGINT, signal.default_int_handler)
    options = _parser().parse_args(arguments)
    for line in broken_experiments():
        warn(f"warning: {one_line(line)}")
    try:
        code: int = options.command(options)
    except _EXPECTED as error:
        warn(f"error: {one_line(str(error))}")
        return 1 if isinstance(error, RayError) else 2
    except KeyboardInterrupt:
        warn("Stopped.")
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(prog="python -m sweep", description="Plan, run and watch a sweep over search spaces.")
    parser.add_argument("--version", action="version", version=project_version())
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=CommandParser)

    plan = commands.add_parser("plan", help="show trials, cohorts, memory, time and disk before anything runs")
    _add_plan_options(plan)
    plan.add_argument("--db", metavar="DB", help="skip trials finished in this database (default: that of run)")
    plan.add_argument("--json", action="store_true", help="print the plan as one JSON object")
    plan.add_argument("--time", action="store_true", help="print only how long the missing trials take, if any")
    plan.add_argument("--save", type=Path, metavar="FILE", help="write the missing trials to a CSV file")
    plan.set_defaults(command=_plan)

    run = commands.add_parser("run", help="run the missing trials")
    _add_plan_options(run)
    _add_db(run)
    run.add_argument("--minutes", type=_positive, help="stop after this time; the next run goes on")
    run.add_argument("--since", type=_moment, metavar="SECONDS", help="Unix time from which --minutes count")
    run.add_argument(
        "--max-attempts",
        type=_count,
        default=MAX_ATTEMPTS,
        metavar="N",
        help="attempts for a cohort whose worker dies (default: %(default)s)",
    )
    run.add_argument(
        "--checkpoints",
        type=Path,
        metavar="DIR",
        help="folder for checkpoints (default: next to an SQLite database)",
    )
    run.add_argument(
        "--checkpoint-minutes",
        type=_share,
        default=EVERY_S / 60,
        metavar="M",
        help="minutes between checkpoints, 0 to disable (default: %(default)g)",
    )
    run.add_argument(
        "--log",
        type=Path,
        metavar="FILE",
        help="event log, JSON lines (default: next to an SQLite database)",
    )
    run.add_argument(
        "--notify",
        metavar="COMMAND",
        help="shell command to run at the end; gets SWEEP_STATE and more",
    )
    run.set_defaults(command=_run)

    status = commands.add_parser("status", help="show what is done, running and left; works while a sweep runs")
    _add_db(status)
    status.add_argument("--json", action="store_true", help="print the status as one JSON object")
    status.set_defaults(command=_status)

    retry = commands.add_parser("retry", help="let failed trials run again")
    _add_db(retry)
    retry.add_argument("--reason", choices=REASONS, help="retry only trials that failed for this reason")
    retry.set_defaults(command=_retry)
    _add_reading_commands(commands)
    return parser


def _add_reading_commands(commands: "argparse._SubParsersAction[CommandParser]") -> None:
    """Add the commands that read results and leave the database as it is."""
    again = commands.add_parser("rerun", help="run one finished trial again and print the difference")
    again.add_argument("trial_id", metavar="TRIAL_ID")
    again.add_argument("--cohort", action="store_true", help="train its whole cohort, which gives the same bits")
    _add_db(again)
    again.set_defaults(command=_rerun)

    exported = commands.add_parser("export", help="write the results to a new file")
    exported.add_argument(
        "--to", choices=FORMATS, required=True, help="format; optuna: a journal with a study per space and training"
    )
    exported.add_argument("path", type=Path, metavar="PATH")
    _add_db(exported)
    exported.set_defaults(command=_export)

    dashboard = commands.add_parser("dashboard", help="browse the results in Optuna's dashboard")
    _add_db(dashboard)
    dashboard.add_argument("--port", type=_port, default=8080, help="port on this machine (default: %(default)s)")
    dashboard.set_defaults(command=_dashboard)


def _add_plan_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "spaces",
        nargs="*",
        metavar="SPACE",
        help="a YAML file, or a name such as paper/mnist_gan (default: the quick grids)",
    )
    parser.add_argument(
        "--workers", type=_count, help="cohorts that run at once (default: one per GPU, or one per core without GPUs)"
    )
    parser.add_argument(
        "--gpus-per-worker", type=_share, metavar="N", help="CUDA devices of each worker, may be a fraction"
    )
    parser.add_argument("--limit", type=_count, metavar="N", help="run only the first N missing cohorts")
    parser.add_argument("--seed", type=_seed, default=0, help="seed of the random order of trials (default: 0)")


def _add_db(parser: argparse.ArgumentParser) -> None:
    default = os.environ.get("SWEEP_DB") or DEFAULT_URL
    text = f"results database, a path that ends in .db or a URL (default: the variable SWEEP_DB, or else {DEFAULT_URL})"
    parser.add_argument("--db", default=default, metavar="DB", help=text)


def _plan(options: argparse.Namespace) -> int:
    where = machines()
    spaces = _spaces(options)
    url = options.db or os.environ.get("SWEEP_DB") or DEFAULT_URL
    db = url if exists(url) else None
    if options.db and db is None:
        warn(f"There is no database {options.db} yet: every trial is missing.")
    plan = plan_sweep(spaces, db, _options(options), warn, where)
    if options.save:
        save_plan(plan, options.save)
    if not options.time:
        answer(json.dumps(plan.summary()) if options.json else plan.text())
    elif plan.cohorts:
        answer(f"{duration(plan.total_seconds)} on this {'cluster' if is_named() else 'machine'}")
    return 0


def _run(options: argparse.Namespace) -> int:
    where = machines()
    spaces = _spaces(options)

    def check(storage: Storage, n_trials: int) -> None:
        if not options.spaces:
            _confirm_other_spaces(storage, spaces, n_trials)

    outcome = run_sweep(spaces, options.db, _options(options), say, None, where, check)
    if outcome.repeated_error:
        warn(f"Stopped: the same error came three times in a row.\n{outcome.repeated_error}")
    if outcome.state == "stopped":
        say("Stopped. Finished cohorts are stored; the same command goes on with the rest.")
    return CODES[outcome.state] or int(outcome.failed > 0)


def _options(options: argparse.Namespace) -> Options:
    """The options of a command as options of the runner."""
    given = vars(options) | {"order_seed": options.seed}
    return Options(**{field.name: given[field.name] for field in fields(Options) if field.name in given})


def _confirm_other_spaces(storage: Storage, spaces: Sequence[SearchSpace], n_trials: int) -> None:
    """Ask before a run that names no search space adds its trials to a database that holds other spaces.

    Raises:
        PlanError: there is no terminal to ask at, or the answer is no.
    """
    present = storage.spaces()
    if not present or present & {space.name for space in spaces}:
        return
    held = f"{storage.name} holds {', '.join(sorted(present))}"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise PlanError(f"no SPACE is named, and {held}: name the spaces to run")
    print(
        f"{shown(held)}.\nAdd {n_trials:,} trials of {', '.join(s.name for s in spaces)}? [y/N] ",
        file=sys.stderr,
        end="",
    )
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise PlanError("nothing was added: name the spaces to run")


def _status(options: argparse.Namespace) -> int:
    with closing(Storage(options.db)) as storage, storage.describing():
        found = read_status(storage)
        text = json.dumps(found, allow_nan=False) if options.json else shown(status_text(found))
    answer(text)
    return 0


def _retry(options: argparse.Namespace) -> int:
    with closing(Storage(options.db)) as storage, storage.describing():
        n = storage.retry(options.reason)
    say(f"{counted(n, 'failed trial')} put back to waiting")
    return 0


def _rerun(options: argparse.Namespace) -> int:
    def progress(share: float) -> None:
        if sys.stdout.isatty():
            attempt(lambda: print(f"\r{share:.0%}\r", end="", flush=True))

    with closing(Storage(options.db)) as storage:
        trial, _ = stored_trial(storage, options.trial_id)  # its errors come before a download
        trial.kind.fetch(say)
        device = "cuda" if this_machine().gpus else "cpu"
        say(f"Training {options.trial_id} again ...")
        answer(rerun_text(rerun(storage, options.trial_id, device, options.cohort, progress)))
    return 0


def _export(options: argparse.Namespace) -> int:
    with closing(Storage(options.db)) as storage:
        n = export(storage, options.to, options.path, say)
    say(f"{options.path}: {counted(n, 'trial')}")
    return 0


def _dashboard(options: argparse.Namespace) -> int:
    from sweep.results.dashboard import DashboardError, serve

    try:
        with closing(Storage(options.db)) as storage:
            serve(storage, options.port, say)
    except DashboardError as error:
        raise PlanError(str(error)) from None
    return 0


def _spaces(options: argparse.Namespace) -> list[SearchSpace]:
    """The named search spaces; the quick grids if none is named."""
    if not options.spaces:
        warn(f"No SPACE is named: taking {', '.join(DEFAULT_SPACES)}.")
    return [load_space(name) for name in options.spaces or DEFAULT_SPACES]


def _number(convert: Callable[[str], float], fits: Callable[[float], bool], allowed: str) -> Callable[[str], float]:
    """A parser of numbers whose errors name the allowed ones."""

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
_positive = _number(float, lambda number: 0 < number <= MOST_MINUTES, f"a number above 0, up to {MOST_MINUTES:,.0f}")
_moment = _number(float, lambda number: 0 <= number < 2**40, "seconds since 1970")
_port = _number(int, lambda number: 1 <= number <= 65535, "a port from 1 to 65535")
_share = _number(float, lambda number: 0 <= number < math.inf, "a number from 0")


if __name__ == "__main__":
    sys.exit(main())
