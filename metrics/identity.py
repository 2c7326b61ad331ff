"""Score identity: the facts that two scores must share before they may be compared."""

from dataclasses import dataclass, field
from typing import Any

from metrics.classifier_card import CLASSIFIERS, classifier_card

FORMULA = "reversed-kl-nats-v1"  # a new name whenever the same images would score differently


@dataclass(frozen=True)
class Reference:
    """What else is known of a way of scoring. The database keeps it in the row of the identity.

    Attributes:
        network: name of the network that the scores are computed from.
        rank: place among the ways in which a trial is scored; the first, 0, is shown first.
        real_score, real_inception_score: scores of real images, where they mean something.
        classifier_accuracy: share of the test images that the network names correctly.
    """

    network: str = ""
    rank: int = 0
    real_score: float | None = None
    real_inception_score: float | None = None
    classifier_accuracy: float | None = None


@dataclass(frozen=True)
class ScoreIdentity:
    """One way of scoring a generator. The reference is no part of it.

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
    reference: Reference = field(default=Reference(), compare=False)

    @property
    def columns(self) -> dict[str, Any]:
        """The identity as the database holds it."""
        return {name: getattr(self, name) for name in ("formula", "classifier", "n_samples", "z_seed")}


def classifier_identities(scoring: Any) -> tuple[ScoreIdentity, ...]:
    """The identities of the scores that the shipped classifiers give, in the order of their rank.

    Args:
        scoring: settings with `n_samples` and `z_seed`.
    """
    return tuple(_identity(scoring, name, rank) for rank, name in enumerate(CLASSIFIERS))


def _identity(scoring: Any, name: str, rank: int) -> ScoreIdentity:
    card = classifier_card(name)
    real = Reference(name, rank, card.real_score, card.real_inception_score, card.test_accuracy)
    return ScoreIdentity(FORMULA, card.sha256, scoring.n_samples, scoring.z_seed, real)
