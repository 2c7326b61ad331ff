"""Optimisers over K networks in which every member has its own optimiser and learning rate.

Neighbouring members with equal settings are one slice of the parameters, and torch's fused kernels run on the slices:
no masked updates, and no Adam state for members that use SGD. Any order of members is right; one in which equal
settings are neighbours is fast.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import torch
from torch import Tensor

from models.flat_parameters import Parameters
from models.mlp import aten
from models.mlp.architecture import Optimizer


@dataclass
class _Group:
    """Slices that share an optimiser and a learning rate; the last three lists are empty for SGD."""

    values: list[Tensor] = field(default_factory=list)
    gradients: list[Tensor] = field(default_factory=list)
    means: list[Tensor] = field(default_factory=list)
    squares: list[Tensor] = field(default_factory=list)
    steps: list[Tensor] = field(default_factory=list)


class StackedOptimizer:
    """One optimiser step for K members.

    Args:
        parameters: of K networks.
        optimizers: "adam" or "sgd" for each member.
        lrs: learning rate of each member.
        betas: Adam's decay rates. SGD has neither momentum nor weight decay.
    """

    def __init__(
        self,
        parameters: Parameters,
        optimizers: Sequence[Optimizer],
        lrs: Sequence[float],
        betas: tuple[float, float],
    ) -> None:
        self._betas = betas
        self._groups: dict[tuple[Optimizer, float], _Group] = {}
        settings = list(zip(optimizers, lrs, strict=True))
        if len(settings) != len(parameters.values):
            raise ValueError(f"settings for {len(settings)} members, parameters of {len(parameters.values)}")
        for setting, run in groupby(range(len(settings)), key=settings.__getitem__):
            members = list(run)
            part = slice(members[0], members[-1] + 1)
            group = self._groups.setdefault(setting, _Group())
            group.values.append(parameters.values[part])
            group.gradients.append(parameters.gradients[part])
            if setting[0] == "adam":
                group.means.append(torch.zeros_like(group.values[-1]))
                group.squares.append(torch.zeros_like(group.values[-1]))
                group.steps.append(torch.zeros((), device=group.values[-1].device))

    def state(self) -> list[Tensor]:
        """Adam's moments and step counts: what a step changes besides the parameters, in the memory where it does."""
        return [t for group in self._groups.values() for t in (*group.means, *group.squares, *group.steps)]

    def step(self) -> None:
        """Apply the gradients that the parameters hold."""
        for (optimizer, lr), group in self._groups.items():
            if optimizer == "adam":
                aten.adam_step(group.values, group.gradients, group.means, group.squares, group.steps, lr, self._betas)
            else:
                aten.sgd_step(group.values, group.gradients, lr)
