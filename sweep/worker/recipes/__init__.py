"""Recipes: how to start and how to evaluate the training of a cohort, for each experiment.

The process of a worker imports a recipe when the first cohort of its experiment comes.
"""

from pkgutil import resolve_name
from typing import Any, Protocol, TypeVar

import torch

from models.cohort_training import Training
from sweep.planning.cohorts import Cohort
from sweep.worker.evaluation import Evaluation

TrainingT = TypeVar("TrainingT", bound=Training)


class Recipe(Protocol[TrainingT]):
    """How the cohorts of one experiment are trained and evaluated."""

    def start(self, cohort: Cohort, device: torch.device) -> TrainingT:
        """A training of the cohort, before its first update."""
        ...

    def evaluate(self, training: TrainingT, cohort: Cohort, device: torch.device) -> Evaluation:
        """All scores of the experiment at this step. It must not change the training or its random draws."""
        ...


def recipe_of(cohort: Cohort) -> Recipe[Any]:
    """The recipe of the experiment that a cohort belongs to."""
    recipe: Recipe[Any] = resolve_name(cohort.trials[0].kind.recipe)
    return recipe
