"""The child of a supervisor: runs the cohorts of a plan on Ray, and reports to its parent.

It sends messages, one JSON object per line: "ended" for each cohort, "progress" and "note" if the parent shows them,
"storing" once Ray has ended, and a last one: "over", "refused" (a restart would not help), "waits" (the database fails
now), or "died".
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
from sweep.driver.supervisor import ERRORS, ChildConfig
from sweep.errors import RayError, StorageError
from sweep.planning.finished import finished_trials, identities
from sweep.planning.plan import Plan
from sweep.planning.resources import PlanError
from sweep.storage import Storage
from sweep.storage.patience import answers_within
from sweep.storage.tables import GRID_STATES

REPORT_S = 1.0  # seconds between two messages about the progress


def main() -> None:
    descriptor = int(sys.argv[1])
    os.set_inheritable(descriptor, False)
    with os.fdopen(descriptor, "w", buffering=1) as pipe:
        config: ChildConfig = pickle.load(sys.stdin.buffer)
        threading.Thread(target=_end_with_parent, daemon=True).start()
        _redirect_errors(Path(config.scratch) / ERRORS)
        try:
            message = _run(config, pipe)
        except PlanError as error:
            message = {"event": "refused", "what": "plan", "reason": str(error)}
        except StorageError as error:
            message = {"event": "refused", "what": "database", "reason": str(error)}
        except RayError as error:
            message = {"event": "died", "reason": str(error)}
        except Exception as error:  # a mistake in our own code, which would come again
            traceback.print_exc()
            message = {"event": "refused", "what": "driver", "reason": f"the driver failed: {error!r}"}
        _send(pipe, **message)


def _run(config: ChildConfig, pipe: IO[str]) -> dict[str, Any]:
    from sweep.driver.tune import run_cohorts

    try:
        storage = Storage(config.url)
        with answers_within(storage, lambda: ANSWER_S):
            plan = config.plan.without(finished_trials(config.plan.trials, storage))
            counts = counts_before(plan, storage)
    except StorageError as error:
        return {"event": "waits", "reason": f"the database fails: {error}"}
    log = _ReportedLog(config.log, pipe)
    progress = Progress(counts, sum(map(plan.seconds, plan.cohorts)), config.settings.deadline)
    display = Display(Console(), progress) if config.shows else _ReportedDisplay(progress, pipe)
    score_identities = identities(plan.trials)
    dispatcher = Dispatcher(
        plan, storage, config.sweep_id, score_identities, progress, display, log, config.settings, config.checkpoints
    )
    try:
        with display:
            run_cohorts(dispatcher, plan.resources, config.scratch, config.checkpoints, config.first)
    except RayError:
        dispatcher.save()  # the supervisor requeues what still ran
        raise
    else:
        time_limit = dispatcher.time_limit()
        _send(pipe, event="storing")
        dispatcher.close()
    finally:
        storage.close()
    return {
        "event": "over",
        "interrupted": dispatcher.interrupted,
        "repeated_error": dispatcher.repeated_error,
        "time_limit": time_limit,
    }


class _ReportedLog(EventLog):
    """An event log that also tells the parent of each cohort that ended."""

    def __init__(self, path: Path | None, pipe: IO[str]) -> None:
        super().__init__(path)
        self._pipe = pipe

    def write(self, event: str, **values: Any) -> None:
        super().write(event, **values)
        if event == "ended":
            _send(self._pipe, event="ended", failed=values["states"].get("FAILED", 0))


class _ReportedDisplay(Display):
    """Shows nothing; sends the parent the progress, every second, and the lines that a person should read."""

    def __init__(self, progress: Progress, pipe: IO[str]) -> None:
        super().__init__(Console(file=io.StringIO()), progress)
        self._pipe, self._sent_at = pipe, 0.0

    def update(self) -> None:
        if time.monotonic() - self._sent_at > REPORT_S:
            self._sent_at = time.monotonic()
            _send(self._pipe, event="progress", **self._progress.numbers())

    def __exit__(self, *problem: Any) -> None:
        self._sent_at = 0.0
        self.update()

    def say(self, text: str) -> None:
        _send(self._pipe, event="note", text=text)


def counts_before(plan: Plan, storage: Storage) -> dict[str, dict[str, int]]:
    """Trials by family and state; those that the plan is going to run count as waiting, whatever their state was."""
    missing = {trial.trial_id: trial.family for cohort in plan.cohorts for trial in cohort.trials}
    counts = storage.counts({trial.trial_id for trial in plan.trials} - missing.keys())
    for family, n in Counter(missing.values()).items():
        counts.setdefault(family, dict.fromkeys(GRID_STATES, 0))["WAITING"] += n
    return counts


def _redirect_errors(file: Path) -> None:
    """Write to a file what C++ code writes to the error stream; Python's tracebacks still reach the terminal."""
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _send(pipe: IO[str], **message: Any) -> None:
    pipe.write(json.dumps(message) + "\n")


def _end_with_parent() -> None:
    """Wait until the parent is gone; then end this process and all helpers of its Ray."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    end_session(os.getpid())


if __name__ == "__main__":
    main()
