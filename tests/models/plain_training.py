"""One GAN or EBGAN as anyone would write it: nn.Linear, nn.BatchNorm1d, torch.optim. The oracle of the cohorts.

It shares the draws with `models` (they belong to a seed and a purpose) and nothing else.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.draws import stream
from models.mlp.architecture import Architecture, Member, TrainingConfig


def plain_linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """nn.Linear from weights [in, out] and bias [out]."""
    layer = nn.Linear(*weight.shape, bias=bias is not None, dtype=weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight.T)
        if bias is not None:
            layer.bias.copy_(bias)
    return layer


def plain_batch_norm(weight: Tensor, bias: Tensor) -> nn.BatchNorm1d:
    """nn.BatchNorm1d in training mode, from scale and shift [C]."""
    layer = nn.BatchNorm1d(len(weight), dtype=weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer


class PlainTraining:
    """Trains one member, one pass for real and one for generated images."""

    def __init__(self, architecture: Architecture, member: Member, config: TrainingConfig, images: Tensor) -> None:
        self.member, self.config, self.images = member, config, images
        self.z_dim, self.size_d = architecture.z_dim, architecture.size_d
        self.autoencoder = architecture.discriminator == "autoencoder"
        depth_g, depth_d = architecture.n_layer_g, architecture.n_layer_d
        self.generator = self._network(
            [architecture.z_dim, *[architecture.size_g] * (depth_g - 1), architecture.pixels],
            "generator",
            std=0.02,
            first_norm=0,
        )
        out = architecture.pixels if self.autoencoder else 1
        self.discriminator = self._network(
            [architecture.pixels, *[architecture.size_d] * (depth_d - 1), out], "discriminator", std=0.002, first_norm=1
        )
        self.optim_g = self._optimizer(member.optim_g, self.generator)
        self.optim_d = self._optimizer(member.optim_d, self.discriminator)
        self.z_stream = stream(member.seed, "noise")
        self.dropout = stream(member.seed, "dropout")
        self.batches = stream(member.seed, "batches")
        self.waiting: list[int] = []

    def step(self) -> None:
        n = self.config.batch_size
        real = self.images[self._next_batch(n)]
        z_discriminator, z_generator = self._z(n)
        fake = self._generate(z_discriminator).detach()
        masks = self._masks(3, n)
        if self.member.joint_norm:
            both, _ = self._discriminate(torch.cat((real, fake)), [mask[:2].flatten(0, 1) for mask in masks])
            energy_real, energy_fake = both.chunk(2)
        else:
            energy_real, _ = self._discriminate(real, [mask[0] for mask in masks])
            energy_fake, _ = self._discriminate(fake, [mask[1] for mask in masks])
        if self.autoencoder:
            hinges = [torch.clamp(self.member.margin - energy, min=0) for energy in energy_fake]
            d_loss = energy_real.mean() + sum(hinges) / n
        else:
            d_loss = F.binary_cross_entropy_with_logits(energy_real, torch.ones_like(energy_real))
            d_loss = d_loss + F.binary_cross_entropy_with_logits(energy_fake, torch.zeros_like(energy_fake))
        self.optim_d.zero_grad()
        d_loss.backward()
        self.optim_d.step()

        fake = self._generate(z_generator)
        if self.member.joint_norm:
            both, code = self._discriminate(torch.cat((real, fake)), [torch.cat((mask[0], mask[2])) for mask in masks])
            _, out = both.chunk(2)
        else:
            out, code = self._discriminate(fake, [mask[2] for mask in masks])
        if self.autoencoder:
            g_loss = out.mean() + self.member.pt_weight * _slow_pull_away(code)
        else:
            g_loss = F.binary_cross_entropy_with_logits(out, torch.ones_like(out))
        self.optim_g.zero_grad()
        g_loss.backward()
        self.optim_g.step()

    def _network(self, widths: list[int], purpose: str, std: float, first_norm: int) -> nn.ModuleList:
        """Linear layers and, where they follow, batch norms; the last layer is bare."""
        numbers = stream(self.member.seed, purpose)
        layers = nn.ModuleList()
        for i, (a, b) in enumerate(itertools.pairwise(widths)):
            weight = (torch.randn(a, b, generator=numbers) * std).to(self.images.dtype)
            normed = first_norm <= i < len(widths) - 2
            layers.append(plain_linear(weight, None if normed else weight.new_zeros(b)))
            if normed:
                layers.append(plain_batch_norm(weight.new_ones(b), weight.new_zeros(b)))
        return layers

    def _optimizer(self, optimizer: str, network: nn.Module) -> torch.optim.Optimizer:
        if optimizer == "sgd":
            return torch.optim.SGD(network.parameters(), lr=self.member.lr)
        betas = (self.config.beta1, self.config.beta2)
        return torch.optim.Adam(network.parameters(), lr=self.member.lr, betas=betas)

    def _next_batch(self, n: int) -> list[int]:
        while len(self.waiting) < n:
            self.waiting += torch.randperm(len(self.images), generator=self.batches).tolist()
        batch, self.waiting = self.waiting[:n], self.waiting[n:]
        return batch

    def _z(self, n: int) -> Tensor:
        return torch.randn(2, n, self.z_dim, generator=self.z_stream, dtype=self.images.dtype)

    def _generate(self, z: Tensor) -> Tensor:
        out, _ = _forward(self.generator, z, None)
        return torch.tanh(out)

    def _discriminate(self, images: Tensor, masks: list[Tensor]) -> tuple[Tensor, Tensor]:
        out, code = _forward(self.discriminator, images, masks or None)
        if self.autoencoder:
            return ((out - images) ** 2).sum(1).sqrt(), code
        return out[:, 0], code

    def _masks(self, *rows: int) -> list[Tensor]:
        if not self.member.dropout_d:
            return []
        hidden = sum(isinstance(layer, nn.Linear) for layer in self.discriminator) - 1
        rate, dtype = self.config.dropout_rate, self.images.dtype
        draws = [torch.rand(*rows, self.size_d, generator=self.dropout, dtype=dtype) for _ in range(hidden)]
        return [(u >= rate).to(dtype) / (1 - rate) for u in draws]


def _forward(layers: nn.ModuleList, x: Tensor, masks: list[Tensor] | None) -> tuple[Tensor, Tensor]:
    """Output of the last layer, and what it receives."""
    *hidden, last = layers
    waiting = list(masks) if masks else None
    for layer, following in zip(hidden, [*hidden[1:], last], strict=True):
        x = layer(x)
        if isinstance(following, nn.BatchNorm1d):
            continue
        x = F.relu(x)
        if waiting is not None:
            x = x * waiting.pop(0)
    return last(x), x


def _slow_pull_away(code: Tensor) -> Tensor:
    n = len(code)
    total = code.new_zeros(())
    lengths = [row.norm() for row in code]
    for i in range(n):
        for j in range(n):
            if i != j and lengths[i] > 0 and lengths[j] > 0:
                total = total + (code[i] @ code[j] / (lengths[i] * lengths[j])) ** 2
    return total / (n * (n - 1))
