"""The two networks as plain modules, shared by the baselines that users write themselves."""

import itertools
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.mlp.training import initial_weights
from search_spaces.trial import Trial
from sweep.planning.costs.mnist_gan import discriminator_widths, generator_widths

Dropout = Callable[[Tensor], Tensor]


class Generator(nn.Module):
    """z [N, z_dim] to images [N, pixels] in [-1, 1]."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(widths[:-1]):
            layers += [nn.Linear(a, b, bias=False), _batch_norm(b), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        images: Tensor = self.layers(z)
        return images


class Discriminator(nn.Module):
    """Images [N, pixels] to a logit or an energy [N], and the last hidden layer [N, size_d]."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        pairs = list(itertools.pairwise(widths[:-1]))
        self.hidden = nn.ModuleList(
            nn.Sequential(nn.Linear(a, b, bias=i == 0), *([_batch_norm(b)] if i else []), nn.ReLU(inplace=True))
            for i, (a, b) in enumerate(pairs)
        )
        self.output = nn.Linear(widths[-2], widths[-1])
        self.energy = widths[-1] == widths[0]

    def forward(self, images: Tensor, dropout: Dropout | None) -> tuple[Tensor, Tensor]:
        code = images
        for layer in self.hidden:
            code = layer(code)
            if dropout is not None:
                code = dropout(code)
        out = self.output(code)
        return (torch.linalg.vector_norm(out - images, dim=-1) if self.energy else out.squeeze(-1)), code


def make_networks(cell: Trial, images: Tensor) -> tuple[Generator, Discriminator]:
    """The networks of a cell, with the initial weights of its seed, on the device of the images.

    Raises:
        ValueError: its discriminator takes real and generated images as one batch, which no baseline does.
    """
    if cell.settings.norm_d == "joint":
        raise ValueError("norm_d: got joint, allowed for baselines: separate")
    g, d = generator_widths(cell), discriminator_widths(cell)
    generator = Generator(g).to(images.device, images.dtype)
    discriminator = Discriminator(d).to(images.device, images.dtype)
    _set_weights(generator, initial_weights(g, [cell.settings.seed], "generator", 0.02))
    _set_weights(discriminator, initial_weights(d, [cell.settings.seed], "discriminator", 0.002))
    return generator, discriminator


def pull_away(code: Tensor) -> Tensor:
    """Pull-away term of codes [N, C]."""
    n = len(code)
    unit = F.normalize(code, dim=-1)
    square = (unit @ unit.T).square()
    return (square.sum() - square.diagonal().sum()) / (n * (n - 1))


def _batch_norm(width: int) -> nn.BatchNorm1d:
    return nn.BatchNorm1d(width, track_running_stats=False)


@torch.no_grad()
def _set_weights(network: nn.Module, weights: Sequence[Tensor]) -> None:
    linears = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    for layer, weight in zip(linears, weights, strict=True):
        layer.weight.copy_(weight[0].T)
        if layer.bias is not None:
            layer.bias.zero_()
