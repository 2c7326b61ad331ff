"""Adversarial training of a cohort: one discriminator step, then one generator step (Zhao et al., 2016, section 2).

A lone configuration is a cohort with K = 1. A member's result follows from its own settings and seed; it is the
same alone, in any cohort and in any order, up to floating-point rounding.
"""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from models import discriminator, generator, losses
from models.architecture import Architecture, Member, Schedule
from models.draws import Draws, stream
from models.optim import StackedOptimizer


class CohortTraining:
    """K members of one architecture, trained together.

    Args:
        architecture: shapes of the networks.
        members: settings of each of the K members.
        schedule: steps, batch size and what else all members share.
        images: the training set in [-1, 1], [n, pixels]; its device and precision are those of the training.
    """

    def __init__(
        self,
        architecture: Architecture,
        members: Sequence[Member],
        schedule: Schedule,
        images: Tensor,
    ) -> None:
        self.schedule = schedule
        self.architecture = architecture
        self.steps_done = 0
        self._images = images
        device, dtype = images.device, images.dtype
        seeds = [m.seed for m in members]
        self._draws = Draws(seeds, len(images), device, dtype)

        g_init = initial_weights(architecture.generator_widths(), seeds, "generator", generator.INIT_STD)
        d_init = initial_weights(architecture.discriminator_widths(), seeds, "discriminator", discriminator.INIT_STD)
        self.generator = generator.Generator(g_init).to(device, dtype)
        self._energy = architecture.discriminator == "autoencoder"
        kind = discriminator.AutoEncoder if self._energy else discriminator.LogitDiscriminator
        self.discriminator = kind(d_init).to(device, dtype)

        betas = (schedule.beta1, schedule.beta2)
        rates = [m.lr for m in members]
        self._optim_g = StackedOptimizer(self.generator.parameters(), [m.optim_g for m in members], rates, betas)
        self._optim_d = StackedOptimizer(self.discriminator.parameters(), [m.optim_d for m in members], rates, betas)

        def column(values: Sequence[float]) -> Tensor:
            return torch.tensor(values, device=device, dtype=dtype)

        self._dropout = column([m.dropout_d for m in members])[:, None] if any(m.dropout_d for m in members) else None
        self._margin = column([0.0 if m.margin is None else m.margin for m in members])
        self._pulled = torch.tensor(
            [k for k, m in enumerate(members) if m.pt_weight > 0], device=device, dtype=torch.long
        )
        self._pt_weight = column([m.pt_weight for m in members])[self._pulled]

    def step(self) -> None:
        """One update of every discriminator, then, with fresh noise, one of every generator."""
        n = self.schedule.batch_size
        real = self._draws.to_members(self._images[self._draws.batch(n)])
        with torch.no_grad():
            fake = self.generator(self._draws.noise(n, self.architecture.z_dim))
        self._optim_d.step(self._d_gradients(real, fake))
        self._optim_g.step(self._g_gradients(n))
        self.steps_done += 1

    @torch.no_grad()
    def generate(self, z: Tensor) -> Tensor:
        """Images [N, K, pixels] in [-1, 1] from shared noise z [N, z_dim], with the batch statistics of these N."""
        members = len(self._margin)
        images: Tensor = self.generator(z[:, None].expand(-1, members, -1))
        return images

    @torch.no_grad()
    def diverged(self) -> Tensor:
        """Which members hold a NaN or an infinity in any weight, [K]."""
        parameters = [*self.generator.parameters(), *self.discriminator.parameters()]
        return ~torch.stack([p.isfinite().flatten(1).all(1) for p in parameters]).all(0)

    def _d_gradients(self, real: Tensor, fake: Tensor) -> Sequence[Tensor]:
        # Real and generated images make one pass but keep their own batch statistics: [N, 2, K, pixels].
        out, _ = self.discriminator(torch.stack([real, fake], 1), self._masks(len(real), 2))
        if self._energy:
            loss = losses.ebgan_d_loss(out[:, 0], out[:, 1], self._margin)
        else:
            loss = losses.gan_d_loss(out[:, 0], out[:, 1])
        return torch.autograd.grad(loss.sum(), list(self.discriminator.parameters()))

    def _g_gradients(self, n: int) -> Sequence[Tensor]:
        fake = self.generator(self._draws.noise(n, self.architecture.z_dim))
        self.discriminator.requires_grad_(False)
        out, code = self.discriminator(fake, self._masks(n))
        self.discriminator.requires_grad_(True)
        loss = losses.ebgan_g_loss(out).sum() if self._energy else losses.gan_g_loss(out).sum()
        if len(self._pulled):
            loss = loss + (self._pt_weight * losses.pull_away(code.index_select(1, self._pulled))).sum()
        return torch.autograd.grad(loss, list(self.generator.parameters()))

    def _masks(self, *rows: int) -> list[Tensor] | None:
        """Dropout multipliers for each hidden layer of the discriminator; 1 for members without dropout."""
        if self._dropout is None:
            return None
        shape = (*rows, self.architecture.size_d)
        hidden = range(self.architecture.n_layer_d - 1)
        keeps = (self._draws.keep(shape, self.schedule.dropout_rate) for _ in hidden)
        return [1 + self._dropout * (keep - 1) for keep in keeps]


def initial_weights(widths: Sequence[int], seeds: Sequence[int], purpose: str, std: float) -> list[Tensor]:
    """Normal weights [K, in, out] of each layer, on the CPU so that every device starts from the same."""
    drawn: dict[int, list[Tensor]] = {}
    for seed in set(seeds):
        numbers = stream(seed, purpose)
        drawn[seed] = [torch.randn(a, b, generator=numbers) * std for a, b in itertools.pairwise(widths)]
    return [torch.stack([drawn[s][i] for s in seeds]) for i in range(len(widths) - 1)]
