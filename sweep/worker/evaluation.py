"""What a cohort is worth at some moment of its training: scores, losses and images of every member.

Nothing here changes the training; its draws are its own.
"""

from collections.abc import Iterator
from functools import lru_cache

import torch
from torch import Tensor

from metrics.classifier_card import classifier_card
from metrics.identity import FORMULA, ScoreIdentity
from metrics.scorer import LABEL_SCORES, Scorer
from models.draws import stream
from models.mlp.training import CohortTraining
from models.precision import fp32_precision
from search_spaces.trial import Scoring
from sweep.planning.cost import SCORING_BATCH, SHEET_IMAGES

JUDGED = 1024  # images, real and generated, that the discriminators are asked about

Scores = dict[str, list[float]]  # columns of the table `scores`, each with a value a member
NAMES = {*LABEL_SCORES, "frechet", "d_loss", "energy_real", "energy_fake"}  # of these columns


def score_identity(scoring: Scoring) -> ScoreIdentity:
    """What the scores that this code would give now are called."""
    return ScoreIdentity(FORMULA, classifier_card().sha256, scoring.n_samples, scoring.z_seed)


def scored_steps(steps: int, times: int) -> frozenset[int]:
    """After which updates of so many a trial is scored: evenly spaced, the last one among them."""
    return frozenset(steps * i // times for i in range(1, times + 1)) - {0}


def score(training: CohortTraining, scoring: Scoring, device: torch.device) -> tuple[Scores, Tensor]:
    """Scores of every member, and its first images [K, 96, pixels], from the same noise for all trials.

    In float32 whatever the precision of training.
    """
    noise = stream(scoring.z_seed, "score", device)
    z = torch.randn(scoring.n_samples, training.architecture.z_dim, generator=noise, device=device)
    first: list[Tensor] = []

    def images() -> Iterator[Tensor]:
        for batch in z.split(SCORING_BATCH):
            generated = training.generate(batch).transpose(0, 1)
            if not first:
                first.append(generated[:, :SHEET_IMAGES].nan_to_num(-1).cpu())
            yield generated

    with fp32_precision("float32"):
        scores = _scorer(device).score(images()) | training.evaluate_losses(z[:JUDGED])
    return {name: values.tolist() for name, values in scores.items()}, first[0]


@lru_cache(maxsize=1)
def _scorer(device: torch.device) -> Scorer:
    return Scorer(device)
