"""Adversarial training of a cohort: one discriminator step, then one generator step (Zhao et al., 2016, section 2).

A lone trial is a cohort with K = 1. A member's result follows from its own settings and seed; it is the same alone,
in any cohort and in any order, up to floating-point rounding.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models import losses
from models.cuda_graph import CUDAGraphStep
from models.draws import Draws, stream
from models.mlp.architecture import Architecture, Member, TrainingConfig
from models.mlp.discriminator import INIT_STD as D_INIT_STD
from models.mlp.discriminator import AutoencoderDiscriminator, LogitDiscriminator, make_discriminator
from models.mlp.generator import INIT_STD as G_INIT_STD
from models.mlp.generator import GeneratorPass, make_generator
from models.mlp.layers import Activations
from models.optim import StackedOptimizer

N_WATCHED = 16  # images of each member whose movement is measured


@dataclass(frozen=True)
class StepBuffers:
    """Fixed memory for the inputs of one step. The passes of a training read and write views of it:

        for the update of       discriminators                 generators
                         ┌───────────────┬───────────────┬───────────────┐
        images           │   [0] real    │  [1] fakes    │  [2] fakes    │ ([3] real)
                         └───────────────┴───────────────┴───────────────┘
        real_and_fake    |<----------------------------->|                  read by the discriminators' pass
        fakes                            |<----------------------------->|  written by the generators' pass
        g_images                                         |<------------->|  read by the discriminators' other pass
        z                                |      [0]      |      [1]      |  read by the generators' pass
        dropout_masks    |    [:, 0]     |    [:, 1]     |    [:, 2]     |

    Attributes:
        images: [3, N, K, pixels]. If any member has joint norm, [4, ...]: the real images again, which the generators'
            update then has next to its fakes.
        z: [2, N, K, z_dim].
        dropout_masks: multipliers of each hidden layer and distinct seed, [layers, 3, N, S, size_d]; [0, ...] if no
            member has dropout.
    """

    images: Tensor
    z: Tensor
    dropout_masks: Tensor

    @classmethod
    def allocate(
        cls, architecture: Architecture, batch_size: int, members: Sequence[Member], like: Tensor
    ) -> "StepBuffers":
        """Uninitialised buffers with the device and precision of `like`."""
        layers = architecture.n_layer_d - 1 if any(m.dropout_d for m in members) else 0
        seeds = len({m.seed for m in members})
        return cls(
            images=like.new_empty(
                4 if any(m.joint_norm for m in members) else 3, batch_size, len(members), architecture.pixels
            ),
            z=like.new_empty(2, batch_size, len(members), architecture.z_dim),
            dropout_masks=like.new_empty(layers, 3, batch_size, seeds, architecture.size_d),
        )

    @property
    def real_and_fake(self) -> Activations:
        return Activations(self.images[:2])

    @property
    def fakes(self) -> Activations:
        return Activations(self.images[1:3])

    @property
    def g_images(self) -> Activations:
        return Activations(self.images[2:])


class CohortTraining:
    """K members of one architecture, trained together.

    Args:
        architecture: shapes of the networks.
        members: settings of each of the K members.
        config: steps, batch size and what else all members share.
        images: the training set in [-1, 1], [n, pixels]; its device and precision are those of the training.
    """

    def __init__(
        self,
        architecture: Architecture,
        members: Sequence[Member],
        config: TrainingConfig,
        images: Tensor,
    ) -> None:
        self.config = config
        self.architecture = architecture
        self.steps_done = 0
        self._images = images
        device, dtype = images.device, images.dtype
        seeds = [m.seed for m in members]
        self._draws = Draws(seeds, len(images), device, dtype)

        g_init = initial_weights(architecture.generator_widths(), seeds, "generator", G_INIT_STD)
        d_init = initial_weights(architecture.discriminator_widths(), seeds, "discriminator", D_INIT_STD)
        self.generator = make_generator(g_init, device, dtype)
        dropout, joint_norm = ([m.dropout_d for m in members], [m.joint_norm for m in members])
        self.discriminator = make_discriminator(d_init, dropout, device, dtype, joint_norm)

        # `_d_pass` and `_g_pass` both run the discriminators: in their own update, and in that of the generators.
        self._is_energy = architecture.discriminator == "autoencoder"
        discriminator_pass = AutoencoderDiscriminator if self._is_energy else LogitDiscriminator
        self._buffers = StepBuffers.allocate(architecture, config.batch_size, members, like=images)
        self._d_pass = discriminator_pass(self.discriminator, self._buffers.real_and_fake, param_grads=True)
        self._g_pass = discriminator_pass(self.discriminator, self._buffers.g_images, input_grad=True)
        self._generator_pass = GeneratorPass(
            self.generator,
            Activations(self._buffers.z),
            self._buffers.fakes,
            param_grads=True,
            backward_batches=slice(1, 2),
            d_images=self._g_pass.d_images.part(slice(1)),
        )

        betas = (config.beta1, config.beta2)
        lrs = [m.lr for m in members]
        self._optim_g = StackedOptimizer(self.generator.parameters, [m.optim_g for m in members], lrs, betas)
        self._optim_d = StackedOptimizer(self.discriminator.parameters, [m.optim_d for m in members], lrs, betas)

        def column(values: Sequence[float]) -> Tensor:
            return torch.tensor(values, device=device, dtype=dtype)

        self._run_update = CUDAGraphStep(device)
        self._margin = column([0.0 if m.margin is None else m.margin for m in members])
        self._pt_members = torch.tensor(
            [k for k, m in enumerate(members) if m.pt_weight > 0], device=device, dtype=torch.long
        )
        self._pt_weight = column([m.pt_weight for m in members])[self._pt_members]
        self._images_before = images.new_full((N_WATCHED, len(members), architecture.pixels), torch.nan)

    @torch.no_grad()
    def step(self) -> None:
        """One update of every discriminator, then, with new z, one of every generator."""
        n, sizes, buffers = self.config.batch_size, self.architecture, self._buffers
        buffers.images[0] = self._draws.to_members(self._images[self._draws.batch(n)])
        buffers.images[3:] = buffers.images[0]
        buffers.z.copy_(self._draws.to_members(self._draws.z((2, n, sizes.z_dim))))
        if layers := len(buffers.dropout_masks):
            masks = self._draws.dropout_mask((layers, 3, n, sizes.size_d), self.config.dropout_rate)
            buffers.dropout_masks.copy_(masks)
        self._run_update(self._update)
        self.steps_done += 1

    @torch.no_grad()
    def generate(self, z: Tensor) -> Tensor:
        """Images [N, K, pixels] in [-1, 1] from z [N, z_dim] that members share, with the statistics of this batch."""
        members = len(self._margin)
        x = Activations(z[None, :, None].expand(-1, -1, members, -1))
        return GeneratorPass(self.generator, x).forward()[0]

    @torch.no_grad()
    def evaluate_losses(self, z: Tensor) -> dict[str, Tensor]:
        """The discriminators' loss and energies on the first N images of the training set and N generated from z.

        The images come in whole batches as in training, at least one, so that a few may be used twice or left out.
        There is no dropout. Reuses the buffers of a step; the next step overwrites them.

        Args:
            z: [N, z_dim].

        Returns:
            d_loss: the discriminators' loss, [K]. energy_real, energy_fake: mean energies, [K]; NaN for classifiers.
        """
        n, members = self.config.batch_size, len(self._margin)
        layers = len(self._buffers.dropout_masks)
        masks = [self._images.new_ones(()).expand(2, n, members, self.architecture.size_d)] * layers
        outputs = []
        for start in range(0, max(len(z) - n, 0) + 1, n):
            rows = torch.arange(start, start + n, device=z.device)
            self._buffers.images[0] = self._images[rows % len(self._images)][:, None]
            self._buffers.images[1] = self.generate(z[rows % len(z)])
            outputs.append(self._d_pass.forward(masks).clone())
        output = torch.cat(outputs, dim=1)  # [2, N, K]
        real, fake = output.mean(1) if self._is_energy else output.new_full((2, members), torch.nan)
        return {"d_loss": self._d_loss(output), "energy_real": real, "energy_fake": fake}

    @torch.no_grad()
    def movement(self, images: Tensor) -> Tensor:
        """Mean absolute change of a pixel since the last call, [K]; NaN at the first call.

        Args:
            images: [N, K, pixels] from noise that is the same in every call; the first `N_WATCHED` are compared.
        """
        watched = images[:N_WATCHED]
        change = (watched - self._images_before).abs().mean((0, 2))
        self._images_before.copy_(watched)
        return change

    @torch.no_grad()
    def diverged(self) -> Tensor:
        """Which members hold a NaN or an infinity in any weight, [K] bool."""
        blocks = [network.parameters.values for network in (self.generator, self.discriminator)]
        extremes = [extreme for block in blocks for extreme in block.aminmax(dim=1)]  # NaN if any weight is
        return ~torch.stack(extremes).isfinite().all(0)

    def state(self) -> dict[str, Tensor]:
        """All that a step changes and a later step depends on, by name."""
        return self._fixed() | {f"draws.{name}": tensor for name, tensor in self._draws.state().items()}

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Tensor], steps_done: int) -> None:
        """Continue from what `state` gave after so many steps, to the same results bit by bit on the same device.

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
        """Weights, the optimisers' moments and the images that were watched last, in the memory where they change."""
        found = {"generator": self.generator.parameters.values, "discriminator": self.discriminator.parameters.values}
        found["images_before"] = self._images_before
        for name, optimizer in (("optim_g", self._optim_g), ("optim_d", self._optim_d)):
            found |= {f"{name}.{i}": tensor for i, tensor in enumerate(optimizer.state())}
        return found

    def _update(self) -> None:
        """All of a step after its draws. The generators change last, so one forward pass serves both updates."""
        masks = self._draws.to_members(self._buffers.dropout_masks)
        self._generator_pass.forward()
        self._update_discriminators([mask[:2] for mask in masks])
        n_real = len(self._buffers.images) - 3  # real images beside the generators' fakes; they have their masks again
        self._update_generators([torch.cat((mask[2:], mask[:1])) if n_real else mask[2:] for mask in masks])

    def _update_discriminators(self, masks: Sequence[Tensor]) -> None:
        (d_output,) = _gradients(self._d_loss, self._d_pass.forward(masks))
        self._d_pass.backward(d_output, masks)
        self._optim_d.step()

    def _update_generators(self, masks: Sequence[Tensor]) -> None:
        output, d_code = self._g_pass.forward(masks), None
        if len(self._pt_members):
            d_output, d_code = _gradients(self._g_loss, output, self._g_pass.code)
        else:
            (d_output,) = _gradients(self._g_loss, output)
        self._g_pass.backward(d_output, masks, d_code)
        self._generator_pass.backward()
        self._optim_g.step()

    def _d_loss(self, output: Tensor) -> Tensor:
        """Loss of each discriminator from its outputs for real and generated images [2, N, K]; returns [K]."""
        real, fake = output
        if self._is_energy:
            return losses.ebgan_d_loss(real, fake, self._margin)
        return losses.gan_d_loss(real, fake)

    def _g_loss(self, output: Tensor, code: Tensor | None = None) -> Tensor:
        """Loss of each generator from outputs [H, N, K], of which the first batch is that for its images.

        Given the code, it is the sum of all with their pull-away terms.
        """
        loss = losses.ebgan_g_loss(output[0]) if self._is_energy else losses.gan_g_loss(output[0])
        if code is None:
            return loss
        return loss.sum() + (self._pt_weight * losses.pull_away(code[0].index_select(1, self._pt_members))).sum()


def _gradients(loss: Callable[..., Tensor], *values: Tensor) -> tuple[Tensor, ...]:
    """Gradients of the members' losses with respect to what the discriminators gave."""
    with torch.enable_grad():
        leaves = [value.detach().requires_grad_() for value in values]
        return torch.autograd.grad(loss(*leaves).sum(), leaves)


def initial_weights(widths: Sequence[int], seeds: Sequence[int], purpose: str, std: float) -> list[Tensor]:
    """Normal weights [K, in, out] of each layer, drawn on the CPU so that every device starts from the same ones."""
    drawn: dict[int, list[Tensor]] = {}
    for seed in set(seeds):
        numbers = stream(seed, purpose)
        drawn[seed] = [torch.randn(a, b, generator=numbers) * std for a, b in itertools.pairwise(widths)]
    return [torch.stack([drawn[s][i] for s in seeds]) for i in range(len(widths) - 1)]
