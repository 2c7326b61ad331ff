"""Recipes: what is special to an experiment in a worker, namely how to start a training and how to evaluate it.

A recipe is imported in the worker's process, when the first cohort of its experiment comes.
"""

from collections.abc import Sequence
from pkgutil import resolve_name
from typing import Any, Protocol, TypeVar

import torch

from models.cohort_training import Training
from sweep.planning.cohorts import Cohort
from sweep.worker.evaluation import Evaluation

TrainingT = TypeVar("TrainingT", bound=Training)
_PLACES = {"mnist_gan": "sweep.worker.recipes.mnist_gan:RECIPE"}  # module:object, by the experiment's name


class Recipe(Protocol[TrainingT]):
    """How the cohorts of one experiment are trained and evaluated.

    Attributes:
        score_names: names of an evaluation's scores; the first one ranks trials.
    """

    @property
    def score_names(self) -> Sequence[str]: ...

    def start(self, cohort: Cohort, device: torch.device) -> TrainingT:
        """A training of the cohort at its beginning."""
        ...

    def evaluate(self, training: TrainingT, cohort: Cohort, device: torch.device) -> Evaluation:
        """What the members are worth now. It must leave the training, its draws included, as it is."""
        ...


def recipe_of(cohort: Cohort) -> Recipe[Any]:
    """The recipe of the experiment that a cohort belongs to."""
    # Simplify once every trial has `experiment`.
    recipe: Recipe[Any] = resolve_name(_PLACES[getattr(cohort.trials[0], "experiment", "mnist_gan")])
    return recipe
