"""Writes files for other tools: results as CSV, Parquet or a journal of Optuna studies, and a plan as CSV."""

import csv
from collections.abc import Callable
from pathlib import Path

from sweep.planning.plan import Plan
from sweep.results.spreadsheet import for_spreadsheet, table_for_spreadsheet
from sweep.storage import Storage, load_results

FORMATS = ("csv", "parquet", "optuna")


class ExportError(Exception):
    """A file that can't be written; the message is one line."""


def export(storage: Storage, to: str, path: Path, tell: Callable[[str], None] = lambda _: None) -> int:
    """Write the view `results` to a new file, each trial as a row or as an Optuna trial.

    Args:
        to: one of `FORMATS`; Optuna studies hold only trials that have ended.
        tell: receives lines about the progress.

    Returns:
        The number of trials in the results.

    Raises:
        ExportError: the file is there already or can't be written.
        StorageError: the database can't be read, or holds values that no sweep wrote.
    """
    if "://" in str(path) or ":/" in str(path):
        raise ExportError(f"{path}: a URL, allowed: the path of a new file")
    try:
        if path.exists():
            raise ExportError(f"{path}: is there already, allowed: a new file")
        with storage.describing():
            results = load_results(storage)
            path.parent.mkdir(parents=True, exist_ok=True)
            if to == "csv":
                table_for_spreadsheet(results).to_csv(path, index=False)
            elif to == "parquet":
                results.to_parquet(path, index=False)
            else:
                from sweep.results.optuna_studies import fill_studies, journal_file  # Optuna takes a second to load

                fill_studies(storage.results_by_space(), journal_file(path), tell=tell)
    except OSError as error:
        raise ExportError(f"{path}: can't be written: {error.strerror or error}") from None
    return len(results)


def save_plan(plan: Plan, path: Path) -> None:
    """Write every missing trial with its cohort as CSV.

    Raises:
        ExportError: the file can't be written.
    """
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            axes = list(dict.fromkeys(axis for space in plan.spaces for axis in space.kind.axes))
            writer.writerow(["cohort", "trial_id", "family", *axes])
            for number, cohort in enumerate(plan.cohorts):
                for trial in cohort.trials:
                    values = (getattr(trial.settings, axis, None) for axis in axes)
                    row = (number, trial.trial_id, trial.family, *values)
                    writer.writerow(map(for_spreadsheet, row))
    except OSError as error:
        raise ExportError(f"--save: got {path}, allowed: a file that can be written ({error.strerror})") from None
