"""Optimisers over stacked parameters in which every member has its own rule and learning rate.

Neighbouring members with equal settings form one slice of each parameter, and torch's fused optimisers run on the
slices: no masked updates, and no Adam state for members that use SGD. Any order of members is right; one in
which equal settings are neighbours is fast.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

import torch
from torch import Tensor

from models.architecture import Optimizer


class StackedOptimizer:
    """One optimiser step for K members.

    Args:
        params: tensors [K, ...].
        rules: "adam" or "sgd" of each member.
        rates: learning rate of each member.
        betas: Adam's decay rates. SGD has neither momentum nor weight decay.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        rules: Sequence[Optimizer],
        rates: Sequence[float],
        betas: tuple[float, float],
    ) -> None:
        self._params = [p.detach() for p in params]
        self._slices: list[tuple[slice, list[Tensor]]] = []
        groups: dict[Optimizer, dict[float, list[Tensor]]] = {"adam": {}, "sgd": {}}
        settings = list(zip(rules, rates, strict=True))
        for (rule, rate), run in groupby(range(len(settings)), key=settings.__getitem__):
            members = list(run)
            part = slice(members[0], members[-1] + 1)
            slices = [p[part] for p in self._params]
            self._slices.append((part, slices))
            groups[rule].setdefault(rate, []).extend(slices)
        self._optimizers: list[torch.optim.Optimizer] = []
        if groups["adam"]:
            self._optimizers.append(torch.optim.Adam(_as_groups(groups["adam"]), betas=betas, fused=True))
        if groups["sgd"]:
            self._optimizers.append(torch.optim.SGD(_as_groups(groups["sgd"]), fused=True))

    def step(self, grads: Sequence[Tensor]) -> None:
        """Apply the gradients [K, ...], in the order of the parameters."""
        for part, slices in self._slices:
            for param, grad in zip(slices, grads, strict=True):
                param.grad = grad[part].contiguous()  # the fused kernels read memory in order, whatever the strides
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad()


def _as_groups(by_rate: dict[float, list[Tensor]]) -> list[dict[str, object]]:
    return [{"params": params, "lr": rate} for rate, params in by_rate.items()]
