"""What is measured of a cohort at one step of its training, and at which steps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from metrics.identity import ScoreIdentity

Scores = dict[str, list[float]]  # columns of the table `scores`, each with one value for each member


@dataclass(frozen=True)
class Evaluation:
    """What is measured of every member at one step.

    Attributes:
        scores: [K] each, by the names that the experiment declares; NaN where a score has no meaning. A member whose
            first declared score is NaN has no scores at this step.
        sheets: makes the sample sheet of each member as PNG, or None; not called for intermediate evaluations.
        identity: the facts that two scores must share before they may be compared.
    """

    scores: dict[str, Tensor]
    sheets: Callable[[], Sequence[bytes | None]]
    identity: ScoreIdentity | None = None

    def values(self) -> Scores:
        """The scores as plain numbers."""
        return {name: values.tolist() for name, values in self.scores.items()}


def evaluation_steps(steps: int, times: int) -> frozenset[int]:
    """Steps at which to evaluate a training of so many: `times` evenly spaced ones, the last included."""
    return frozenset(steps * i // times for i in range(1, times + 1)) - {0}
