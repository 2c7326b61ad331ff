"""`cohort`: what a sweep runs. `sweep.planning.cohorts` stacks trials, `models.mlp.training` trains them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from search_spaces.trial import Trial
from sweep.planning.cohorts import partition
from sweep.worker.recipes.mnist_gan import new_training


class CohortBaseline:
    """Cohorts of the cells, trained one after the other if memory does not hold them all."""

    def __init__(self, cells: Sequence[Trial], images: Tensor, memory: int = 2**62) -> None:
        cohorts = partition(cells, memory, images.device.type)
        self._cells = [trial for cohort in cohorts for trial in cohort.trials]
        self._given = list(cells)
        self.trainings = [new_training(cohort, images) for cohort in cohorts]

    def run(self, steps: int) -> None:
        """Train every cohort, each for all the steps before the next one starts."""
        for training in self.trainings:
            for _ in range(steps):
                training.step()

    def generate(self, z: Tensor) -> Tensor:
        """Images [N, K, pixels] from z [N, z_dim], in the order in which the cells were given."""
        images = torch.cat([training.generate(z) for training in self.trainings], 1)
        back = [self._cells.index(cell) for cell in self._given]
        return images[:, torch.tensor(back, device=images.device)]
