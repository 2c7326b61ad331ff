"""The draws of `models` in the order in which a plain training loop asks for them."""

from collections import deque

import torch
from torch import Tensor

from models.draws import Draws
from search_spaces.trial import Trial


class SeededDraws:
    """Draws of one cell's seed. A discriminator step draws masks of both its passes at once, real before generated."""

    def __init__(self, cell: Trial, images: Tensor) -> None:
        self._cell = cell
        self._draws = Draws([cell.seed], len(images), images.device, images.dtype)
        self._waiting: deque[Tensor] = deque()
        self._passes = 2

    def noise(self, n: int, z_dim: int) -> Tensor:
        return self._draws.noise(n, z_dim)[:, 0]

    def batch(self, n: int) -> Tensor:
        return self._draws.batch(n)[:, 0]

    def drop(self, x: Tensor) -> Tensor:
        return x * self.mask(*x.shape)

    def mask(self, n: int, width: int) -> Tensor:
        if not self._waiting:
            hidden = range(self._cell.n_layer_d - 1)
            shape = (n, self._passes, width)
            drawn = [self._draws.keep(shape, self._cell.training.dropout_rate)[..., 0, :] for _ in hidden]
            self._waiting.extend(masks[:, i] for i in range(self._passes) for masks in drawn)
            self._passes = 3 - self._passes
        return self._waiting.popleft()


def made_images(n: int = 40) -> Tensor:
    return torch.rand(n, 1024, generator=torch.Generator().manual_seed(3), dtype=torch.float64) * 2 - 1
