"""K fully connected networks of one shape: linear layers, batch norm and ReLU, dropout where members ask for it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.flat_parameters import Parameter, Parameters
from models.mlp import aten
from models.mlp.layers import Activations, BatchNorm, BatchStats, Dropout, Linear, runs_of


class Network:
    """The parameters: hidden layers (linear, batch norm, ReLU, dropout) and one bare linear output layer.

    Args:
        weights: initial weights of every layer, [K, in, out], the output layer last. Biases and shifts start at 0,
            scales at 1.
        norm_first: whether batch norm follows the first layer too (in a discriminator it does not: DCGAN).
        device, dtype: of the parameters.
        dropout: which members have dropout after the hidden layers, by default none.
        joint_norm: for which members batch norm takes the statistics of all batches together, by default for none.
    """

    def __init__(
        self,
        weights: Sequence[Tensor],
        norm_first: bool,
        device: torch.device,
        dtype: torch.dtype,
        dropout: Sequence[bool] = (),
        joint_norm: Sequence[bool] = (),
    ) -> None:
        normed = [norm_first or i > 0 for i in range(len(weights) - 1)] + [False]
        shapes: list[tuple[int, ...]] = []
        for initial, norm in zip(weights, normed, strict=True):
            shapes += [_stored(initial).shape[1:], *[initial.shape[2:]] * (2 if norm else 1)]
        self.parameters = Parameters(shapes, len(weights[0]), device, dtype)
        self.dropout = Dropout(dropout)
        joint = runs_of(joint_norm)
        self.linears: list[Linear] = []
        self.norms: list[BatchNorm | None] = []
        parameters = iter(self.parameters)
        for initial, norm in zip(weights, normed, strict=True):
            weight = next(parameters)
            weight.value.copy_(_stored(initial))
            if _stored(initial) is not initial:
                weight = Parameter(*(t.transpose(1, 2) for t in weight))
            self.linears.append(Linear(weight, None if norm else next(parameters)))
            self.norms.append(BatchNorm(next(parameters), next(parameters), joint) if norm else None)
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
    """Buffers and forward/backward of a network for one batch size.

    Args:
        network: the parameters.
        x: the input, [H, N, K, in].
        out: memory for the output, [H, N, K, out]; by default the pass has its own.
        param_grads: whether `backward` computes the gradients of the parameters.
        input_grad: whether `backward` computes the gradient of the input.
        backward_batches: which of the H batches `backward` is for.
        d_output: memory that holds the gradient of those batches' output; by default the pass has its own.

    Attributes:
        output: [H, N, K, out].
        code: the input of the output layer, [H, N, K, C].
        saved_output: the output of the batches that `backward` is for.
        d_output, d_input: gradients of the output and the input, for those batches alone.
    """

    def __init__(
        self,
        network: Network,
        x: Activations,
        out: Activations | None = None,
        *,
        param_grads: bool = False,
        input_grad: bool = False,
        backward_batches: slice = slice(None),
        d_output: Activations | None = None,
    ) -> None:
        self._network, self._param_grads, self._input_grad = network, param_grads, input_grad
        self._backward_batches = backward_batches
        keeps = param_grads or input_grad
        self._activations = [x]  # the input, then the output of each layer
        self._linear_outputs: list[Activations] = []  # before batch norm; where there is none, the layer's output
        previous: tuple[bool, int] | None = None  # whether the layer before has batch norm, and its channels
        for i, (linear, norm) in enumerate(zip(network.linears, network.norms, strict=True)):
            channels = linear.weight.value.shape[2]
            reusable = norm is not None and previous == (True, channels)
            if reusable and not keeps:  # inference: overwrite the previous layer's buffers
                activation, linear_output = self._activations[-1], self._linear_outputs[-1]
            else:
                activation = out if out is not None and i == len(network.linears) - 1 else x.empty(channels)
                linear_output = activation if norm is None else x.empty(channels)
            self._activations.append(activation)
            self._linear_outputs.append(linear_output)
            previous = norm is not None, channels
        self.code, self.output = self._activations[-2:]
        self._stats = [
            BatchStats(linear_output, norm.joint if norm else ())
            for linear_output, norm in zip(self._linear_outputs, network.norms, strict=True)
        ]
        if keeps:
            self._saved = [activation.part(backward_batches) for activation in self._activations]
            self._saved_linear_outputs = [output.part(backward_batches) for output in self._linear_outputs]
            self.saved_output = self._saved[-1]
            self._gradients = [saved.empty(saved.tensor.shape[3]) for saved in self._saved[1:-1]]
            self.d_output = self.saved_output.empty(self.output.tensor.shape[3]) if d_output is None else d_output
            self._gradients.append(self.d_output)
        if input_grad:
            self.d_input = self._saved[0].empty(x.tensor.shape[3])

    def forward(self, masks: Sequence[Tensor] = ()) -> None:
        """From the input to the output.

        Args:
            masks: one for each hidden layer, [H, N, K, C], 0 or 1 / keep rate; none if no member has dropout.
        """
        last = len(self._linear_outputs) - 1
        for i, (linear, norm) in enumerate(zip(self._network.linears, self._network.norms, strict=True)):
            linear.forward(self._activations[i], self._linear_outputs[i])
            if norm is not None:
                norm.forward(self._linear_outputs[i], self._activations[i + 1], self._stats[i])
            if i < last:
                self._activations[i + 1].tensor.relu_()
                if masks:
                    self._network.dropout.apply(self._activations[i + 1], masks[i])

    def backward(self, masks: Sequence[Tensor] = (), d_code: Tensor | None = None) -> None:
        """Compute the gradients that were asked for from `d_output`; they replace older ones.

        `d_output` may be overwritten.

        Args:
            masks: those of the forward pass.
            d_code: a gradient of the code to add to the one that comes from the output, [H, N, K, C].
        """
        last = len(self._linear_outputs) - 1
        for i in range(last, -1, -1):
            linear, norm, grad = self._network.linears[i], self._network.norms[i], self._gradients[i]
            if i == last - 1 and d_code is not None:
                grad.tensor += d_code
            if i < last:
                if masks:
                    self._network.dropout.apply(grad, masks[i])
                aten.relu_backward_(grad.tensor, self._saved[i + 1].tensor)
            if norm is not None:
                batches = self._backward_batches
                norm.backward(self._saved_linear_outputs[i], self._stats[i], batches, grad, self._param_grads)
            if self._param_grads:
                linear.backward(self._saved[i], grad)
            if i > 0:
                linear.input_gradient(grad, self._gradients[i - 1])
            elif self._input_grad:
                linear.input_gradient(grad, self.d_input)


def _stored(weight: Tensor) -> Tensor:
    """A weight [K, in, out], stored with its longer side last: on a CPU its gradient then takes half the time."""
    return weight.transpose(1, 2) if weight.shape[1] >= weight.shape[2] else weight
