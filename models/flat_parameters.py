"""The weights of K networks as one block of memory, a row for each member."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

_ALIGNMENT = 16  # floats; every tensor starts a cache line


class Parameter(NamedTuple):
    """One tensor of the networks and its gradient, [K, ...], both views into the block."""

    value: Tensor
    gradient: Tensor


class Parameters:
    """Tensors of K networks, stored one after the other in the row of their member.

    A run of neighbouring members is then one tensor, which an optimiser updates at once.

    Args:
        shapes: shape of each tensor, without the member axis.
        members: K.

    Attributes:
        values, gradients: [K, P].
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]], members: int, device: torch.device, dtype: torch.dtype):
        self._shapes = list(shapes)
        width = sum(_padded(shape) for shape in shapes)
        self.values = torch.zeros(members, width, device=device, dtype=dtype)
        self.gradients = torch.zeros_like(self.values)

    def __iter__(self) -> Iterator[Parameter]:
        start = 0
        for shape in self._shapes:
            part = slice(start, start + math.prod(shape))
            yield Parameter(*(block[:, part].unflatten(1, shape) for block in (self.values, self.gradients)))
            start += _padded(shape)


def _padded(shape: tuple[int, ...]) -> int:
    return -(-math.prod(shape) // _ALIGNMENT) * _ALIGNMENT
