"""The baseline `loop`: one configuration at a time in plain PyTorch, written with care."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.baselines.draws import Draws, RandomDraws
from benchmarks.baselines.networks import make_networks, pull_away
from search_spaces.trial import Trial


class SoloTraining:
    """One configuration in training: no synchronisation, fused optimisers, no gradient that is not needed."""

    def __init__(self, cell: Trial, images: Tensor, draws: Draws | None = None) -> None:
        self._cell, self._images = cell, images
        self._draws = draws or RandomDraws(images, cell.training.dropout_rate)
        self.generator, self.discriminator = make_networks(cell, images)
        self._optim_g = _optimizer(cell, cell.settings.optim_g, self.generator)
        self._optim_d = _optimizer(cell, cell.settings.optim_d, self.discriminator)
        self._drop = self._draws.drop if cell.settings.dropout_d else None

    def step(self) -> None:
        n, z_dim = self._cell.training.batch_size, self._cell.training.z_dim
        real = self._images[self._draws.batch(n)]
        with torch.no_grad():
            fake = self.generator(self._draws.z(n, z_dim))
        out_real, _ = self.discriminator(real, self._drop)
        out_fake, _ = self.discriminator(fake, self._drop)
        self._optim_d.zero_grad()
        self._d_loss(out_real, out_fake).backward()
        self._optim_d.step()

        self.discriminator.requires_grad_(False)
        out, code = self.discriminator(self.generator(self._draws.z(n, z_dim)), self._drop)
        self._optim_g.zero_grad()
        self._g_loss(out, code).backward()
        self._optim_g.step()
        self.discriminator.requires_grad_(True)

    def _d_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        if self._cell.settings.margin is None:
            return F.softplus(-real).mean() + F.softplus(fake).mean()
        return real.mean() + (self._cell.settings.margin - fake).relu().mean()

    def _g_loss(self, out: Tensor, code: Tensor) -> Tensor:
        if self._cell.settings.margin is None:
            return F.softplus(-out).mean()
        if not self._cell.settings.pt_weight:
            return out.mean()
        return out.mean() + self._cell.settings.pt_weight * pull_away(code)


class LoopBaseline:
    """Configurations one after the other."""

    def __init__(self, cells: Sequence[Trial], images: Tensor, draws: Sequence[Draws] | None = None) -> None:
        given: Sequence[Draws | None] = draws or [None] * len(cells)
        self._solos = [SoloTraining(cell, images, draw) for cell, draw in zip(cells, given, strict=True)]

    def run(self, steps: int) -> None:
        """Train every configuration, each for all the steps before the next one starts."""
        for solo in self._solos:
            for _ in range(steps):
                solo.step()

    @torch.no_grad()
    def generate(self, z: Tensor) -> Tensor:
        """Images [N, K, pixels] from z [N, z_dim]."""
        return torch.stack([solo.generator(z) for solo in self._solos], 1)


def _optimizer(cell: Trial, name: str, network: nn.Module) -> torch.optim.Optimizer:
    if name == "sgd":
        return torch.optim.SGD(network.parameters(), lr=cell.settings.lr, fused=True)
    betas = cell.training.betas
    return torch.optim.Adam(network.parameters(), lr=cell.settings.lr, betas=betas, fused=True)
