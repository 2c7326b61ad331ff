"""The stacked discriminators: a GAN's classifier and an EBGAN's auto-encoder (Zhao et al., 2016, 2.3 and appendix C).

Both give one number an image: a logit or an energy. No batch norm after the first layer. `masks` are dropout
multipliers, one for each hidden layer, see `models.mlp.network`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from models.mlp.layers import Activations
from models.mlp.network import Network, Pass

INIT_STD = 0.002


def make_discriminator(
    weights: Sequence[Tensor],
    dropout: Sequence[bool],
    device: torch.device,
    dtype: torch.dtype,
    joint_norm: Sequence[bool] = (),
) -> Network:
    """K discriminators from the initial weights of every layer, [K, in, out].

    `dropout` and `joint_norm` say which members have them, see `models.mlp.network.Network`.
    """
    return Network(weights, False, device, dtype, dropout, joint_norm)


class DiscriminatorPass(ABC):
    """Buffers and forward/backward of K discriminators for images [H, N, K, pixels].

    Args:
        network: K discriminators.
        images: their input.
        param_grads, input_grad: which gradients `backward` computes.
    """

    def __init__(
        self, network: Network, images: Activations, *, param_grads: bool = False, input_grad: bool = False
    ) -> None:
        self._images, self._input_grad = images, input_grad
        self._pass = Pass(network, images, param_grads=param_grads, input_grad=input_grad)

    @property
    def code(self) -> Tensor:
        """The input of the output layer, [H, N, K, size_d]."""
        return self._pass.code.tensor

    @property
    def d_images(self) -> Activations:
        """The gradient of the images; there is one if `input_grad`."""
        return self._pass.d_input

    @abstractmethod
    def forward(self, masks: Sequence[Tensor]) -> Tensor:
        """The outputs for the images, logits or energies, [H, N, K]."""

    @abstractmethod
    def backward(self, d_output: Tensor, masks: Sequence[Tensor], d_code: Tensor | None = None) -> None:
        """Compute gradients from that of the last outputs [H, N, K] and, if given, that of the code."""


class LogitDiscriminator(DiscriminatorPass):
    """K classifiers; the output is the logit of being real."""

    def forward(self, masks: Sequence[Tensor]) -> Tensor:
        self._pass.forward(masks)
        return self._pass.output.tensor[..., 0]

    def backward(self, d_output: Tensor, masks: Sequence[Tensor], d_code: Tensor | None = None) -> None:
        self._pass.d_output.tensor[..., 0] = d_output
        self._pass.backward(masks, d_code)


class AutoencoderDiscriminator(DiscriminatorPass):
    """K auto-encoders; the decoder is always a single linear layer. The output is the energy >= 0.

    The energy is the reconstruction error, an l2 norm that is not squared (eq. 13). The target is not detached: the
    gradient of a generated image flows through both of its occurrences.
    """

    def forward(self, masks: Sequence[Tensor]) -> Tensor:
        self._pass.forward(masks)
        self._pass.output.tensor.sub_(self._images.tensor)  # reconstruction error
        self._energy = torch.linalg.vector_norm(self._pass.output.tensor, dim=-1)
        return self._energy

    def backward(self, d_output: Tensor, masks: Sequence[Tensor], d_code: Tensor | None = None) -> None:
        # The norm's gradient is the error over its length; 0 for an image that is reconstructed exactly.
        scale = (d_output / self._energy).masked_fill_(self._energy == 0, 0)
        d_error = torch.mul(self._pass.output.tensor, scale[..., None], out=self._pass.d_output.tensor)
        self._pass.backward(masks, d_code)
        if self._input_grad:
            self.d_images.tensor.sub_(d_error)
