"""Layers that carry a member axis: K networks of one shape computed as one.

`Activations` are [H, N, K, C] in fixed memory: H batches, such as real and generated images, of N images each, for K
members with C channels. Parameters are [K, ...]. Members never mix.

Gradients are written out, not left to autograd, and activations stay where they are: a step of small networks would
lose much of its time to the overhead of operators and to memory that no cache holds yet. Tests compare them with the
gradients that autograd finds for the same layers.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import groupby

import torch
from torch import Tensor

from models.flat_parameters import Parameter
from models.mlp import aten


class MemberMatrices:
    """A matrix for each of K members, [K, m, n], with any strides."""

    def __init__(self, stacked: Tensor) -> None:
        self.stacked = stacked

    @cached_property
    def each(self) -> tuple[Tensor, ...]:
        return self.stacked.unbind()

    @cached_property
    def transposed(self) -> "MemberMatrices":
        return MemberMatrices(self.stacked.transpose(1, 2))


def multiply(a: MemberMatrices, b: MemberMatrices, out: MemberMatrices) -> None:
    """out[k] = a[k] @ b[k] for every member k."""
    if out.stacked.is_cuda:
        torch.bmm(a.stacked, b.stacked, out=out.stacked)
    else:  # one product for each member: a batched product would copy matrices that are not stored member by member
        for left, right, product in zip(a.each, b.each, out.each, strict=True):
            torch.mm(left, right, out=product)


class Activations:
    """Activations of K members in fixed memory.

    Args:
        tensor: [H, N, K, C]; only K may be expanded.
    """

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    @cached_property
    def matrices(self) -> MemberMatrices:
        """All images of a member, [K, H * N, C]."""
        return MemberMatrices(self.tensor.flatten(0, 1).transpose(0, 1))

    @cached_property
    def batches(self) -> tuple[Tensor, ...]:
        """The H batches, with the channels of all members side by side, [N, K * C]."""
        return self.tensor.flatten(2).unbind()

    def empty(self, channels: int) -> "Activations":
        """New memory for the same images and members with this many channels."""
        return Activations(self.tensor.new_empty(*self.tensor.shape[:3], channels))

    def part(self, batches: slice) -> "Activations":
        """Some of the batches, in the same memory."""
        return Activations(self.tensor[batches])

    def as_one_batch(self, members: slice) -> Tensor:
        """A copy of all batches of some members as one, with the channels side by side, [H * N, members * C]."""
        own = self.tensor[:, :, members].clone(memory_format=torch.contiguous_format)
        return own.view(own.shape[0] * own.shape[1], -1)


class Linear:
    """K linear layers, [H, N, K, in] -> [H, N, K, out].

    Args:
        weight: [K, in, out], in any order in memory.
        bias: [K, out], or None where batch norm follows. Such a bias has no effect; its gradient is rounding noise,
            which Adam would blow up to full-size steps.
    """

    def __init__(self, weight: Parameter, bias: Parameter | None) -> None:
        self.weight, self.bias = weight, bias
        self._weight, self._gradient = MemberMatrices(weight.value), MemberMatrices(weight.gradient)

    def forward(self, x: Activations, out: Activations) -> None:
        multiply(x.matrices, self._weight, out.matrices)
        if self.bias is not None:
            out.tensor += self.bias.value

    def backward(self, x: Activations, d_out: Activations) -> None:
        """Compute the gradients of weight and bias."""
        multiply(x.matrices.transposed, d_out.matrices, self._gradient)
        if self.bias is not None:
            torch.sum(d_out.tensor, (0, 1), out=self.bias.gradient)

    def input_gradient(self, d_out: Activations, d_x: Activations) -> None:
        multiply(d_out.matrices, self._weight.transposed, d_x.matrices)


def runs_of(on: Sequence[bool]) -> list[slice]:
    """The runs of neighbouring members for which something is on."""
    runs = []
    for is_on, run in groupby(range(len(on)), key=on.__getitem__):
        members = list(run)
        if is_on:
            runs.append(slice(members[0], members[-1] + 1))
    return runs


class BatchStats:
    """Mean and 1 / standard deviation of the channels, [K * C] each, in each of H batches.

    For the runs of members whose batches are normalised as one, also those of that one batch, [members * C] each.
    """

    def __init__(self, x: Activations, joint: Sequence[slice] = ()) -> None:
        self.of_batch = [(torch.empty_like(batch[0]), torch.empty_like(batch[0])) for batch in x.batches]
        firsts = [x.tensor[0, 0, members].flatten() for members in joint]
        self.of_all = [(torch.empty_like(first), torch.empty_like(first)) for first in firsts]


class BatchNorm:
    """K batch norms, [H, N, K, C] -> the same shape.

    Args:
        joint: runs of members whose H batches are normalised as one. All others have the statistics of each batch.
    """

    def __init__(self, scale: Parameter, shift: Parameter, joint: Sequence[slice] = ()) -> None:
        self.scale, self.shift, self.joint = scale, shift, joint

    def forward(self, x: Activations, out: Activations, stats: BatchStats) -> None:
        scale, shift = self.scale.value.flatten(), self.shift.value.flatten()
        for batch, normed, (mean, inverse_std) in zip(x.batches, out.batches, stats.of_batch, strict=True):
            aten.batch_norm(batch, scale, shift, normed, mean, inverse_std)
        for members, (mean, inverse_std) in zip(self.joint, stats.of_all, strict=True):
            batch = x.as_one_batch(members)
            scale, shift = self.scale.value[members].flatten(), self.shift.value[members].flatten()
            normed = torch.empty_like(batch)
            aten.batch_norm(batch, scale, shift, normed, mean, inverse_std)
            own = out.tensor[:, :, members]
            own.copy_(normed.view(own.shape))

    def backward(
        self, x: Activations, stats: BatchStats, batches: slice, d_out: Activations, affine_grads: bool
    ) -> None:
        """Overwrite the gradient of the output by that of the input; with `affine_grads`, store scale's and shift's.

        Args:
            batches: those of the H batches that `x` and `d_out` hold; all of them if any member is joint.
        """
        joint = [d_out.as_one_batch(members) for members in self.joint]
        self._backward_each(x, stats.of_batch[batches], d_out, affine_grads)
        for members, grad, (mean, inverse_std) in zip(self.joint, joint, stats.of_all, strict=True):
            scale, batch = self.scale.value[members].flatten(), x.as_one_batch(members)
            d_x, *gradients = aten.batch_norm_backward(grad, batch, scale, mean, inverse_std, affine_grads)
            own = d_out.tensor[:, :, members]
            own.copy_(d_x.view(own.shape))
            for parameter, gradient in zip((self.scale, self.shift), gradients, strict=True):
                if gradient is not None:
                    parameter.gradient[members] = gradient.view_as(parameter.gradient[members])

    def _backward_each(
        self, x: Activations, stats: Sequence[tuple[Tensor, Tensor]], d_out: Activations, affine_grads: bool
    ) -> None:
        """The gradients of batches that are normalised apart, for all members."""
        scale = self.scale.value.flatten()
        for h, (batch, grad, (mean, inverse_std)) in enumerate(zip(x.batches, d_out.batches, stats, strict=True)):
            d_x, *gradients = aten.batch_norm_backward(grad, batch, scale, mean, inverse_std, affine_grads)
            grad.copy_(d_x)
            for parameter, gradient in zip((self.scale, self.shift), gradients, strict=True):
                if gradient is not None:
                    gradient = gradient.view_as(parameter.gradient)
                    parameter.gradient.copy_(gradient) if h == 0 else parameter.gradient.add_(gradient)


class Dropout:
    """Multiplies the activations of the members that have dropout by masks, 0 or 1 / keep rate."""

    def __init__(self, on: Sequence[bool]) -> None:
        """`on` says for each member whether it has dropout."""
        self._parts = runs_of(on)

    def apply(self, x: Activations, mask: Tensor) -> None:
        """Multiply in place by a mask [H, N, K, C]."""
        for part in self._parts:
            x.tensor[:, :, part].mul_(mask[:, :, part])
