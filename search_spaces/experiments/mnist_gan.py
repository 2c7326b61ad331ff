"""GANs and energy-based GANs of fully connected layers on MNIST (Zhao et al., 2016, sections 4.1 and 4.2)."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field as Bounds

from search_spaces.axis import (
    Axis,
    Depth,
    Norm,
    Optimizer,
    Precision,
    Rate,
    Seed,
    Setting,
    Share,
    SharedSettings,
    Width,
)
from search_spaces.experiment import Experiment, Family, Mark, Reference, Score
from search_spaces.scored_steps import ScoredSteps

_ENERGY = ("ebgan", "ebgan_pt")


@dataclass(frozen=True, slots=True)
class GanSettings:
    """The axes of the paper's grids, in the order of its table 1.

    Attributes:
        n_layer_g, n_layer_d: linear layers of the generator and of the discriminator.
        size_g, size_d: channels of their hidden layers.
        lr: learning rate of both.
        margin: energy above which a generated image is left alone; None for GANs.
        pt_weight: weight of the pull-away term; 0 for an EBGAN, None for GANs.
        norm_d: whether batch norm in a GAN's discriminator takes the statistics of real and generated images separately
            or of both together; None for EBGANs.
    """

    n_layer_g: Annotated[Depth, Axis("nLayerG", shape=True)]
    n_layer_d: Annotated[Depth, Axis("nLayerD", shape=True)]
    size_g: Annotated[Width, Axis("sizeG", shape=True)]
    size_d: Annotated[Width, Axis("sizeD", shape=True)]
    dropout_d: Annotated[bool, Axis("dropoutD")]
    optim_g: Annotated[Optimizer, Axis("optimG")]
    optim_d: Annotated[Optimizer, Axis("optimD")]
    lr: Annotated[Rate, Axis("lr")]
    margin: Annotated[Rate | None, Axis("margin", families=_ENERGY)]
    pt_weight: Annotated[Rate | None, Axis("PT weight", families=("ebgan_pt",), absent={"ebgan": 0.0})]
    norm_d: Annotated[Norm | None, Axis("normD", families=("gan",), implied="separate")] = None
    seed: Annotated[Seed, Axis("seed")] = 0


@dataclass(frozen=True, kw_only=True)
class GanTraining(SharedSettings):
    """What all trials of a search space share in training.

    Attributes:
        steps: updates of each network.
        betas: decay rates of Adam's two moments.
        dropout_rate: share of units that dropout removes, where a discriminator has dropout.
        precision: of the matrix products; weights, sums and everything else are float32. TF32 needs a CUDA device.
    """

    data: Annotated[Literal["mnist"], Setting()] = "mnist"
    steps: Annotated[int, Bounds(ge=1, lt=2**31), Setting()]
    batch_size: Annotated[int, Bounds(ge=2, le=60000), Setting()]
    z_dim: Annotated[Width, Setting()] = 100
    betas: Annotated[tuple[Share, Share], Setting(columns=("beta1", "beta2"))] = (0.5, 0.999)
    dropout_rate: Annotated[float, Bounds(gt=0, lt=1), Setting()] = 0.5
    precision: Annotated[Precision, Setting(implied="float32")] = "float32"


@dataclass(frozen=True, kw_only=True)
class GanScoring(ScoredSteps):
    """How a trained trial is scored; part of a score's identity, not of the trial's.

    Attributes:
        n_samples: generated images per score.
        z_seed: seed of the noise that they are generated from.
    """

    n_samples: Annotated[int, Bounds(ge=500, le=1_000_000, multiple_of=500), Setting()] = 10000
    z_seed: Annotated[Seed, Setting()] = 0


STUCK = 0.005  # mean change of a pixel, from -1 to 1, below which images count as the same
_MOVEMENT = "mean absolute change of a pixel since the trial was scored before, same noise; NULL the first time"
_ENERGIES = "mean energy of {} images; NULL for GANs"
MNIST_GAN = Experiment(
    name="mnist_gan",
    title="GANs and energy-based GANs on MNIST (Zhao, Mathieu and LeCun, 2016)",
    families=(
        Family("gan", "GAN", "logit"),
        Family("ebgan", "EBGAN", "autoencoder"),
        Family("ebgan_pt", "EBGAN-PT", "autoencoder"),
    ),
    settings=GanSettings,
    training=GanTraining,
    scoring=GanScoring,
    scores=(
        Score("score", "I\N{PRIME}, nats", worst=0.0, meaning="I' in nats; NULL where it is not finite"),
        Score("inception_score", "inception score", worst=1.0),
        Score("coverage", "classes seen", worst=0.0, whole=True, meaning="classes seen among the samples"),
        Score("entropy", "entropy of p(y), nats", worst=0.0, meaning="entropy of p(y), nats"),
        Score(
            "frechet",
            "Fr\N{LATIN SMALL LETTER E WITH ACUTE}chet distance",
            higher_is_better=False,
            meaning="Frechet distance to the test set on the classifier's features",
        ),
        Score("d_loss", "loss of D", None, meaning="the discriminator's loss; V in the theory of EBGANs"),
        Score("energy_real", "energy of real images", None, meaning=_ENERGIES.format("training")),
        Score("energy_fake", "energy of generated images", None, meaning=_ENERGIES.format("generated")),
        Score("movement", "change of the images", None, meaning=_MOVEMENT),
    ),
    marks=(
        Mark(
            "discriminator constant",
            "d_loss",
            above=2 * math.log(2) - 0.01,
            below=2 * math.log(2) + 0.01,
            families=("gan",),
            meaning="The discriminator's loss is that of one which gives every image the same answer.",
        ),
        Mark(
            "generator stuck",
            "movement",
            below=STUCK,
            meaning="The images hardly changed since the trial was scored before.",
        ),
        Mark(
            "fewer than 5 classes",
            "coverage",
            below=5,
            meaning="The classifier finds fewer than 5 of the 10 digits among the images.",
        ),
    ),
    references=(
        Reference("untrained generators, highest of 48", {"strided": 0.0, "tanh": 0.603, "pooled": 0.060}),
        Reference("one image, many times", {"strided": 0.0, "tanh": 0.0, "pooled": 0.0}),
    ),
    # The MLPs apply dropout to runs of members and an optimizer to runs of equal settings; the generator holds most
    # weights.
    neighbours=("norm_d", "dropout_d", "optim_g", "lr", "optim_d", "family", "margin", "seed", "pt_weight"),
    shape_form="{n_layer_g}x{size_g} against {n_layer_d}x{size_d}",
    recipe="sweep.worker.recipes.mnist_gan:RECIPE",
    cost="sweep.planning.costs.mnist_gan",
    identity="metrics.identity:classifier_identities",
    prepare="data.mnist.dataset:ensure_mnist",
)
