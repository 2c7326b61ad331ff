"""What a person sees while a sweep runs: one live panel on a terminal, plain lines elsewhere."""

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from search_spaces.trial import Trial
from sweep.command.console import attempt
from sweep.records import Record

LINE_EVERY_S = 15.0
SETTLED_S = 20.0  # before this, a rate says little


class Panel:
    """Counts of a running sweep and their display.

    Args:
        console: where to write.
        counts: trials by family and state before this run.
        operations: arithmetic of all that is missing, the measure of progress.
        deadline: value of time.monotonic() at which the run stops by itself, if it does.
    """

    def __init__(
        self,
        console: Console,
        counts: Mapping[str, Mapping[str, int]],
        operations: float,
        deadline: float | None = None,
    ) -> None:
        self._console, self._deadline = console, deadline
        self._families = {family: Counter(states) for family, states in counts.items()}
        self._best: dict[str, float] = {}
        self._operations, self._done = operations, 0.0
        self._running: dict[str, tuple[str, float, float]] = {}
        self._finished_cells = 0
        self._start = self._told = time.monotonic()
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=2, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._console.is_terminal:
            self._live.stop()
        self._print(self._line())

    @property
    def operations_per_second(self) -> float | None:
        """Measured over all workers together; None before anything is known."""
        done = self._done + sum(part for _, part, _ in self._running.values())
        return done / self._elapsed() if done else None

    def started(self, key: str, title: str, operations: float) -> None:
        """A cohort began. The clock starts with the first: before it, workers were starting."""
        if not self._running and not self._done:
            self._start = time.monotonic()
        self._running[key] = (title, 0.0, operations)

    def progressed(self, key: str, share: float) -> None:
        """A cohort has done this share of its work, 0 to 1."""
        if key not in self._running:
            return
        title, _, operations = self._running[key]
        self._running[key] = (title, share * operations, operations)
        self.tick()

    def ended(self, key: str, trials: Sequence[Trial], records: Sequence[Record]) -> None:
        """A cohort is over; `trials` belong to the records one by one."""
        _, _, operations = self._running.pop(key, ("", 0.0, 0.0))
        self._done += operations
        self._finished_cells += len(records)
        for trial, record in zip(trials, records, strict=True):
            family, score = trial.family, trial.kind.scores[0]
            self._families[family][record.state] += 1
            self._families[family]["WAITING"] -= 1
            if record.scores is not None and math.isfinite(value := record.scores[score.name]):
                self._best[family] = score.best([value, self._best.get(family, value)])
        self.tick()

    def lost(self, key: str) -> None:
        """A cohort ended without a result and will run again."""
        self._running.pop(key, None)

    def elsewhere(self, families: Sequence[str]) -> None:
        """Another driver finished trials of these families."""
        for family in families:
            self._families[family]["COMPLETE"] += 1
            self._families[family]["WAITING"] -= 1

    def numbers(self) -> dict[str, Any]:
        """How far the sweep is.

        Returns:
            counts: trials by family and state.
            best: best first score of this run, by family.
            fraction: share of the arithmetic of this run that is done, 0 to 1.
            trials_per_minute: of this run.
            seconds_left: for all that is missing; None before it can be estimated.
        """
        rate = self.operations_per_second
        done = rate * self._elapsed() if rate else 0.0
        return {
            "counts": {family: dict(states) for family, states in self._families.items()},
            "best": dict(self._best),
            "fraction": min(1.0, done / self._operations) if self._operations else 1.0,
            "trials_per_minute": self._finished_cells / self._elapsed() * 60,
            "seconds_left": max(0.0, (self._operations - done) / rate) if rate else None,
        }

    def say(self, text: str) -> None:
        """A line that stays, beside the panel."""
        self._print(text)

    def tick(self) -> None:
        """Where there is no terminal, write a line now and then."""
        if not self._console.is_terminal and time.monotonic() - self._told > LINE_EVERY_S:
            self._told = time.monotonic()
            self._print(self._line())

    def _print(self, text: str) -> None:
        attempt(lambda: self._console.print(text, soft_wrap=True, markup=False, highlight=False))

    def _elapsed(self) -> float:
        return max(time.monotonic() - self._start, 1e-9)

    def _line(self) -> str:
        parts = []
        for family, states in self._families.items():
            failed = f", {states['FAILED']} failed" if states["FAILED"] else ""
            best = f", best {self._best[family]:.2f}" if family in self._best else ""
            parts.append(f"{family} {_done(states)}/{states.total()}{failed}{best}")
        return f"{_clock(self._elapsed())}  {'  |  '.join(parts)}  |  {self._rate()}"

    def _rate(self) -> str:
        parts = [f"{self._finished_cells / self._elapsed() * 60:.1f} cells/min"]
        rate = self.operations_per_second
        if rate is not None and self._elapsed() > SETTLED_S:
            left = self._operations - rate * self._elapsed()
            parts.append(f"{_clock(left / rate)} left for the whole grid")
        if self._deadline is not None:
            parts.append(f"stops in {_clock(self._deadline - time.monotonic())}")
        return ", ".join(parts)

    def _render(self) -> Group:
        table = Table(
            "family", "done", "diverged", "failed", "waiting", "best score of this run", box=None, pad_edge=False
        )
        for column in table.columns[1:]:
            column.justify = "right"
        for family, states in self._families.items():
            best = f"{self._best[family]:.2f}" if family in self._best else "-"
            numbers = (_done(states), states["DIVERGED"], states["FAILED"], states["WAITING"])
            table.add_row(family, *map(str, numbers), best)
        running = Table(box=None, pad_edge=False, show_header=False)
        for title, part, operations in self._running.values():
            running.add_row(title, ProgressBar(total=operations, completed=part, width=30))
        return Group(table, f"{_clock(self._elapsed())} passed, {self._rate()}", running)


def _done(states: Mapping[str, int]) -> int:
    return states["COMPLETE"] + states["DIVERGED"]


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=max(0, round(seconds))))
