"""The record of one trial that a worker sends back, in plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from metrics.identity import ScoreIdentity

Reason = Literal["error", "memory", "lost"]


@dataclass(frozen=True)
class Record:
    """How a trial ended.

    Attributes:
        duration_s: wall time of the cohort divided by its number of members.
        step: updates done before it was scored for the last time.
        scores: columns of the table `scores` by identity and step, the identity that ranks trials first. NaN where a
            score is undefined. A diverged trial has no scores of its last step.
        sheet: sample sheet as PNG.
        error: traceback of a failed trial.
        reason: why a trial failed: its code raised an error, memory was too small for it alone, or its worker died
            several times.
    """

    trial_id: str
    state: Literal["COMPLETE", "DIVERGED", "FAILED"]
    duration_s: float | None = None
    device: str | None = None
    step: int = 0
    scores: Mapping[ScoreIdentity, Mapping[int, Mapping[str, float]]] = field(default_factory=dict)
    sheet: bytes | None = None
    error: str | None = None
    reason: Reason | None = None

    @property
    def identity(self) -> ScoreIdentity | None:
        """The identity that ranks trials."""
        return next(iter(self.scores), None)

    @property
    def final(self) -> Mapping[str, float] | None:
        """The scores of the last step under the identity that ranks trials; None if there are none."""
        return next(iter(self.scores.values()), {}).get(self.step)
