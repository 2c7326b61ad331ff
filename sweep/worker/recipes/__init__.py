"""Recipes: what is special to an experiment in a worker, namely how to start a training and how to evaluate it.

A recipe is imported in the worker's process, when the first cohort of its experiment comes.
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
        """A training of the cohort at its beginning."""
        ...

    def evaluate(self, training: TrainingT, cohort: Cohort, device: torch.device) -> Evaluation:
        """All scores of the experiment, now. The training, its draws included, must stay as it is."""
        ...


def recipe_of(cohort: Cohort) -> Recipe[Any]:
    """The recipe of the experiment that a cohort belongs to."""
    recipe: Recipe[Any] = resolve_name(cohort.trials[0].kind.recipe)
    return recipe
