"""A trial: one configuration with a seed, and the identity under which its result is kept."""

import hashlib
from dataclasses import dataclass, field, fields
from functools import cached_property
from operator import attrgetter
from typing import Literal

Family = Literal["gan", "ebgan", "ebgan_pt"]
Optimizer = Literal["adam", "sgd"]
Precision = Literal["float32", "tf32"]


@dataclass(frozen=True)
class Training:
    """What all trials of a search space share in training.

    Attributes:
        precision: of the matrix products; weights, sums and everything else are float32. TF32 needs a CUDA device.
    """

    data: Literal["mnist"]
    steps: int
    batch_size: int
    z_dim: int
    beta1: float
    beta2: float
    dropout_rate: float
    precision: Precision = "float32"

    @cached_property
    def text(self) -> str:
        """Every setting in a line of its own; the part that all trials of a space have in common in their identity.

        Settings that came later appear only where they differ from what was always done, so identities stay.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.precision == "float32":
            del values["precision"]
        return "\n".join(f"{name}={value!r}" for name, value in values.items())


@dataclass(frozen=True)
class Scoring:
    """How a trained trial is scored; part of a score's identity, not of the trial's.

    Attributes:
        times: how often in training, evenly spaced, the last time at its end. No part of any identity.
    """

    n_samples: int
    z_seed: int
    times: int = field(default=1, repr=False)  # the seeded order of shapes follows from their repr


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
        text = _IDENTITY % (self.family, *axis_values(self), self.training.text)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def shape(self) -> tuple[object, ...]:
        """What trials must have in common to run as one batched program."""
        kind = "logit" if self.family == "gan" else "autoencoder"
        return (kind, *_shape_values(self), self.training, self.scoring)


SHAPE_AXES = ("n_layer_g", "n_layer_d", "size_g", "size_d")
STACKABLE_AXES = ("dropout_d", "optim_g", "optim_d", "lr", "margin", "pt_weight", "seed")
AXES = SHAPE_AXES + STACKABLE_AXES

axis_values = attrgetter(*AXES)  # of a trial, as a tuple
_shape_values = attrgetter(*SHAPE_AXES)
_IDENTITY = "\n".join(["family=%s", *(f"{axis}=%r" for axis in AXES), "%s"])
