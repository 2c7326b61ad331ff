"""Adversarial training of a cohort: one discriminator step, then one generator step (Zhao et al., 2016, section 2).

A lone configuration is a cohort with K = 1. A member's result follows from its own settings and seed; it is the
same alone, in any cohort and in any order, up to floating-point rounding.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from models import losses
from models.cuda_graph import Replay
from models.draws import Draws, stream
from models.mlp import discriminator, generator
from models.mlp.architecture import Architecture, Member, Schedule
from models.mlp.layers import Stack
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
        dropout = [m.dropout_d for m in members]
        self.generator = generator.make_generator(g_init, device, dtype)
        self.discriminator = discriminator.make_discriminator(d_init, dropout, device, dtype)
        self._energy = architecture.discriminator == "autoencoder"
        judging = discriminator.Rebuilding if self._energy else discriminator.Classifying

        # Three slots: real images, generated ones for the discriminators, generated ones for the generators.
        n = schedule.batch_size
        self._slots = images.new_empty(3, n, len(members), architecture.pixels)
        self._noise = images.new_empty(2, n, len(members), architecture.z_dim)
        hidden = architecture.n_layer_d - 1 if any(dropout) else 0
        self._kept = images.new_empty(hidden, 3, n, len(set(seeds)), architecture.size_d)  # dropout, of each slot
        self._both = judging(self.discriminator, Stack(self._slots[:2]), learns=True)
        self._fooled = judging(self.discriminator, Stack(self._slots[2:]), teaches=True)
        self._making = generator.Making(
            self.generator,
            Stack(self._noise),
            Stack(self._slots[1:]),
            learns=True,
            backward=slice(1, 2),
            d_out=self._fooled.d_images,
        )

        betas = (schedule.beta1, schedule.beta2)
        rates = [m.lr for m in members]
        self._optim_g = StackedOptimizer(self.generator.parameters, [m.optim_g for m in members], rates, betas)
        self._optim_d = StackedOptimizer(self.discriminator.parameters, [m.optim_d for m in members], rates, betas)

        def column(values: Sequence[float]) -> Tensor:
            return torch.tensor(values, device=device, dtype=dtype)

        self._replay = Replay(device)
        self._margin = column([0.0 if m.margin is None else m.margin for m in members])
        self._pulled = torch.tensor(
            [k for k, m in enumerate(members) if m.pt_weight > 0], device=device, dtype=torch.long
        )
        self._pt_weight = column([m.pt_weight for m in members])[self._pulled]

    @torch.no_grad()
    def step(self) -> None:
        """One update of every discriminator, then, with fresh noise, one of every generator."""
        n, sizes = self.schedule.batch_size, self.architecture
        self._slots[0] = self._draws.to_members(self._images[self._draws.batch(n)])
        self._noise.copy_(self._draws.to_members(self._draws.noise((2, n, sizes.z_dim))))
        if len(self._kept):
            self._kept.copy_(self._draws.keep((len(self._kept), 3, n, sizes.size_d), self.schedule.dropout_rate))
        self._replay(self._update)
        self.steps_done += 1

    @torch.no_grad()
    def generate(self, z: Tensor) -> Tensor:
        """Images [N, K, pixels] in [-1, 1] from shared noise z [N, z_dim], with the batch statistics of these N."""
        members = len(self._margin)
        x = Stack(z[None, :, None].expand(-1, -1, members, -1))
        return generator.Making(self.generator, x).make()[0]

    @torch.no_grad()
    def judge(self, z: Tensor) -> dict[str, Tensor]:
        """What discriminators make of the first images of the training set and of as many generated from z, each [K].

        In whole batches as in training, one at least, so that a few may be used twice or left out; without dropout.
        Memory of the next step is used, which writes it anew.

        Args:
            z: noise [N, z_dim].

        Returns:
            d_loss: the discriminators' loss. energy_real, energy_fake: mean energies; NaN for classifiers.
        """
        n, members = self.schedule.batch_size, len(self._margin)
        masks = [self._images.new_ones(()).expand(2, n, members, self.architecture.size_d)] * len(self._kept)
        answers = []
        for start in range(0, max(len(z) - n, 0) + 1, n):
            rows = torch.arange(start, start + n, device=z.device)
            self._slots[0] = self._images[rows % len(self._images)][:, None]
            self._slots[1] = self.generate(z[rows % len(z)])
            answers.append(self._both.judge(masks).clone())
        answer = torch.cat(answers, dim=1)  # [2, N, K]
        real, fake = answer.mean(1) if self._energy else answer.new_full((2, members), torch.nan)
        return {"d_loss": self._d_loss(answer), "energy_real": real, "energy_fake": fake}

    @torch.no_grad()
    def diverged(self) -> Tensor:
        """Which members hold a NaN or an infinity in any weight, [K]."""
        blocks = [network.parameters.values for network in (self.generator, self.discriminator)]
        extremes = [extreme for block in blocks for extreme in block.aminmax(dim=1)]  # NaN if any weight is
        return ~torch.stack(extremes).isfinite().all(0)

    def state(self) -> dict[str, Tensor]:
        """All that a step changes and a later step depends on, by name."""
        return self._fixed() | {f"draws.{name}": tensor for name, tensor in self._draws.state().items()}

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Tensor], steps_done: int) -> None:
        """Go on from what `state` gave after so many steps, to the same results bit by bit on the same device.

        Raises:
            KeyError, RuntimeError, TypeError, ValueError: it is the state of another training; a part may be loaded.
        """
        for name, tensor in self._fixed().items():
            found = state[name]
            if (found.shape, found.dtype) != (tensor.shape, tensor.dtype):  # copy_ would broadcast and convert
                raise ValueError(f"{name} has another shape or type than in this training")
            tensor.copy_(found)
        self._draws.load_state({name: state[f"draws.{name}"] for name in self._draws.state()})
        self.steps_done = steps_done

    def _fixed(self) -> dict[str, Tensor]:
        """Weights and what the optimisers keep, in the memory where steps change them."""
        found = {"generator": self.generator.parameters.values, "discriminator": self.discriminator.parameters.values}
        for name, optimizer in (("optim_g", self._optim_g), ("optim_d", self._optim_d)):
            found |= {f"{name}.{i}": tensor for i, tensor in enumerate(optimizer.state())}
        return found

    def _update(self) -> None:
        """What follows from the draws. The generators change last, so one pass of them serves both updates."""
        masks = self._draws.to_members(self._kept)
        self._making.make()
        self._update_discriminator([mask[:2] for mask in masks])
        self._update_generator([mask[2:] for mask in masks])

    def _update_discriminator(self, masks: Sequence[Tensor]) -> None:
        (d_answer,) = _gradients(self._d_loss, self._both.judge(masks))
        self._both.backward(d_answer, masks)
        self._optim_d.step()

    def _update_generator(self, masks: Sequence[Tensor]) -> None:
        answer, d_code = self._fooled.judge(masks), None
        if len(self._pulled):
            d_answer, d_code = _gradients(self._g_loss, answer, self._fooled.code)
        else:
            (d_answer,) = _gradients(self._g_loss, answer)
        self._fooled.backward(d_answer, masks, d_code)
        self._making.learn()
        self._optim_g.step()

    def _d_loss(self, answer: Tensor) -> Tensor:
        real, generated = answer
        if self._energy:
            return losses.ebgan_d_loss(real, generated, self._margin)
        return losses.gan_d_loss(real, generated)

    def _g_loss(self, answer: Tensor, code: Tensor | None = None) -> Tensor:
        loss = losses.ebgan_g_loss(answer[0]) if self._energy else losses.gan_g_loss(answer[0])
        if code is None:
            return loss
        return loss.sum() + (self._pt_weight * losses.pull_away(code[0].index_select(1, self._pulled))).sum()


def _gradients(loss: Callable[..., Tensor], *values: Tensor) -> tuple[Tensor, ...]:
    """Gradients of the members' losses with respect to what the discriminators answered."""
    with torch.enable_grad():
        leaves = [value.detach().requires_grad_() for value in values]
        return torch.autograd.grad(loss(*leaves).sum(), leaves)


def initial_weights(widths: Sequence[int], seeds: Sequence[int], purpose: str, std: float) -> list[Tensor]:
    """Normal weights [K, in, out] of each layer, on the CPU so that every device starts from the same."""
    drawn: dict[int, list[Tensor]] = {}
    for seed in set(seeds):
        numbers = stream(seed, purpose)
        drawn[seed] = [torch.randn(a, b, generator=numbers) * std for a, b in itertools.pairwise(widths)]
    return [torch.stack([drawn[s][i] for s in seeds]) for i in range(len(widths) - 1)]
