"""Score identity: the facts that two scores must share before they may be compared."""

from dataclasses import dataclass

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
