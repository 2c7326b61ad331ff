"""K fully connected networks of one shape: linear layers, batch norm and ReLU, dropout where members ask for it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.flat_parameters import Parameter, Parameters
from models.mlp.layers import BatchNorm, Dropout, Linear, Stack, Statistics


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
    """A network at work on batches of one size, forward and, if it learns or teaches, backward.

    Args:
        network: the parameters.
        x: the input, [H, N, K, in].
        out: where the output goes, [H, N, K, out]; by default memory of its own.
        learns: whether the backward pass is to fill in the gradients of the parameters.
        teaches: whether it is to fill in the gradient of the input.
        backward: the batches that it is for.
        d_out: where the gradient of their output is found, by default memory of its own.

    Attributes:
        output: [H, N, K, out].
        code: what the output layer receives, [H, N, K, C].
        d_output, d_input: gradients, of the batches of the backward pass alone.
    """

    def __init__(
        self,
        network: Network,
        x: Stack,
        out: Stack | None = None,
        *,
        learns: bool = False,
        teaches: bool = False,
        backward: slice = slice(None),
        d_out: Stack | None = None,
    ) -> None:
        self._network, self._learns, self._teaches, self._backward = network, learns, teaches, backward
        keeps = learns or teaches
        self._values = [x]  # before the first layer and after each
        self._products: list[Stack] = []  # of the linear layers
        before: tuple[bool, int] | None = None
        for i, (linear, norm) in enumerate(zip(network.linears, network.norms, strict=True)):
            channels = linear.weight.value.shape[2]
            if not keeps and before == (norm is not None, channels) == (True, channels):
                value, product = self._values[-1], self._products[-1]  # the layer before is done with its memory
            else:
                value = out if out is not None and i == len(network.linears) - 1 else x.empty(channels)
                product = value if norm is None else x.empty(channels)
            self._values.append(value)
            self._products.append(product)
            before = norm is not None, channels
        self.code, self.output = self._values[-2:]
        self._statistics = [Statistics(product) for product in self._products]
        if keeps:
            self._seen = [value.part(backward) for value in self._values]
            self._seen_products = [product.part(backward) for product in self._products]
            self._gradients = [seen.empty(seen.tensor.shape[3]) for seen in self._seen[1:-1]]
            self.d_output = self._seen[-1].empty(self.output.tensor.shape[3]) if d_out is None else d_out
            self._gradients.append(self.d_output)
        if teaches:
            self.d_input = self._seen[0].empty(x.tensor.shape[3])

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

    def backward(self, masks: Sequence[Tensor] = (), d_code: Tensor | None = None) -> None:
        """From `d_output`, which may be overwritten, to the gradients that are asked for; written, not added.

        Args:
            masks: those of the forward pass.
            d_code: gradient of the code beside the one that comes from the output, [H, N, K, C].
        """
        last = len(self._products) - 1
        for i in range(last, -1, -1):
            linear, norm, grad = self._network.linears[i], self._network.norms[i], self._gradients[i]
            if i == last - 1 and d_code is not None:
                grad.tensor += d_code
            if i < last:
                if masks:
                    self._network.dropout.apply(grad, masks[i])
                torch.ops.aten.threshold_backward.grad_input(
                    grad.tensor, self._seen[i + 1].tensor, 0, grad_input=grad.tensor
                )
            if norm is not None:
                statistics = self._statistics[i].of_batch[self._backward]
                norm.backward(self._seen_products[i], statistics, grad, self._learns)
            if self._learns:
                linear.backward(self._seen[i], grad)
            if i > 0:
                linear.input_gradient(grad, self._gradients[i - 1])
            elif self._teaches:
                linear.input_gradient(grad, self.d_input)


def _stored(weight: Tensor) -> Tensor:
    """A weight [K, in, out] with its longer side last in memory: on a CPU its gradient then takes half the time."""
    return weight.transpose(1, 2) if weight.shape[1] >= weight.shape[2] else weight
