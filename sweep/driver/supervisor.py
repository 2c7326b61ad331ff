"""Runs the part of a sweep that needs Ray in a child process, and starts it again when it dies.

When one of Ray's helper processes dies, Ray ends its driver from C++: no exception, no line, and nothing that the
driver could do about it. So the driver is a child in a session of its own, where no signal for this process group
reaches Ray. Its last word tells how it ended; a child that ends without one is replaced.
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

FRUITLESS = 3  # children in a row that die before a cohort has ended, after which a sweep gives up
PAUSE_S = 5.0  # before another child is started; longer each time, so that a cluster notices which machines are gone
GRACE_S = 10.0  # for a child that was asked to stop
STORING_S = 40.0  # for one that has ended Ray, and still stores results in a database that is slow
ERRORS = "errors"  # file of the scratch folder with what a child wrote to its error stream
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


_ERRORS = {"plan": PlanError, "database": StorageError, "driver": RayError}  # by what a child refuses to go on with


@dataclass(frozen=True)
class Task:
    """All that a child needs; it gets it as a pickle through its standard input.

    Attributes:
        url: of the database, with its password, which thus stands in no command line.
        log: file of the event log.
        shows: whether the child shows the progress on its terminal; otherwise it reports it.
        scratch: folder for Ray's files.
        first: whether no child ran before.
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
        interrupted: whether somebody stopped the sweep.
        repeated_error: traceback of the error that came again and again and stopped it.
        failure: any other error that ended the sweep, in one line.
    """

    failed: int
    interrupted: bool = False
    repeated_error: str | None = None
    failure: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the sweep has done all that it was going to do."""
        return not (self.interrupted or self.repeated_error or self.failure)

    @property
    def state(self) -> str:
        """One of "done", "done with failures", "stopped" and "failed"."""
        if self.failure:
            return "failed"
        if self.interrupted and not self.repeated_error:
            return "stopped"
        return "done with failures" if self.failed or self.repeated_error else "done"


def supervise(
    task: Task,
    storage: Storage,
    log: EventLog,
    tell: Callable[[str], None],
    progress: Callable[[Mapping[str, Any]], None] = lambda numbers: None,
) -> Outcome:
    """Run the cohorts of a plan, with as many children as it takes.

    Args:
        storage: the database of the task. It has no open connection while a child runs.
        tell: is told what a person should know.
        progress: receives how far the sweep is, if the task does not show it.

    Raises:
        RayError: children died again and again before a cohort had ended.
        PlanError: the cluster lacks what the plan asks for.
        StorageError: the database fails.
    """
    supervisor = _Supervisor(task, storage, log, tell, progress)
    with quiet_terminal(), supervisor.signals():
        return supervisor.run()


@dataclass
class _Ended:
    """What a child reported until it ended.

    Attributes:
        cohorts, failed: cohorts that ended, and trials of them that failed.
        word: its last word; None if it died without one.
        errors: the last line that it wrote to its error stream.
    """

    cohorts: int = 0
    failed: int = 0
    word: dict[str, Any] | None = None
    errors: str = ""


class _Supervisor:
    def __init__(
        self,
        task: Task,
        storage: Storage,
        log: EventLog,
        tell: Callable[[str], None],
        progress: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._task, self._storage, self._log, self._tell, self._progress = task, storage, log, tell, progress
        self._first = True
        self._child: subprocess.Popen[bytes] | None = None
        self._paused = False
        self._asked = 0  # how many signals came
        self._patience: float | None = None  # value of time.monotonic() at which the child is killed

    def run(self) -> Outcome:
        failed = fruitless = 0
        while True:
            ended = self._one_child()
            failed += ended.failed
            word = ended.word or {"event": "died", "reason": "its driver died"}
            if word["event"] == "over":
                return Outcome(failed, word["interrupted"], word["repeated_error"])
            if word["event"] == "refused":
                raise _ERRORS[word["what"]](word["reason"])
            if word["event"] == "waits":
                self._pause(word["reason"])
            else:
                fruitless = 1 if ended.cohorts else fruitless + 1
                self._mourn(word["reason"], ended.errors)
                if not self._asked:
                    self._start_again(word["reason"], fruitless)
            if self._asked:
                return Outcome(failed, interrupted=True)

    def _start_again(self, reason: str, fruitless: int) -> None:
        """Say so, and give a cluster time to notice what is gone.

        Raises:
            RayError: too many children have died in a row.
        """
        if fruitless == FRUITLESS:
            raise RayError(f"Ray failed {FRUITLESS} times in a row: {reason}")
        self._note(f"Ray failed, starting it again: {reason}")
        self._wait(PAUSE_S * (fruitless - 1))

    def _mourn(self, reason: str, errors: str) -> None:
        """A child has died: its terminal, the event log and its trials are put in order."""
        self._paused = False
        clear_live_display()
        self._log.write("died", reason=reason, errors=errors)
        self._put_back(reason)

    def _pause(self, reason: str) -> None:
        """Wait a little, and say why, once."""
        if not self._paused:
            self._note(f"Paused, for {reason}. Going on when it works again.")
        self._paused = True
        self._wait(PAUSE_S)

    @contextmanager
    def signals(self) -> Iterator[None]:
        """The first Ctrl-C, SIGTERM or closed terminal asks the sweep to stop, a second one ends it at once."""
        if threading.current_thread() is not threading.main_thread():  # only that one may handle signals
            yield
            return
        ignored = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else set()  # by nohup
        heeded = set(STOP_SIGNALS) - ignored
        before = {number: signal.signal(number, self._on_signal) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: Any) -> None:
        self._asked += 1
        self._patience = time.monotonic() + (GRACE_S if self._asked == 1 else 0.0)
        if self._asked == 1 and self._child:
            self._child.send_signal(signal.SIGINT)

    def _one_child(self) -> _Ended:
        self._storage.disconnect()
        ended = _Ended()
        try:
            with scratch_folder() as scratch:
                self._run_child(scratch, ended)
                ended.errors = _last_line(Path(scratch) / ERRORS)
        except OSError as error:
            if self._first:
                raise PlanError(f"no process can be started: {error.strerror or error}") from None
            ended.word = {"event": "waits", "reason": f"no process can be started: {error.strerror or error}"}
        return ended

    def _run_child(self, scratch: str, ended: _Ended) -> None:
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as words:
            try:
                self._child = child = _start(writing)
            finally:
                os.close(writing)
            try:
                self._send(child, scratch)
                self._listen(child, words, ended)
            finally:
                self._end(child)
                self._child = None

    def _send(self, child: "subprocess.Popen[bytes]", scratch: str) -> None:
        """Hand over the task. The pipe stays open: when it closes, the child knows that this process is gone."""
        task = replace(self._task, scratch=scratch, first=self._first)
        self._first = False
        assert child.stdin
        with suppress(BrokenPipeError):  # it died; that is seen next
            pickle.dump(task, child.stdin)
            child.stdin.flush()
        if self._asked:  # while it was started
            child.send_signal(signal.SIGINT)

    def _listen(self, child: "subprocess.Popen[bytes]", words: IO[bytes], ended: _Ended) -> None:
        """Take in what a child reports until it ends, or until patience with it does."""
        rest = b""
        while True:
            if select.select([words], [], [], 0.2)[0]:
                found = os.read(words.fileno(), 65536)
                if not found:
                    return
                *lines, rest = (rest + found).split(b"\n")
                for line in lines:
                    self._hear(json.loads(line), ended)
            elif child.poll() is not None:  # its helpers may still hold the pipe
                return
            if self._patience is not None and time.monotonic() > self._patience:
                return

    def _hear(self, word: dict[str, Any], ended: _Ended) -> None:
        if word["event"] == "ended":
            ended.cohorts += 1
            ended.failed += word["failed"]
        elif word["event"] == "progress":
            self._progress({name: value for name, value in word.items() if name != "event"})
        elif word["event"] == "note":
            self._tell(word["text"])
        elif word["event"] == "storing":
            if self._patience is not None and self._asked == 1:
                self._patience = time.monotonic() + STORING_S
        else:
            ended.word = word

    def _end(self, child: "subprocess.Popen[bytes]") -> None:
        """Whatever is left of a child and of the helpers of its Ray ends now."""
        with suppress(subprocess.TimeoutExpired):
            if self._patience is None or time.monotonic() < self._patience:
                child.wait(GRACE_S)
        end_session(child.pid)
        child.wait()
        with suppress(BrokenPipeError):
            assert child.stdin
            child.stdin.close()

    def _put_back(self, reason: str) -> None:
        """The trials that a dead child ran wait again. While the database fails, so does the sweep.

        Somebody who wants the sweep to stop does not wait for that: the next sweep puts them back, too.
        """
        while self._asked < 2 and (problem := self._release(reason)):
            if self._asked:
                self._note(f"{problem}; the next run puts back what ran.")
                return
            self._pause(f"the database fails: {problem}")

    def _release(self, reason: str) -> StorageError | None:
        outcome: Literal["INTERRUPTED", "LOST"] = "INTERRUPTED" if self._asked else "LOST"
        try:
            with answers_within(self._storage, lambda: STOPPING_S if self._asked else ANSWER_S):
                self._storage.release(self._task.sweep_id, outcome, None if self._asked else reason)
        except StorageError as error:
            return error
        return None

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._asked:
            time.sleep(0.2)

    def _note(self, text: str) -> None:
        self._tell(text)
        self._log.write("note", text=text)


def _last_line(file: Path) -> str:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:  # it died before it wrote any
        return ""
    return shown(next((line for line in reversed(lines) if line.strip()), ""))


def _start(report: int) -> "subprocess.Popen[bytes]":
    """A child that finds its packages where this process does, whatever lies in the current folder.

    Signals that ask it to stop wait until it can take them. The URL of the database, which may hold a password, is not
    in its environment, for Ray's processes inherit that.
    """
    path = os.pathsep.join(str(Path(place).absolute()) for place in sys.path)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "sweep.driver.child", str(report)],
            stdin=subprocess.PIPE,
            pass_fds=[report],
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if name != "SWEEP_DB"} | {"PYTHONPATH": path},
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
