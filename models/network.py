"""K fully connected networks of one shape: linear layers, batch norm and ReLU, dropout where members ask for it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.layers import BatchNorm, Dropout, Linear, Stack, Statistics
from models.parameters import Parameter, Parameters


class Network:
    """The parameters: hidden layers (linear, batch norm, ReLU, dropout) and one bare linear output layer.

    Args:
        weights: initial weights of every layer, [K, in, out], the output layer last. Biases and shifts start at 0,
            scales at 1.
        norm_first: whether batch norm follows the first layer too (it does not in a discriminator: DCGAN).
        device, dtype: of the parameters.
        dropout: which members have dropout after the hidden layers, by default none.
    """

    def __init__(
        self,
        weights: Sequence[Tensor],
        norm_first: bool,
        device: torch.device,
        dtype: torch.dtype,
        dropout: Sequence[bool] = (),
    ) -> None:
        normed = [norm_first or i > 0 for i in range(len(weights) - 1)] + [False]
        shapes: list[tuple[int, ...]] = []
        for start, norm in zip(weights, normed, strict=True):
            shapes += [_stored(start).shape[1:], *[start.shape[2:]] * (2 if norm else 1)]
        self.parameters = Parameters(shapes, len(weights[0]), device, dtype)
        self.dropout = Dropout(dropout)
        self.linears: list[Linear] = []
        self.norms: list[BatchNorm | None] = []
        parameters = iter(self.parameters)
        for start, norm in zip(weights, normed, strict=True):
            weight = next(parameters)
            weight.value.copy_(_stored(start))
            if _stored(start) is not start:
                weight = Parameter(*(t.transpose(1, 2) for t in weight))
            self.linears.append(Linear(weight, None if norm else next(parameters)))
            self.norms.append(BatchNorm(next(parameters), next(parameters)) if norm else None)
            if (last := self.norms[-1]) is not None:
                last.scale.value.fill_(1)

    def tensors(self) -> list[Tensor]:
        """Every parameter [K, ...], layer by layer: weight [K, in, out], then bias, or scale and shift."""
        found = []
        for linear, norm in zip(self.linears, self.norms, strict=True):
            others = (linear.bias,) if norm is None else (norm.scale, norm.shift)
            found += [p.value for p in (linear.weight, *others) if p is not None]
        return found


class Pass:
    """A network at work on batches of one size, forward and, if it learns, backward.

    Args:
        network: the parameters.
        x: the input, [H, N, K, in].
        out: where the output goes, [H, N, K, out]; by default memory of its own.
        learning: the batches that the backward pass is for; None for a pass that never goes back.
        d_out: where the gradient of the output of these batches is found, by default memory of its own.

    Attributes:
        output: [H, N, K, out].
        code: what the output layer receives, [H, N, K, C].
        d_output, d_input: gradients for the learning batches.
    """

    def __init__(
        self,
        network: Network,
        x: Stack,
        out: Stack | None = None,
        learning: slice | None = slice(None),
        d_out: Stack | None = None,
    ) -> None:
        self._network = network
        self._values = [x]  # before the first layer and after each
        self._products: list[Stack] = []  # of the linear layers
        self._statistics: list[Statistics] = []
        for linear, norm in zip(network.linears, network.norms, strict=True):
            channels = linear.weight.value.shape[2]
            is_last = len(self._values) == len(network.linears)
            self._values.append(out if out is not None and is_last else x.empty(channels))
            self._products.append(self._values[-1] if norm is None else x.empty(channels))
            self._statistics.append(Statistics(self._products[-1]))
        self.output, self.code = self._values[-1], self._values[-2]
        if learning is not None:
            self._learning = learning
            self._seen = [value.part(learning) for value in self._values]
            self._seen_products = [product.part(learning) for product in self._products]
            self._gradients = [seen.empty(seen.tensor.shape[3]) for seen in self._seen[:-1]]
            self._gradients.append(self._seen[-1].empty(self._seen[-1].tensor.shape[3]) if d_out is None else d_out)

    @property
    def d_output(self) -> Stack:
        return self._gradients[-1]

    @property
    def d_input(self) -> Stack:
        return self._gradients[0]

    def forward(self, masks: Sequence[Tensor] = ()) -> None:
        """From the input to the output.

        Args:
            masks: one a hidden layer, [H, N, K, C], 0 or 1 / keep rate; none if no member has dropout.
        """
        last = len(self._products) - 1
        for i, (linear, norm) in enumerate(zip(self._network.linears, self._network.norms, strict=True)):
            linear.forward(self._values[i], self._products[i])
            if norm is not None:
                norm.forward(self._products[i], self._values[i + 1], self._statistics[i])
            if i < last:
                self._values[i + 1].tensor.relu_()
                if masks:
                    self._network.dropout.apply(self._values[i + 1], masks[i])

    def backward(
        self, masks: Sequence[Tensor] = (), d_code: Tensor | None = None, own: bool = True, inputs: bool = True
    ) -> None:
        """From `d_output`, which is overwritten, to the gradients of the parameters and to `d_input`.

        Args:
            masks: those of the forward pass.
            d_code: gradient of the code beside the one that comes from the output, [H, N, K, C].
            own: whether the parameters get their gradients; they are written, not added.
            inputs: whether `d_input` is wanted.
        """
        last = len(self._products) - 1
        for i in range(last, -1, -1):
            linear, norm, grad = self._network.linears[i], self._network.norms[i], self._gradients[i + 1]
            if i == last - 1 and d_code is not None:
                grad.tensor += d_code
            if i < last:
                if masks:
                    self._network.dropout.apply(grad, masks[i])
                torch.ops.aten.threshold_backward.grad_input(
                    grad.tensor, self._seen[i + 1].tensor, 0, grad_input=grad.tensor
                )
            if norm is not None:
                norm.backward(self._seen_products[i], self._statistics[i].of_batch[self._learning], grad, own)
            if own:
                linear.backward(self._seen[i], grad)
            if i > 0 or inputs:
                linear.input_gradient(grad, self._gradients[i])


def _stored(weight: Tensor) -> Tensor:
    """A weight [K, in, out] with its longer side last in memory: on a CPU its gradient then takes half the time."""
    return weight.transpose(1, 2) if weight.shape[1] >= weight.shape[2] else weight
