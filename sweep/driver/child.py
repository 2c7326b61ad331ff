"""The child of a supervisor: runs the cohorts of a plan on Ray, and reports how it goes.

Its report is a JSON object a line: "ended" for each cohort, "progress" and "note" for a parent that shows them itself,
"storing" once Ray is over, and a last word: "over", "refused" (nothing is to be tried again), "waits" (for a database
that fails), or "died".
"""

import io
import json
import os
import pickle
import sys
import threading
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import IO, Any

from rich.console import Console

from sweep.driver.dispatcher import ANSWER_S, Dispatcher
from sweep.driver.display import Display
from sweep.driver.event_log import EventLog
from sweep.driver.progress import Progress
from sweep.driver.session import end_session
from sweep.driver.supervisor import ERRORS, Task
from sweep.errors import RayError, StorageError
from sweep.planning.finished import finished_trials, identities
from sweep.planning.plan import Plan, cohort_flops
from sweep.planning.resources import PlanError
from sweep.storage import Storage
from sweep.storage.patience import answers_within
from sweep.storage.tables import GRID_STATES

REPORT_S = 1.0  # seconds between two reports of the progress


def main() -> None:
    descriptor = int(sys.argv[1])
    os.set_inheritable(descriptor, False)
    with os.fdopen(descriptor, "w", buffering=1) as report:
        task: Task = pickle.load(sys.stdin.buffer)
        threading.Thread(target=_end_with_parent, daemon=True).start()
        _catch_errors(Path(task.scratch) / ERRORS)
        try:
            word = _run(task, report)
        except PlanError as error:
            word = {"event": "refused", "what": "plan", "reason": str(error)}
        except StorageError as error:
            word = {"event": "refused", "what": "database", "reason": str(error)}
        except RayError as error:
            word = {"event": "died", "reason": str(error)}
        except Exception as error:  # of this project's own code, which would come again
            traceback.print_exc()
            word = {"event": "refused", "what": "driver", "reason": f"the driver failed: {error!r}"}
        _tell(report, **word)


def _run(task: Task, report: IO[str]) -> dict[str, Any]:
    from sweep.driver.tune import run_cohorts

    try:
        storage = Storage(task.url)
        with answers_within(storage, lambda: ANSWER_S):
            plan = task.plan.without(finished_trials(task.plan.trials, storage))
            counts = counts_before(plan, storage)
    except StorageError as error:
        return {"event": "waits", "reason": f"the database fails: {error}"}
    log = _ReportedLog(task.log, report)
    progress = Progress(counts, sum(map(cohort_flops, plan.cohorts)), task.settings.deadline)
    display = Display(Console(), progress) if task.shows else _ReportedDisplay(progress, report)
    own = identities(plan.trials)
    dispatcher = Dispatcher(plan, storage, task.sweep_id, own, progress, display, log, task.settings, task.checkpoints)
    try:
        with display:
            run_cohorts(dispatcher, plan.resources, task.scratch, task.checkpoints, task.first)
    except RayError:
        dispatcher.save()  # the supervisor requeues what still ran
        raise
    else:
        _tell(report, event="storing")
        dispatcher.close()
    finally:
        storage.close()
    return {"event": "over", "interrupted": dispatcher.interrupted, "repeated_error": dispatcher.repeated_error}


class _ReportedLog(EventLog):
    """The event log, of which the parent is told what it counts."""

    def __init__(self, path: Path | None, report: IO[str]) -> None:
        super().__init__(path)
        self._report = report

    def write(self, event: str, **values: Any) -> None:
        super().write(event, **values)
        if event == "ended":
            _tell(self._report, event="ended", failed=values["states"].get("FAILED", 0))


class _ReportedDisplay(Display):
    """Shows nothing, and reports every second how far the sweep is."""

    def __init__(self, progress: Progress, report: IO[str]) -> None:
        super().__init__(Console(file=io.StringIO()), progress)
        self._report, self._reported_at = report, 0.0

    def update(self) -> None:
        if time.monotonic() - self._reported_at > REPORT_S:
            self._reported_at = time.monotonic()
            _tell(self._report, event="progress", **self._progress.numbers())

    def __exit__(self, *problem: Any) -> None:
        self._reported_at = 0.0
        self.update()

    def say(self, text: str) -> None:
        _tell(self._report, event="note", text=text)


def counts_before(plan: Plan, storage: Storage) -> dict[str, dict[str, int]]:
    """Trials by family and state, in which whatever is going to run waits, whatever it did before."""
    missing = {trial.trial_id: trial.family for cohort in plan.cohorts for trial in cohort.trials}
    counts = storage.counts({trial.trial_id for trial in plan.trials} - missing.keys())
    for family, n in Counter(missing.values()).items():
        counts.setdefault(family, dict.fromkeys(GRID_STATES, 0))["WAITING"] += n
    return counts


def _catch_errors(file: Path) -> None:
    """Keep what C++ code writes to the error stream in a file; a traceback of Python's still reaches the terminal."""
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _tell(report: IO[str], **word: Any) -> None:
    report.write(json.dumps(word) + "\n")


def _end_with_parent() -> None:
    """Wait until the parent is gone, and go too, with every helper of Ray's."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    end_session(os.getpid())


if __name__ == "__main__":
    main()
