"""Command line of the package: `python -m reports` turns a results database into a page with its figures."""

import argparse
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sweep.storage import Storage

MOST_SECONDS = 1e6
MOST_PORT = 65535
DATABASE = "sqlite:///runs/mnist/results.db"


def parse_arguments() -> argparse.Namespace:
    from sweep.command.parser import CommandParser
    from sweep.command.version import project_version

    parser = CommandParser(prog="python -m reports", description=__doc__)
    parser.add_argument("--version", action="version", version=project_version())
    parser.add_argument(
        "command", nargs="?", choices=["watch"], help="make the report again whenever something has changed"
    )
    parser.add_argument(
        "--db",
        metavar="DB",
        default=os.environ.get("SWEEP_DB") or DATABASE,
        help=f"results database, a path that ends in .db or a URL (default: the variable SWEEP_DB, else {DATABASE})",
    )
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="folder to write (default: report/ beside the database's file)"
    )
    parser.add_argument(
        "--every",
        metavar="SECONDS",
        type=float,
        default=60.0,
        help="seconds between two looks of watch at the database (default: 60)",
    )
    parser.add_argument(
        "--serve",
        metavar="PORT",
        type=int,
        help="port at which watch serves the report to browsers on this machine; an open page follows the sweep",
    )
    parser.add_argument(
        "--sheets",
        metavar="N",
        type=int,
        help="sample sheets per family: those of the gallery, then the best (default: all)",
    )
    arguments = parser.parse_args()
    if arguments.sheets is not None and arguments.sheets < 1:
        parser.error(f"--sheets: got {arguments.sheets}, allowed: 1 or more")
    if arguments.serve is not None:
        if arguments.command != "watch":
            parser.error("--serve: goes with the command watch")
        if not 0 <= arguments.serve <= MOST_PORT:
            parser.error(f"--serve: got {arguments.serve}, allowed: 0 (any free port) to {MOST_PORT}")
    if not 0 < arguments.every <= MOST_SECONDS:
        parser.error(f"--every: got {arguments.every:g}, allowed: a number above 0, up to {MOST_SECONDS:g}")
    return arguments


def main() -> int:
    from sweep.command.password import hide_password

    hide_password()
    arguments = parse_arguments()
    # Loaded after the arguments are read, so that --help and a mistyped option answer at once.
    from search_spaces.experiment import broken_experiments
    from sweep.command.console import one_line, warn
    from sweep.storage import Storage, StorageError

    for line in broken_experiments():
        warn(f"warning: {one_line(line)}")
    try:
        storage = Storage(arguments.db)
        try:
            out = arguments.out or default_folder(storage)
            if arguments.command is None:
                return write_report(storage, out, arguments.sheets)
            if arguments.serve is not None:
                return serve(storage, out, arguments.sheets, arguments.every, arguments.serve)
            from reports.watch import watch

            return watch(storage.counts, lambda: write_report(storage, out, arguments.sheets), arguments.every)
        finally:
            storage.close()
    except StorageError as error:
        return fail(str(error))
    except KeyboardInterrupt:
        warn("Stopped.")
        return 130


def default_folder(storage: "Storage") -> Path:
    """`report` beside an SQLite file, else in the current folder."""
    file = storage.url.database
    if storage.url.get_backend_name() == "sqlite" and file:
        return Path(file).parent / "report"
    return Path("report")


def serve(storage: "Storage", out: Path, most_sheets: int | None, every_s: float, port: int) -> int:
    """Follows a sweep as `watch` does, and serves the report and the state of the sweep on loopback."""
    from reports.serve import LOOPBACK, serving, write_state
    from reports.watch import watch
    from sweep.command.console import say

    made = ""

    def look() -> object:
        counts, state = storage.counts(), state_of(storage)
        if made:
            write_state(out, made, state, counts)
        return counts, state

    def build() -> int:
        nonlocal made
        now = f"{datetime.now():%Y-%m-%d %H:%M:%S.%f}"
        code = write_report(storage, out, most_sheets, now)
        if code == 0:
            made = now
            look()
        return code

    try:
        out.mkdir(parents=True, exist_ok=True)
        with serving(out, port) as opened:
            say(f"http://{LOOPBACK}:{opened}/ shows the report as soon as it is made")
            return watch(look, build, every_s)
    except OSError as error:
        return fail(f"--serve {port}, --out {out}: {error.strerror or error}")


def state_of(storage: "Storage") -> str:
    """How the latest sweep ended, or that it runs."""
    from sweep.storage import LEASE_S

    sweeps = storage.sweeps()
    if sweeps.empty:
        return "no sweep"
    last = sweeps.iloc[-1]
    if isinstance(last["state"], str):
        return last["state"]
    silent = storage.now() - last["last_heartbeat"]
    return "running" if silent.total_seconds() < LEASE_S else "no sign of life"


def write_report(storage: "Storage", out: Path, most_sheets: int | None, made: str = "") -> int:
    """Makes the report; `made` is as in `reports.page.page.render_page`."""
    from reports.page.output_folder import staging
    from sweep.command.console import say, shown

    try:
        with storage.describing(), staging(out) as stage:
            words = fill(stage, storage, out, most_sheets, made)
    except OSError as error:
        return fail(f"--out {out}: can't be written: {error.strerror or error}")
    say(shown(words))
    return 0


def fill(stage: Path, storage: "Storage", out: Path, most_sheets: int | None, made: str = "") -> str:
    """Writes every file of the report into `stage`, and sums up the report that will lie in `out`.

    Args:
        most_sheets: sample sheets per family; None for all.
    """
    from reports.explorer.data import sampled_rows
    from reports.explorer.html import explore, grids_of
    from reports.explorer.sheets import Sheets, best_and_gallery, write_sheets
    from reports.figures.figure import Sources
    from reports.numbers.study import left_out
    from reports.page.output_folder import PAGE
    from reports.page.page import render_page
    from reports.page.summary import query_lines, summary
    from reports.report import as_files, make_sections
    from sweep.results.spreadsheet import table_for_spreadsheet

    sources = Sources(storage.sheets, storage.steps(), storage.identities())
    results = storage.results_by_space()
    sections, missing = make_sections(results, sources), left_out(results)
    studies = [section.study for section in sections]
    url = storage.url.render_as_string(hide_password=True)
    query = query_lines(url, next((study.score.name for study in studies), "score"))
    trial_ids = [
        trial_id
        for study, _, trials, prefix in grids_of(studies)
        for trial_id in best_and_gallery(sampled_rows(trials), prefix, study.score, most_sheets)
    ]
    sheets = Sheets(write_sheets(stage, trial_ids, storage.sheets), trial_ids)
    explorer = explore(studies, url, sheets, storage.outcomes())
    page = render_page(sections, storage.sweeps(), query, explorer, made, missing)
    for name, content in as_files(sections, page, table_for_spreadsheet).items():
        (stage / name).write_bytes(content)
    return summary(out.resolve() / PAGE, sections, query, missing)


def fail(message: str) -> int:
    from sweep.command.console import one_line, warn

    warn(f"error: {one_line(message)}")
    return 2


if __name__ == "__main__":
    sys.exit(main())
