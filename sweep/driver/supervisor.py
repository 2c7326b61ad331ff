"""Runs the part of a sweep that needs Ray in a child process, and restarts it when it dies.

When one of Ray's helper processes dies, Ray ends its driver from C++: there is no exception, no message, and nothing
that the driver could do about it. So the driver is a child process. It has a session of its own, where signals for our
process group do not reach Ray. Its last message tells how it ended; a child that ends without one is replaced.
"""

import json
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal

from sweep.command.console import shown
from sweep.command.terminal import clear_live_display, quiet_terminal
from sweep.driver.dispatcher import ANSWER_S, STOPPING_S, Settings
from sweep.driver.event_log import EventLog
from sweep.driver.scratch import scratch_folder
from sweep.driver.session import end_session
from sweep.errors import RayError, StorageError
from sweep.planning.plan import Plan
from sweep.planning.resources import PlanError
from sweep.storage import Storage
from sweep.storage.patience import answers_within
from sweep.worker.checkpoint_folder import CheckpointFolder

MAX_FAILURES = 3  # children in a row that die before a cohort has ended; then the sweep gives up
PAUSE_S = 5.0  # before another child starts; longer each time, so that a cluster notices which machines are gone
GRACE_S = 10.0  # for a child that was asked to stop
STORING_S = 40.0  # for a child that has ended Ray and still stores results in a slow database
ERRORS = "errors"  # name of the file in the scratch folder that gets the error stream of a child
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ERRORS = {"plan": PlanError, "database": StorageError, "driver": RayError}  # by the part that a child blames


@dataclass(frozen=True)
class ChildConfig:
    """All that a child needs. It is sent as a pickle through the child's standard input.

    Attributes:
        url: URL of the database with its password, which must not stand in a command line.
        log: file of the event log.
        shows: whether the child shows the progress on its terminal; otherwise it sends the progress to its parent.
        scratch: folder for Ray's files.
        first: whether this is the first child of the sweep.
    """

    url: str
    sweep_id: int
    plan: Plan
    settings: Settings
    checkpoints: CheckpointFolder | None
    log: Path | None
    shows: bool = True
    scratch: str = ""
    first: bool = True


@dataclass(frozen=True)
class Outcome:
    """How the cohorts of a sweep ended.

    Attributes:
        failed: trials that failed.
        interrupted: whether a user stopped the sweep.
        repeated_error: traceback of the error that came several times in a row and stopped the sweep.
        failure: any other error that ended the sweep, in one line.
        time_limit: what the time limit left undone, in words; None if it did not end the sweep.
    """

    failed: int
    interrupted: bool = False
    repeated_error: str | None = None
    failure: str | None = None
    time_limit: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the sweep has run to its end."""
        return not (self.interrupted or self.repeated_error or self.failure or self.time_limit)

    @property
    def reason(self) -> str | None:
        """Why it ended, where there is more to say than its state."""
        return self.failure or self.repeated_error or self.time_limit

    @property
    def state(self) -> str:
        """One of "done", "done with failures", "time limit", "stopped" and "failed"."""
        if self.failure:
            return "failed"
        if self.repeated_error:
            return "done with failures"
        if self.interrupted:
            return "stopped"
        if self.time_limit:
            return "time limit"
        return "done with failures" if self.failed else "done"


def supervise(
    config: ChildConfig,
    storage: Storage,
    log: EventLog,
    tell: Callable[[str], None],
    progress: Callable[[Mapping[str, Any]], None] = lambda numbers: None,
) -> Outcome:
    """Run the cohorts of a plan, in as many children, one after the other, as are needed.

    Args:
        storage: the same database as in `config`. It has no open connection while a child runs.
        tell: receives lines that a person should know.
        progress: receives how far the sweep is, unless the child shows it.

    Raises:
        RayError: `MAX_FAILURES` children in a row died before a cohort had ended.
        PlanError: the cluster lacks what the plan asks for.
        StorageError: the database fails.
    """
    supervisor = _Supervisor(config, storage, log, tell, progress)
    with quiet_terminal(), supervisor.signals():
        return supervisor.run()


@dataclass
class _ChildResult:
    """What a child reported until it ended.

    Attributes:
        cohorts: number of cohorts that ended.
        failed: number of their trials that failed.
        last_message: how it ended; None if it died without one.
        errors: the last line that it wrote to its error stream.
    """

    cohorts: int = 0
    failed: int = 0
    last_message: dict[str, Any] | None = None
    errors: str = ""


class _Supervisor:
    def __init__(
        self,
        config: ChildConfig,
        storage: Storage,
        log: EventLog,
        tell: Callable[[str], None],
        progress: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._config, self._storage, self._log, self._tell, self._progress = config, storage, log, tell, progress
        self._first = True
        self._child: subprocess.Popen[bytes] | None = None
        self._paused = False
        self._n_signals = 0
        self._kill_at: float | None = None  # value of time.monotonic() at which the child is killed

    def run(self) -> Outcome:
        failed = failures = 0
        while not self._is_late():
            result = self._one_child()
            failed += result.failed
            message = result.last_message or {"event": "died", "reason": "its driver died"}
            if message["event"] == "over":
                return Outcome(
                    failed, message["interrupted"], message["repeated_error"], time_limit=message["time_limit"]
                )
            if message["event"] == "refused":
                raise _ERRORS[message["what"]](message["reason"])
            if message["event"] == "waits":
                self._pause(message["reason"])
            else:
                failures = 1 if result.cohorts else failures + 1
                self._clean_up(message["reason"], result.errors)
                if not self._n_signals and not self._is_late():
                    self._prepare_restart(message["reason"], failures)
            if self._n_signals:
                return Outcome(failed, interrupted=True)
        return Outcome(failed, time_limit="the time was over before another cohort could start")

    def _is_late(self) -> bool:
        deadline = self._config.settings.deadline
        return deadline is not None and time.monotonic() > deadline

    def _prepare_restart(self, reason: str, failures: int) -> None:
        """Report the restart, and give a cluster time to notice which machines are gone.

        Raises:
            RayError: too many children have died in a row.
        """
        if failures == MAX_FAILURES:
            raise RayError(f"Ray failed {MAX_FAILURES} times in a row: {reason}")
        self._note(f"Ray failed, starting it again: {reason}")
        self._wait(PAUSE_S * (failures - 1))

    def _clean_up(self, reason: str, errors: str) -> None:
        """Restore the terminal after the death of a child, log the death, and requeue the child's trials."""
        self._paused = False
        clear_live_display()
        self._log.write("died", reason=reason, errors=errors)
        self._requeue(reason)

    def _pause(self, reason: str) -> None:
        """Wait a little; report the reason once."""
        if not self._paused:
            self._note(f"Paused, because {reason}. Going on when it works again.")
        self._paused = True
        self._wait(PAUSE_S)

    @contextmanager
    def signals(self) -> Iterator[None]:
        """The first Ctrl-C, SIGTERM or closed terminal asks the sweep to stop, a second one ends it at once."""
        if threading.current_thread() is not threading.main_thread():  # other threads may not handle signals
            yield
            return
        ignored = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else set()  # by nohup
        before = {number: signal.signal(number, self._on_signal) for number in set(STOP_SIGNALS) - ignored}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: Any) -> None:
        self._n_signals += 1
        self._kill_at = time.monotonic() + (GRACE_S if self._n_signals == 1 else 0.0)
        if self._n_signals == 1 and self._child:
            self._child.send_signal(signal.SIGINT)

    def _one_child(self) -> _ChildResult:
        self._storage.disconnect()
        result = _ChildResult()
        try:
            with scratch_folder() as scratch:
                self._run_child(scratch, result)
                result.errors = _last_line(Path(scratch) / ERRORS)
        except OSError as error:
            if self._first:
                raise PlanError(f"no process can be started: {error.strerror or error}") from None
            reason = f"no process can be started: {error.strerror or error}"
            result.last_message = {"event": "waits", "reason": reason}
        return result

    def _run_child(self, scratch: str, result: _ChildResult) -> None:
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as messages:
            try:
                self._child = child = _start(writing)
            finally:
                os.close(writing)
            try:
                self._send_config(child, scratch)
                self._read_messages(child, messages, result)
            finally:
                self._end(child)
                self._child = None

    def _send_config(self, child: "subprocess.Popen[bytes]", scratch: str) -> None:
        """Send a child its configuration. The pipe stays open: when it closes, the child knows that we are gone."""
        config = replace(self._config, scratch=scratch, first=self._first)
        self._first = False
        assert child.stdin
        with suppress(BrokenPipeError):  # the child died, which `_read_messages` notices
            pickle.dump(config, child.stdin)
            child.stdin.flush()
        if self._n_signals:  # a signal came before there was a child to receive it
            child.send_signal(signal.SIGINT)

    def _read_messages(self, child: "subprocess.Popen[bytes]", messages: IO[bytes], result: _ChildResult) -> None:
        """Handle the messages of a child until it ends or has to be killed."""
        rest = b""
        while True:
            if select.select([messages], [], [], 0.2)[0]:
                found = os.read(messages.fileno(), 65536)
                if not found:
                    return
                *lines, rest = (rest + found).split(b"\n")
                for line in lines:
                    self._on_message(json.loads(line), result)
            elif child.poll() is not None:  # the pipe is still open, as Ray's helpers may hold it
                return
            if self._kill_at is not None and time.monotonic() > self._kill_at:
                return

    def _on_message(self, message: dict[str, Any], result: _ChildResult) -> None:
        if message["event"] == "ended":
            result.cohorts += 1
            result.failed += message["failed"]
        elif message["event"] == "progress":
            self._progress({name: value for name, value in message.items() if name != "event"})
        elif message["event"] == "note":
            self._tell(message["text"])
        elif message["event"] == "storing":
            if self._kill_at is not None and self._n_signals == 1:
                self._kill_at = time.monotonic() + STORING_S
        else:
            result.last_message = message

    def _end(self, child: "subprocess.Popen[bytes]") -> None:
        """End what is left of a child and of the helpers of its Ray."""
        with suppress(subprocess.TimeoutExpired):
            if self._kill_at is None or time.monotonic() < self._kill_at:
                child.wait(GRACE_S)
        end_session(child.pid)
        child.wait()
        with suppress(BrokenPipeError):
            assert child.stdin
            child.stdin.close()

    def _requeue(self, reason: str) -> None:
        """Requeue the trials that a dead child ran. While the database fails, the sweep pauses.

        A sweep that was asked to stop, or is late, does not pause: the next one requeues these trials, too.
        """
        while self._n_signals < 2 and (problem := self._release(reason)):
            if self._n_signals or self._is_late():
                self._note(f"{problem}; the next run requeues the trials that were running.")
                return
            self._pause(f"the database fails: {problem}")

    def _release(self, reason: str) -> StorageError | None:
        outcome: Literal["INTERRUPTED", "LOST"] = "INTERRUPTED" if self._n_signals else "LOST"
        try:
            with answers_within(self._storage, lambda: STOPPING_S if self._n_signals else ANSWER_S):
                self._storage.release(self._config.sweep_id, outcome, None if self._n_signals else reason)
        except StorageError as error:
            return error
        return None

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._n_signals and not self._is_late():
            time.sleep(0.2)

    def _note(self, text: str) -> None:
        self._tell(text)
        self._log.write("note", text=text)


def _last_line(file: Path) -> str:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:  # the child died before it opened the file
        return ""
    return shown(next((line for line in reversed(lines) if line.strip()), ""))


def _start(messages: int) -> "subprocess.Popen[bytes]":
    """Start a child that imports its packages from where this process does, whatever lies in the current folder.

    Signals that ask the child to stop are blocked until it can handle them. The URL of the database, which may hold a
    password, is not in its environment, because Ray's processes inherit that.

    Args:
        messages: file descriptor to which the child writes its messages.
    """
    path = os.pathsep.join(str(Path(place).absolute()) for place in sys.path)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "sweep.driver.child", str(messages)],
            stdin=subprocess.PIPE,
            pass_fds=[messages],
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if name != "SWEEP_DB"} | {"PYTHONPATH": path},
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
