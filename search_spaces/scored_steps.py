"""The steps of a training at which its trials are scored."""

from dataclasses import dataclass
from typing import Annotated, Any

from search_spaces.axis import Setting, SharedSettings, Step, Times


@dataclass(frozen=True, kw_only=True)
class ScoredSteps(SharedSettings):
    """Settings of a scoring that may happen during the training too; neither is part of any identity.

    Attributes:
        times: how often, evenly spaced, the last time at the end of the training; a training of fewer steps is scored
            after each of them.
        at: the steps themselves, rising, the last one the end of the training.
    """

    times: Annotated[Times | None, Setting(in_order=False)] = None
    at: Annotated[tuple[Step, ...] | None, Setting(in_order=False)] = None

    def problem(self, training: Any) -> tuple[str, str] | None:
        if self.at is None:
            return None
        if self.times is not None:
            return "at", f"one of at and times, but times is {self.times}"
        if sorted(set(self.at)) != list(self.at) or self.at[-1] != training.steps:
            return "at", f"rising steps, of which the last is training.steps, {training.steps}"
        return None


def scored_steps(training: Any, scoring: Any) -> frozenset[int]:
    """The steps at which trials with these settings are scored; the last step of the training is one of them.

    An experiment whose scoring is no `ScoredSteps` is scored only after the last step.
    """
    steps = training.steps
    if getattr(scoring, "at", None) is not None:
        return frozenset(scoring.at)
    times = getattr(scoring, "times", None) or 1
    return frozenset(steps * i // times for i in range(1, times + 1)) - {0}
