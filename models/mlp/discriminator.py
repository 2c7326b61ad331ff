"""The stacked discriminators: a GAN's classifier and an EBGAN's auto-encoder (Zhao et al., 2016, 2.3 and appendix C).

Both answer with one number an image. No batch norm after the first layer. `masks` are dropout multipliers, one a
hidden layer, see `models.mlp.network`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from models.mlp.layers import Stack
from models.mlp.network import Network, Pass

INIT_STD = 0.002


def make_discriminator(
    weights: Sequence[Tensor], dropout: Sequence[bool], device: torch.device, dtype: torch.dtype
) -> Network:
    """K discriminators from the initial weights of every layer, [K, in, out]; `dropout` tells which members have it."""
    return Network(weights, False, device, dtype, dropout)


class Judging(ABC):
    """Discriminators at work on batches of images [H, N, K, pixels].

    Args:
        network: K discriminators.
        images: what they judge.
        learns, teaches: what `backward` is to fill in, see `models.mlp.network.Pass`.
    """

    def __init__(self, network: Network, images: Stack, *, learns: bool = False, teaches: bool = False) -> None:
        self._images, self._teaches = images, teaches
        self._pass = Pass(network, images, learns=learns, teaches=teaches)

    @property
    def code(self) -> Tensor:
        """What the output layer received, [H, N, K, size_d]."""
        return self._pass.code.tensor

    @property
    def d_images(self) -> Stack:
        """The gradient of the images, for one that teaches."""
        return self._pass.d_input

    @abstractmethod
    def judge(self, masks: Sequence[Tensor]) -> Tensor:
        """The answers to the images, [H, N, K]."""

    @abstractmethod
    def backward(self, d_answer: Tensor, masks: Sequence[Tensor], d_code: Tensor | None = None) -> None:
        """Fill in gradients from that of the last answers, and of the code if given."""


class Classifying(Judging):
    """K classifiers; the answer is the logit of being real."""

    def judge(self, masks: Sequence[Tensor]) -> Tensor:
        self._pass.forward(masks)
        return self._pass.output.tensor[..., 0]

    def backward(self, d_answer: Tensor, masks: Sequence[Tensor], d_code: Tensor | None = None) -> None:
        self._pass.d_output.tensor[..., 0] = d_answer
        self._pass.backward(masks, d_code)


class Rebuilding(Judging):
    """K auto-encoders; the decoder is always a single linear layer. The answer is the energy >= 0.

    The energy is the reconstruction error, an l2 norm that is not squared (eq. 13). The target is not detached: the
    gradient of a generated image flows through both of its occurrences.
    """

    def judge(self, masks: Sequence[Tensor]) -> Tensor:
        self._pass.forward(masks)
        self._pass.output.tensor.sub_(self._images.tensor)  # reconstruction error
        self._energy = torch.linalg.vector_norm(self._pass.output.tensor, dim=-1)
        return self._energy

    def backward(self, d_answer: Tensor, masks: Sequence[Tensor], d_code: Tensor | None = None) -> None:
        # The norm's gradient is the error over its length; 0 for an image rebuilt exactly.
        scale = (d_answer / self._energy).masked_fill_(self._energy == 0, 0)
        d_error = torch.mul(self._pass.output.tensor, scale[..., None], out=self._pass.d_output.tensor)
        self._pass.backward(masks, d_code)
        if self._teaches:
            self.d_images.tensor.sub_(d_error)
