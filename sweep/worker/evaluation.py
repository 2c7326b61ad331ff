"""The evaluation of a cohort at one step of its training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

# Columns of the table `scores`, each with one value for each member; a dictionary for each identity, in their order.
Scores = list[dict[str, list[float]]]


@dataclass(frozen=True)
class Evaluation:
    """What is measured of every member at one step.

    Attributes:
        scores: [K] each, by the names that the experiment declares; a dictionary for each of the experiment's
            identities, in their order. The first has the scores that depend on no identity, too. NaN where a score has
            no meaning. A member whose ranking score, the first one of the first identity, is NaN has no scores at this
            step.
        sheets: makes the sample sheet of each member as PNG, or None; not called for intermediate evaluations.
    """

    scores: Sequence[Mapping[str, Tensor]]
    sheets: Callable[[], Sequence[bytes | None]]

    def values(self) -> Scores:
        """The scores as plain numbers."""
        return [{name: values.tolist() for name, values in scores.items()} for scores in self.scores]
