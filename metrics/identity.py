"""Score identity: the facts that two scores must share before they may be compared."""

from dataclasses import dataclass
from typing import Any

from metrics.classifier_card import classifier_card

FORMULA = "reversed-kl-nats-v1"  # a new name whenever the same images would score differently


@dataclass(frozen=True)
class ScoreIdentity:
    """One way of scoring a generator.

    Attributes:
        formula: name of the formula and of its unit, see `FORMULA`.
        classifier: SHA-256 of the classifier's file, 64 hexadecimal digits.
        n_samples: generated images per score.
        z_seed: seed of the noise the images were generated from.
    """

    formula: str
    classifier: str
    n_samples: int
    z_seed: int


@dataclass(frozen=True)
class Reference:
    """The scores of real images under a score identity. The database keeps them in the row of the identity."""

    real_score: float
    real_inception_score: float
    classifier_accuracy: float


def classifier_identity(scoring: Any) -> ScoreIdentity:
    """The identity of the scores that the shipped classifier gives now.

    Args:
        scoring: settings with `n_samples` and `z_seed`.
    """
    return ScoreIdentity(FORMULA, classifier_card().sha256, scoring.n_samples, scoring.z_seed)


def classifier_reference() -> Reference:
    """What the real test digits score by the shipped classifier."""
    card = classifier_card()
    return Reference(card.real_score, card.real_inception_score, card.test_accuracy)
