"""The stacked generator: noise to images through fully connected layers (Zhao et al., 2016, appendix C).

Batch norm and ReLU after every layer but the last, whose output is squashed by tanh.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.mlp.network import Network, Pass

INIT_STD = 0.02


def make_generator(weights: Sequence[Tensor], device: torch.device, dtype: torch.dtype) -> Network:
    """K generators from the initial weights of every layer, [K, in, out]."""
    return Network(weights, True, device, dtype)


class Making(Pass):
    """Noise [H, N, K, z_dim] to images [H, N, K, pixels] in [-1, 1]."""

    def make(self) -> Tensor:
        """Run the generators; returns the images."""
        self.forward()
        # tanh as 2 sigmoid(2x) - 1, which torch computes four times faster on a CPU; equal to 2e-7 in float32.
        return self.output.tensor.mul_(2).sigmoid_().mul_(2).sub_(1)

    def learn(self) -> None:
        """Fill in the gradients of all parameters from `d_output`, that of the images, which is overwritten."""
        d_images = self.d_output.tensor
        torch.ops.aten.tanh_backward.grad_input(d_images, self._seen[-1].tensor, grad_input=d_images)
        self.backward()
