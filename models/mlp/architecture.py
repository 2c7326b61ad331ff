"""What a cohort is in plain numbers: one architecture, and the settings in which its members may differ."""

from dataclasses import dataclass
from typing import Literal

Optimizer = Literal["adam", "sgd"]


@dataclass(frozen=True)
class Architecture:
    """Shapes of the two networks, the same for every member of a cohort.

    Attributes:
        discriminator: "logit" for a GAN's classifier, "autoencoder" for an EBGAN's energy (Zhao et al., 2016, 2.3).
        n_layer_g: weight layers of the generator, output layer included, >= 2.
        n_layer_d: weight layers of the discriminator, output (or the one decoder) layer included, >= 2.
        size_g, size_d: width of every hidden layer.
        z_dim: dimension of the generator's normal input.
        pixels: values in an image.
    """

    discriminator: Literal["logit", "autoencoder"]
    n_layer_g: int
    n_layer_d: int
    size_g: int
    size_d: int
    z_dim: int = 100
    pixels: int = 32 * 32

    def generator_widths(self) -> list[int]:
        return [self.z_dim, *[self.size_g] * (self.n_layer_g - 1), self.pixels]

    def discriminator_widths(self) -> list[int]:
        out = 1 if self.discriminator == "logit" else self.pixels
        return [self.pixels, *[self.size_d] * (self.n_layer_d - 1), out]


@dataclass(frozen=True)
class Member:
    """Settings of one member. `margin` and `pt_weight` belong to EBGANs and are None and 0 for GANs.

    Attributes:
        joint_norm: whether the discriminator is given real and generated images as one batch, so that its batch norm
            takes the statistics of both together.
    """

    lr: float
    optim_g: Optimizer
    optim_d: Optimizer
    dropout_d: bool
    seed: int
    margin: float | None = None
    pt_weight: float = 0.0
    joint_norm: bool = False


@dataclass(frozen=True)
class TrainingConfig:
    """What all members of a cohort share in training: its length, batches, Adam's decay rates and the dropout rate."""

    steps: int
    batch_size: int
    beta1: float = 0.5
    beta2: float = 0.999
    dropout_rate: float = 0.5
