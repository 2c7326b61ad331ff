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
        step: updates done before it was scored.
        scores: columns of the table `scores`; None for a trial without scores. NaN where a score is undefined.
        sheet: sample sheet as PNG.
        error: traceback of a failed trial.
        reason: why a trial failed: its code raised an error, memory was too small for it alone, or its worker died
            several times.
        intermediate: scores during training, by step.
    """

    trial_id: str
    state: Literal["COMPLETE", "DIVERGED", "FAILED"]
    duration_s: float | None = None
    device: str | None = None
    step: int = 0
    identity: ScoreIdentity | None = None
    scores: Mapping[str, float] | None = None
    sheet: bytes | None = None
    error: str | None = None
    reason: Reason | None = None
    intermediate: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
