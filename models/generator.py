"""The stacked generator: noise to images through fully connected layers (Zhao et al., 2016, appendix C)."""

from collections.abc import Sequence

from torch import Tensor, nn

from models.layers import HiddenLayers, StackedLinear

INIT_STD = 0.02


class Generator(nn.Module):
    """K generators; batch norm and ReLU after every layer but the last, whose output is squashed by tanh."""

    def __init__(self, weights: Sequence[Tensor]) -> None:
        """`weights` are the initial weights of every layer, [K, in, out]."""
        super().__init__()
        self.hidden = HiddenLayers(weights[:-1], norm_first=True)
        self.output = StackedLinear(weights[-1], bias=True)

    def forward(self, z: Tensor) -> Tensor:
        """z [N, K, z_dim] -> images [N, K, pixels] in [-1, 1]."""
        image: Tensor = self.output(self.hidden(z)).tanh_()
        return image
