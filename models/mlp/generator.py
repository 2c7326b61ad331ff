"""The stacked generator: z to images through fully connected layers (Zhao et al., 2016, appendix C).

Batch norm and ReLU after every layer but the last, whose output is squashed by tanh.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.mlp import aten
from models.mlp.layers import Activations
from models.mlp.network import Network, Pass

INIT_STD = 0.02


def make_generator(weights: Sequence[Tensor], device: torch.device, dtype: torch.dtype) -> Network:
    """K generators from the initial weights of every layer, [K, in, out]."""
    return Network(weights, True, device, dtype)


class GeneratorPass:
    """Buffers and forward/backward of K generators for z [H, N, K, z_dim] and images [H, N, K, pixels] in [-1, 1].

    Args:
        network: K generators.
        z: their input.
        images: memory for the images; by default the pass has its own.
        param_grads: whether `backward` computes the gradients of the parameters.
        backward_batches: which of the H batches `backward` is for.
        d_images: memory that holds the gradient of those batches' images; by default the pass has its own.
    """

    def __init__(
        self,
        network: Network,
        z: Activations,
        images: Activations | None = None,
        *,
        param_grads: bool = False,
        backward_batches: slice = slice(None),
        d_images: Activations | None = None,
    ) -> None:
        self._pass = Pass(
            network, z, images, param_grads=param_grads, backward_batches=backward_batches, d_output=d_images
        )

    def forward(self) -> Tensor:
        """Run the generators; returns the images."""
        self._pass.forward()
        # tanh as 2 sigmoid(2x) - 1, which torch computes four times faster on a CPU; equal to 2e-7 in float32.
        return self._pass.output.tensor.mul_(2).sigmoid_().mul_(2).sub_(1)

    def backward(self) -> None:
        """Compute the gradients of all parameters from `d_images`, which is overwritten."""
        aten.tanh_backward_(self._pass.d_output.tensor, self._pass.saved_output.tensor)
        self._pass.backward()
