"""Layers that carry a member axis: K networks of one shape computed as one.

Parameters are [K, ...], activations [N, ..., K, C]. Members never mix, and neither do the axes between N and K:
they hold batches that are normalised apart, such as real and generated images.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class StackedLinear(nn.Module):
    """K linear layers, [N, ..., K, in] -> [N, ..., K, out].

    Args:
        weight: initial weights, [K, in, out].
        bias: False where batch norm follows. Such a bias has no effect; its gradient is rounding noise,
            which Adam would blow up to full-size steps.
    """

    def __init__(self, weight: Tensor, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(weight.new_zeros(weight.shape[0], weight.shape[2])) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, *x.shape[-2:]).transpose(0, 1)
        if self.bias is None:
            out = torch.bmm(rows, self.weight)
        else:
            out = torch.baddbmm(self.bias[:, None], rows, self.weight)
        return out.transpose(0, 1).unflatten(0, x.shape[:-2])


class StackedBatchNorm(nn.Module):
    """K batch norms with the statistics of the batch (over N alone), [N, ..., K, C] -> the same shape."""

    def __init__(self, like: Tensor) -> None:
        """`like` is the weight [K, in, C] of the linear layer before."""
        super().__init__()
        self.weight = nn.Parameter(like.new_ones(like.shape[0], like.shape[2]))
        self.bias = nn.Parameter(torch.zeros_like(self.weight))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.expand(x.shape[1:]).reshape(-1)
        bias = self.bias.expand(x.shape[1:]).reshape(-1)
        return F.batch_norm(x.reshape(len(x), -1), None, None, weight, bias, training=True).view_as(x)


class HiddenLayers(nn.Module):
    """Linear, batch norm, ReLU, and dropout where members ask for it, repeated.

    Args:
        weights: initial weights of each layer, [K, in, out].
        norm_first: whether batch norm follows the first layer too (it does not in a discriminator: DCGAN).
    """

    def __init__(self, weights: Sequence[Tensor], norm_first: bool) -> None:
        super().__init__()
        norms = [norm_first or i > 0 for i in range(len(weights))]
        self.linears = nn.ModuleList(StackedLinear(w, bias=not n) for w, n in zip(weights, norms, strict=True))
        self.norms = nn.ModuleList(
            StackedBatchNorm(w) if n else nn.Identity() for w, n in zip(weights, norms, strict=True)
        )

    def forward(self, x: Tensor, masks: Sequence[Tensor] | None = None) -> Tensor:
        """`masks`, one a layer, multiply the activations: [N, ..., K, C], 0 or 1 / keep rate."""
        for i, (linear, norm) in enumerate(zip(self.linears, self.norms, strict=True)):
            x = F.relu(norm(linear(x)), inplace=True)
            if masks is not None:
                x = x * masks[i]
        return x
