"""The draws of `models` in the order in which a plain training loop asks for them."""

from collections import deque

import torch
from torch import Tensor

from models.draws import Draws
from search_spaces.trial import Trial


class SeededDraws:
    """Draws of one cell's seed; those of a whole step are drawn at once."""

    def __init__(self, cell: Trial, images: Tensor) -> None:
        self._cell = cell
        self._draws = Draws([cell.settings.seed], len(images), images.device, images.dtype)
        self._masks: deque[Tensor] = deque()
        self._z: deque[Tensor] = deque()

    def z(self, n: int, z_dim: int) -> Tensor:
        if not self._z:  # that of a discriminator step and of the generator step after it
            self._z.extend(self._draws.z((2, n, z_dim))[:, :, 0])
        return self._z.popleft()

    def batch(self, n: int) -> Tensor:
        return self._draws.batch(n)[:, 0]

    def drop(self, x: Tensor) -> Tensor:
        return x * self.mask(*x.shape)

    def mask(self, n: int, width: int) -> Tensor:
        if not self._masks:
            shape = (self._cell.settings.n_layer_d - 1, 3, n, width)
            drawn = self._draws.dropout_mask(shape, self._cell.training.dropout_rate)[..., 0, :]
            self._masks.extend(masks[i] for i in range(3) for masks in drawn)  # of three passes, layer by layer
        return self._masks.popleft()


def made_images(n: int = 40) -> Tensor:
    return torch.rand(n, 1024, generator=torch.Generator().manual_seed(3), dtype=torch.float64) * 2 - 1
