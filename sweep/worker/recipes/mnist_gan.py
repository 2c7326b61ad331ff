"""The recipe of fully connected GANs and EBGANs on MNIST, which are scored by the classifier."""

from collections.abc import Iterator
from functools import lru_cache

import torch
from torch import Tensor

from data.sample_sheet import sheet
from data.tensors import load_mnist, scale
from metrics.scorer import Scorer
from models.draws import stream
from models.mlp.architecture import Architecture, Member, TrainingConfig
from models.mlp.training import CohortTraining
from models.precision import fp32_precision
from search_spaces.experiments.mnist_gan import GanScoring
from sweep.planning.cohorts import Cohort
from sweep.planning.costs.mnist_gan import SCORING_BATCH, SHEET_IMAGES
from sweep.worker.evaluation import Evaluation
from sweep.worker.recipes import Recipe

N_LOSS_SAMPLES = 1024  # real images, and as many generated ones, on which losses of discriminators are evaluated
_LOADERS = {"mnist": load_mnist}  # by the names of data sets


class MnistGanRecipe:
    """The recipe of the experiment `mnist_gan`."""

    def start(self, cohort: Cohort, device: torch.device) -> CohortTraining:
        return new_training(cohort, _training_images(cohort.trials[0].training.data, device))

    def evaluate(self, training: CohortTraining, cohort: Cohort, device: torch.device) -> Evaluation:
        return evaluate(training, cohort.trials[0].scoring, device)


RECIPE: Recipe[CohortTraining] = MnistGanRecipe()


def new_training(cohort: Cohort, images: Tensor) -> CohortTraining:
    """The training of a cohort, from its trials' settings, on images [n, pixels] in [-1, 1]."""
    first = cohort.trials[0]
    shared = first.training
    architecture = Architecture(
        discriminator="logit" if first.network == "logit" else "autoencoder",
        n_layer_g=first.settings.n_layer_g,
        n_layer_d=first.settings.n_layer_d,
        size_g=first.settings.size_g,
        size_d=first.settings.size_d,
        z_dim=shared.z_dim,
        pixels=images.shape[1],
    )
    members = [
        Member(s.lr, s.optim_g, s.optim_d, s.dropout_d, s.seed, s.margin, s.pt_weight or 0.0, s.norm_d == "joint")
        for s in (trial.settings for trial in cohort.trials)
    ]
    beta1, beta2 = shared.betas
    config = TrainingConfig(shared.steps, shared.batch_size, beta1, beta2, shared.dropout_rate)
    return CohortTraining(architecture, members, config, images)


def evaluate(training: CohortTraining, scoring: GanScoring, device: torch.device) -> Evaluation:
    """Scores, losses and sample images of every member.

    All trials are given the same z, which depends on the scoring settings and not on the training. Evaluation runs in
    float32, whatever the precision of training.
    """
    z_stream = stream(scoring.z_seed, "score", device)
    z = torch.randn(scoring.n_samples, training.architecture.z_dim, generator=z_stream, device=device)
    first: list[Tensor] = []  # images for the sample sheets, [K, 96, pixels]
    movement: list[Tensor] = []

    def images() -> Iterator[Tensor]:
        for batch in z.split(SCORING_BATCH):
            generated = training.generate(batch)
            if not first:
                first.append(generated[:SHEET_IMAGES].transpose(0, 1).nan_to_num(-1).cpu())
                movement.append(training.movement(generated))
            yield generated.transpose(0, 1)

    with fp32_precision("float32"):
        ranking, *others = _scorer(device).score(images())
        game = training.evaluate_losses(z[:N_LOSS_SAMPLES]) | {"movement": movement[0]}
    return Evaluation([ranking | game, *others], lambda: [sheet(member.numpy()) for member in first[0]])


@lru_cache(maxsize=1)
def _scorer(device: torch.device) -> Scorer:
    return Scorer(device)


@lru_cache(maxsize=1)
def _training_images(data: str, device: torch.device) -> Tensor:
    """The training set of this name on the device, [n, pixels] in [-1, 1]; only the last one stays in memory."""
    images, _ = _LOADERS[data]("train")
    return scale(images).flatten(1).to(device)
