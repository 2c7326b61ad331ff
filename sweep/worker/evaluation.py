"""The evaluation of a cohort at one step of its training, and the steps at which to evaluate."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from metrics.identity import ScoreIdentity

Scores = dict[str, list[float]]  # columns of the table `scores`, each with one value for each member


@dataclass(frozen=True)
class Evaluation:
    """The scores and sample sheets of every member at one step.

    Attributes:
        scores: one tensor [K] for each score that the experiment declares; NaN where a score is undefined. A member
            whose first declared score is NaN has no scores at this step.
        sheets: makes the sample sheet of each member as PNG, or None. It is called only after the last update.
        identity: what two scores must have in common before they may be compared.
    """

    scores: dict[str, Tensor]
    sheets: Callable[[], Sequence[bytes | None]]
    identity: ScoreIdentity | None = None

    def values(self) -> Scores:
        """The scores as plain numbers."""
        return {name: values.tolist() for name, values in self.scores.items()}


def evaluation_steps(steps: int, times: int) -> frozenset[int]:
    """Steps at which to evaluate a training of `steps` updates: `times` evenly spaced ones, the last included."""
    return frozenset(steps * i // times for i in range(1, times + 1)) - {0}
