"""Shows a running sweep: as a live table on a terminal, as plain lines elsewhere."""

import time
from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from sweep.command.console import attempt
from sweep.driver.progress import Progress
from sweep.planning.estimate import left_text

LINE_EVERY_S = 15.0


class Display:
    """Shows the progress of a sweep on a console."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console, self._progress = console, progress
        self._printed_at = time.monotonic()
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=2, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._console.is_terminal:
            self._live.stop()
        self._print(self._line())

    def say(self, text: str) -> None:
        """Print a line that stays on the terminal, above the live table."""
        self._print(text)

    def update(self) -> None:
        """The progress has changed: without a terminal, print a line if the last one is old enough."""
        if not self._console.is_terminal and time.monotonic() - self._printed_at > LINE_EVERY_S:
            self._printed_at = time.monotonic()
            self._print(self._line())

    def _print(self, text: str) -> None:
        attempt(lambda: self._console.print(text, soft_wrap=True, markup=False, highlight=False))

    def _line(self) -> str:
        parts, best = [], self._progress.best
        for family, states in self._progress.families.items():
            failed = f", {states['FAILED']} failed" if states["FAILED"] else ""
            shown = f", best {best[family]:.2f}" if family in best else ""
            parts.append(f"{family} {_done(states)}/{states.total()}{failed}{shown}")
        return f"{_clock(self._progress.elapsed_s)}  {'  |  '.join(parts)}  |  {self._rate()}"

    def _rate(self) -> str:
        parts = [f"{self._progress.trials_per_minute:.1f} trials/min"]
        left, to_deadline = self._progress.seconds_left, self._progress.seconds_to_deadline
        if to_deadline is not None and to_deadline <= 0:  # what a stopped cohort has done counts no more
            return f"{parts[0]}, finishing at the time limit"
        if left is not None:
            parts.append(left_text(left))
        if to_deadline is not None:
            parts.append(f"stops in {_clock(to_deadline)}")
        return ", ".join(parts)

    def _render(self) -> Group:
        table = Table(
            "family", "done", "diverged", "failed", "waiting", "best score of this run", box=None, pad_edge=False
        )
        for column in table.columns[1:]:
            column.justify = "right"
        best = self._progress.best
        for family, states in self._progress.families.items():
            shown = f"{best[family]:.2f}" if family in best else "-"
            numbers = (_done(states), states["DIVERGED"], states["FAILED"], states["WAITING"])
            table.add_row(family, *map(str, numbers), shown)
        running = Table(box=None, pad_edge=False, show_header=False)
        for one in self._progress.running.values():
            running.add_row(one.title, ProgressBar(total=1.0, completed=one.fraction, width=30))
        return Group(table, f"{_clock(self._progress.elapsed_s)} passed, {self._rate()}", running)


def _done(states: Mapping[str, int]) -> int:
    return states["COMPLETE"] + states["DIVERGED"]


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=max(0, round(seconds))))
