"""What trials cost in operations and bytes, before anything runs. Each experiment has a model of its own.

A model is a module that an experiment names as its `cost`. It loads no torch and holds the functions of `CostModel`.
"""

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any, Protocol

from search_spaces.experiment import experiment
from search_spaces.scored_steps import scored_steps
from search_spaces.trial import Trial


class CostModel(Protocol):
    """The cost of the trials of one experiment. Devices are "cpu" or "cuda"."""

    def step_flops(self, trial: Trial) -> int:
        """Floating-point operations of one training step of one member."""

    def scoring_flops(self, trial: Trial) -> int:
        """Floating-point operations of scoring one member once."""

    def cohort_bytes(self, trials: Sequence[Trial], device: str = "cpu") -> int:
        """Peak memory of a worker that trains and scores these trials of one shape."""

    def largest_member_bytes(self, trials: Sequence[Trial], device: str = "cpu") -> int:
        """The most memory that one of these trials of one shape adds to a cohort of them."""

    def shared_bytes(self, trial: Trial, device: str = "cpu") -> int:
        """Memory that a worker takes however many members there are."""

    def disk_bytes(self) -> int:
        """Bytes that a finished trial takes in the database."""


@cache
def _model(name: str) -> CostModel:
    model: Any = import_module(experiment(name).cost)
    return model


def cost_of(trial: Trial) -> CostModel:
    """The model of the experiment that a trial belongs to."""
    return _model(trial.experiment)


def training_flops(trial: Trial) -> int:
    """Floating-point operations of one member's whole training."""
    return cost_of(trial).step_flops(trial) * trial.training.columns["steps"]


def trial_flops(trial: Trial) -> int:
    """Floating-point operations of one member's training and of all its scorings."""
    n_scored = len(scored_steps(trial.training, trial.scoring))
    return training_flops(trial) + n_scored * cost_of(trial).scoring_flops(trial)
