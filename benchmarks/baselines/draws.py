"""Random draws as a user makes them: from torch's own generator, on the device of the data."""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


class Draws(Protocol):
    """The draws of a baseline; tests replace them by those of `models` to compare the baselines number by number."""

    def z(self, n: int, z_dim: int) -> Tensor: ...

    def batch(self, n: int) -> Tensor: ...

    def drop(self, x: Tensor) -> Tensor: ...

    def mask(self, n: int, width: int) -> Tensor: ...


class RandomDraws:
    """Draws from torch's global generator; every epoch is a new permutation of the training set."""

    def __init__(self, images: Tensor, rate: float) -> None:
        self._images, self._rate = images, rate
        self._order = self._epoch()
        self._at = 0

    def z(self, n: int, z_dim: int) -> Tensor:
        """Inputs of a generator [n, z_dim]."""
        return torch.randn(n, z_dim, device=self._images.device, dtype=self._images.dtype)

    def batch(self, n: int) -> Tensor:
        """Indices of the next images [n]; an incomplete batch at the end of an epoch is dropped."""
        if self._at + n > len(self._order):
            self._order, self._at = self._epoch(), 0
        self._at += n
        return self._order[self._at - n : self._at]

    def drop(self, x: Tensor) -> Tensor:
        """x with dropout."""
        return F.dropout(x, self._rate)

    def mask(self, n: int, width: int) -> Tensor:
        """Dropout multipliers [n, width], 0 or 1 / keep rate."""
        keep = 1 - self._rate
        return torch.empty(n, width, device=self._images.device, dtype=self._images.dtype).bernoulli_(keep).div_(keep)

    def _epoch(self) -> Tensor:
        return torch.randperm(len(self._images), device=self._images.device)
