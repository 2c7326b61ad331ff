"""Layers that carry a member axis: K networks of one shape computed as one.

Activations are [H, N, K, C] in fixed memory, a `Stack`: H batches that are normalised apart, such as real and
generated images, of N images each, for K members with C channels. Parameters are [K, ...]. Members never mix.

Gradients are written out, not left to autograd, and activations stay where they are: a step of small networks would
lose much of its time to the overhead of operators and to memory that no cache holds yet. They are the gradients that
autograd finds for the same layers.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import groupby

import torch
from torch import Tensor

from models.flat_parameters import Parameter

_EPSILON = 1e-5  # of the variance in batch norm, torch's default


class Matrices:
    """A matrix for each of K members, [K, m, n], with any strides."""

    def __init__(self, stacked: Tensor) -> None:
        self.stacked = stacked

    @cached_property
    def each(self) -> tuple[Tensor, ...]:
        return self.stacked.unbind()

    @cached_property
    def transposed(self) -> "Matrices":
        return Matrices(self.stacked.transpose(1, 2))


def multiply(a: Matrices, b: Matrices, out: Matrices) -> None:
    """out[k] = a[k] @ b[k] for every member k."""
    if out.stacked.is_cuda:
        torch.bmm(a.stacked, b.stacked, out=out.stacked)
    else:  # a product a member: the batched one would copy what does not lie in the order of members
        for left, right, product in zip(a.each, b.each, out.each, strict=True):
            torch.mm(left, right, out=product)


class Stack:
    """Activations of K members in fixed memory.

    Args:
        tensor: [H, N, K, C]; only K may be expanded.
    """

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    @cached_property
    def matrices(self) -> Matrices:
        """All images of a member, [K, H * N, C]."""
        return Matrices(self.tensor.flatten(0, 1).transpose(0, 1))

    @cached_property
    def batches(self) -> tuple[Tensor, ...]:
        """The H batches, with the channels of all members side by side, [N, K * C]."""
        return self.tensor.flatten(2).unbind()

    def empty(self, channels: int) -> "Stack":
        """New memory for so many channels of the same images and members."""
        return Stack(self.tensor.new_empty(*self.tensor.shape[:3], channels))

    def part(self, batches: slice) -> "Stack":
        """Some of the batches, in the same memory."""
        return Stack(self.tensor[batches])


class Linear:
    """K linear layers, [H, N, K, in] -> [H, N, K, out].

    Args:
        weight: [K, in, out], in any order in memory.
        bias: [K, out], or None where batch norm follows. Such a bias has no effect; its gradient is rounding noise,
            which Adam would blow up to full-size steps.
    """

    def __init__(self, weight: Parameter, bias: Parameter | None) -> None:
        self.weight, self.bias = weight, bias
        self._weight, self._gradient = Matrices(weight.value), Matrices(weight.gradient)

    def forward(self, x: Stack, out: Stack) -> None:
        multiply(x.matrices, self._weight, out.matrices)
        if self.bias is not None:
            out.tensor += self.bias.value

    def backward(self, x: Stack, d_out: Stack) -> None:
        """Fill in the gradients of weight and bias."""
        multiply(x.matrices.transposed, d_out.matrices, self._gradient)
        if self.bias is not None:
            torch.sum(d_out.tensor, (0, 1), out=self.bias.gradient)

    def input_gradient(self, d_out: Stack, d_x: Stack) -> None:
        multiply(d_out.matrices, self._weight.transposed, d_x.matrices)


class Statistics:
    """Mean and 1 / standard deviation of the channels in each of H batches, [K * C] each."""

    def __init__(self, x: Stack) -> None:
        self.of_batch = [(torch.empty_like(batch[0]), torch.empty_like(batch[0])) for batch in x.batches]


class BatchNorm:
    """K batch norms with the statistics of each batch (over N alone), [H, N, K, C] -> the same shape."""

    def __init__(self, scale: Parameter, shift: Parameter) -> None:
        self.scale, self.shift = scale, shift

    def forward(self, x: Stack, out: Stack, statistics: Statistics) -> None:
        scale, shift = self.scale.value.flatten(), self.shift.value.flatten()
        for batch, normed, (mean, inverse) in zip(x.batches, out.batches, statistics.of_batch, strict=True):
            torch.native_batch_norm(batch, scale, shift, None, None, True, 0.0, _EPSILON, out=(normed, mean, inverse))

    def backward(self, x: Stack, statistics: Sequence[tuple[Tensor, Tensor]], d_out: Stack, own: bool) -> None:
        """Write the gradient of the input over that of the output; fill in those of scale and shift if `own`."""
        scale = self.scale.value.flatten()
        for h, (batch, grad, (mean, inverse)) in enumerate(zip(x.batches, d_out.batches, statistics, strict=True)):
            d_x, *gradients = torch.ops.aten.native_batch_norm_backward(
                grad, batch, scale, None, None, mean, inverse, True, _EPSILON, [True, own, own]
            )
            grad.copy_(d_x)
            if own:
                for parameter, gradient in zip((self.scale, self.shift), gradients, strict=True):
                    gradient = gradient.view_as(parameter.gradient)
                    parameter.gradient.copy_(gradient) if h == 0 else parameter.gradient.add_(gradient)


class Dropout:
    """Multiplies the activations of the members that have dropout by masks, 0 or 1 / keep rate."""

    def __init__(self, on: Sequence[bool]) -> None:
        """`on` tells for each member whether it has dropout."""
        self._parts: list[slice] = []
        for is_on, run in groupby(range(len(on)), key=on.__getitem__):
            members = list(run)
            if is_on:
                self._parts.append(slice(members[0], members[-1] + 1))

    def apply(self, x: Stack, mask: Tensor) -> None:
        """Multiply in place by a mask [H, N, K, C]."""
        for part in self._parts:
            x.tensor[:, :, part].mul_(mask[:, :, part])
