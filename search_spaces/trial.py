"""A trial: one configuration with a seed, and the identity under which its result is kept."""

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Literal

Family = Literal["gan", "ebgan", "ebgan_pt"]
Optimizer = Literal["adam", "sgd"]


@dataclass(frozen=True)
class Training:
    """What all trials of a search space share in training."""

    data: Literal["mnist"]
    steps: int
    batch_size: int
    z_dim: int
    beta1: float
    beta2: float
    dropout_rate: float


@dataclass(frozen=True)
class Scoring:
    """How a trained trial is scored; part of a score's identity, not of the trial's."""

    n_samples: int
    z_seed: int


@dataclass(frozen=True)
class Trial:
    """One configuration with a seed.

    Attributes:
        space: name of the search space that declares it; no part of its identity.
        margin, pt_weight: None for GANs, which have neither.
    """

    space: str
    family: Family
    n_layer_g: int
    n_layer_d: int
    size_g: int
    size_d: int
    dropout_d: bool
    optim_g: Optimizer
    optim_d: Optimizer
    lr: float
    margin: float | None
    pt_weight: float | None
    seed: int
    training: Training
    scoring: Scoring

    @cached_property
    def trial_id(self) -> str:
        """16 hexadecimal digits from everything that the trained weights depend on."""
        values = [f"{name}={getattr(self, name)!r}" for name in AXES]
        values += [f"{field.name}={getattr(self.training, field.name)!r}" for field in fields(Training)]
        text = "\n".join([f"family={self.family}", *values])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def shape(self) -> tuple[object, ...]:
        """What trials must have in common to run as one batched program."""
        kind = "logit" if self.family == "gan" else "autoencoder"
        return (kind, *(getattr(self, axis) for axis in SHAPE_AXES), self.training, self.scoring)


SHAPE_AXES = ("n_layer_g", "n_layer_d", "size_g", "size_d")
STACKABLE_AXES = ("dropout_d", "optim_g", "optim_d", "lr", "margin", "pt_weight", "seed")
AXES = SHAPE_AXES + STACKABLE_AXES
