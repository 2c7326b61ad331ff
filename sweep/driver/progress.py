"""The progress of a running sweep: counts, rate and best scores. The driver updates it; displays read it."""

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search_spaces.trial import Trial
from sweep.planning.estimate import seconds_left
from sweep.records import Record


@dataclass
class Running:
    """A cohort in flight: its title, the seconds that it was expected to take, and the share that is done, 0 to 1."""

    title: str
    seconds: float
    fraction: float = 0.0


class Progress:
    """The state of a running sweep.

    Args:
        counts: trials by family and state before this run.
        work: seconds that all missing trials were expected to take on one worker, by which progress is measured.
        deadline: value of time.monotonic() at which the sweep stops; None for no deadline.

    Attributes:
        families: trials by family and state.
        best: best value of the first score in this run, by family.
        running: cohorts in flight, by the number that the dispatcher gives them.
    """

    def __init__(self, counts: Mapping[str, Mapping[str, int]], work: float, deadline: float | None = None) -> None:
        self.families = {family: Counter(states) for family, states in counts.items()}
        self.best: dict[str, float] = {}
        self.running: dict[int, Running] = {}
        self._work, self._done, self._deadline = work, 0.0, deadline
        self._n_ended = 0
        self._start = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the first cohort began; the time in which workers start does not count."""
        return max(time.monotonic() - self._start, 1e-9)

    @property
    def done(self) -> float:
        """Work that is done, that of cohorts in flight included, in expected seconds of one worker."""
        return self._done + sum(one.fraction * one.seconds for one in self.running.values())

    @property
    def work_per_second(self) -> float | None:
        """Measured over all workers together; None before there is a measurement."""
        return self.done / self.elapsed_s if self.done else None

    @property
    def trials_per_minute(self) -> float:
        return self._n_ended / self.elapsed_s * 60

    @property
    def seconds_left(self) -> float | None:
        """Estimate for all missing trials; None before there is one."""
        return seconds_left(self.done, self.elapsed_s, self._work - self.done)

    @property
    def seconds_to_deadline(self) -> float | None:
        return None if self._deadline is None else self._deadline - time.monotonic()

    def started(self, number: int, title: str, seconds: float) -> None:
        """A cohort began."""
        if not self.running and not self._done:
            self._start = time.monotonic()
        self.running[number] = Running(title, seconds)

    def progressed(self, number: int, fraction: float) -> None:
        """A cohort has done this share of its work, 0 to 1."""
        if number in self.running:
            self.running[number].fraction = fraction

    def ended(self, number: int, trials: Sequence[Trial], records: Sequence[Record]) -> None:
        """A cohort has ended; `trials` and `records` are in the same order."""
        if number in self.running:
            self._done += self.running.pop(number).seconds
        self._n_ended += len(records)
        for trial, record in zip(trials, records, strict=True):
            family, score = trial.family, trial.kind.scores[0]
            self.families[family][record.state] += 1
            self.families[family]["WAITING"] -= 1
            if record.final is not None and math.isfinite(value := record.final[score.name]):
                self.best[family] = score.best([value, self.best.get(family, value)])

    def lost(self, number: int) -> None:
        """A cohort ended without a result and will run again."""
        self.running.pop(number, None)

    def finished_elsewhere(self, families: Sequence[str]) -> None:
        """Another driver finished trials of these families."""
        for family in families:
            self.families[family]["COMPLETE"] += 1
            self.families[family]["WAITING"] -= 1

    def numbers(self) -> dict[str, Any]:
        """The state in plain values.

        Returns:
            counts: trials by family and state.
            best: best value of the first score in this run, by family.
            fraction: share of the work of this run that is done, 0 to 1.
            trials_per_minute: of this run.
            seconds_left: estimate for all missing trials; None before there is one.
        """
        return {
            "counts": {family: dict(states) for family, states in self.families.items()},
            "best": dict(self.best),
            "fraction": min(1.0, self.done / self._work) if self._work else 1.0,
            "trials_per_minute": self.trials_per_minute,
            "seconds_left": self.seconds_left,
        }
