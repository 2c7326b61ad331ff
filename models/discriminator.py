"""The stacked discriminators: a GAN's classifier and an EBGAN's auto-encoder (Zhao et al., 2016, 2.3 and appendix C).

Both answer with one number an image. `masks` are dropout multipliers, one a hidden layer, or None.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.layers import HiddenLayers, StackedLinear

INIT_STD = 0.002


class LogitDiscriminator(nn.Module):
    """K classifiers, real against generated."""

    def __init__(self, weights: Sequence[Tensor]) -> None:
        """`weights` are the initial weights of every layer, [K, in, out]."""
        super().__init__()
        self.hidden = HiddenLayers(weights[:-1], norm_first=False)
        self.output = StackedLinear(weights[-1], bias=True)

    def forward(self, images: Tensor, masks: Sequence[Tensor] | None) -> tuple[Tensor, Tensor]:
        """images [N, ..., K, pixels] -> logit of being real [N, ..., K], last hidden layer [N, ..., K, size_d]."""
        code = self.hidden(images, masks)
        return self.output(code).squeeze(-1), code


class AutoEncoder(nn.Module):
    """K auto-encoders; the decoder is always a single linear layer. The energy is the reconstruction error."""

    def __init__(self, weights: Sequence[Tensor]) -> None:
        """`weights` are the initial weights of every layer, [K, in, out]; the last are the decoder's."""
        super().__init__()
        self.encoder = HiddenLayers(weights[:-1], norm_first=False)
        self.decoder = StackedLinear(weights[-1], bias=True)

    def forward(self, images: Tensor, masks: Sequence[Tensor] | None) -> tuple[Tensor, Tensor]:
        """images [N, ..., K, pixels] -> energy [N, ..., K] >= 0, code that the decoder receives [N, ..., K, size_d].

        The energy is the l2 norm, not squared (eq. 13). The target is not detached: the gradient of a generated
        image flows through both of its occurrences.
        """
        code = self.encoder(images, masks)
        return torch.linalg.vector_norm(self.decoder(code) - images, dim=-1), code
