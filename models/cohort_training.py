"""What a worker needs of a training, whatever the experiment: steps, divergence, and a state to save and load."""

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor


class Training(Protocol):
    """K members trained together, all of them on one device.

    Attributes:
        steps_done: updates so far.
    """

    steps_done: int

    def step(self) -> None:
        """One update of every member."""

    def diverged(self) -> Tensor:
        """Which members hold a NaN or an infinity in any weight, [K] bool."""

    def state(self) -> Mapping[str, Tensor]:
        """All that a step changes and a later step depends on, by name."""

    def load_state(self, state: Mapping[str, Tensor], steps_done: int) -> None:
        """Continue from what `state` gave after so many steps, to the same results bit by bit on the same device.

        Raises:
            KeyError, RuntimeError, TypeError, ValueError: it is the state of another training; a part may be loaded.
        """
