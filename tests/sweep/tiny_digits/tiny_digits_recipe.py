"""How logistic regressions are trained and evaluated, K members at once."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from data.tensors import load_mnist, scale
from sweep.planning.cohorts import Cohort
from sweep.worker.evaluation import Evaluation


class Regressions:
    """K logistic regressions, trained by gradient descent on batches that follow from their seeds."""

    def __init__(self, cohort: Cohort, x: Tensor, y: Tensor) -> None:
        settings = [trial.settings for trial in cohort.trials]
        self.steps_done = 0
        self._x, self._y, self._n = x, y, cohort.trials[0].training.batch_size
        self._lr = torch.tensor([s.lr for s in settings])[:, None, None]
        self._decay = torch.tensor([s.decay for s in settings])[:, None, None]
        self._seeds = [s.seed for s in settings]
        self.weights = torch.zeros(len(settings), x.shape[1], 10)

    def step(self) -> None:
        for k, seed in enumerate(self._seeds):
            draws = torch.Generator().manual_seed(1_000_003 * seed + self.steps_done)
            batch = torch.randint(len(self._x), (self._n,), generator=draws)
            x, y = self._x[batch], self._y[batch]
            wrong = (x @ self.weights[k]).softmax(1) - torch.eye(10)[y]
            gradient = x.T @ wrong / self._n + self._decay[k] * self.weights[k]
            self.weights[k] -= self._lr[k] * gradient
        self.steps_done += 1

    def diverged(self) -> Tensor:
        return ~self.weights.isfinite().all(2).all(1)

    def state(self) -> Mapping[str, Tensor]:
        return {"weights": self.weights}

    def load_state(self, state: Mapping[str, Tensor], steps_done: int) -> None:
        self.weights.copy_(state["weights"])
        self.steps_done = steps_done


class Recipe:
    def start(self, cohort: Cohort, device: torch.device) -> Regressions:
        return Regressions(cohort, *_digits("train", cohort.trials[0].training.n_train, cohort))

    def evaluate(self, training: Regressions, cohort: Cohort, device: torch.device) -> Evaluation:
        x, y = _digits("test", cohort.trials[0].scoring.n_samples, cohort)
        predicted = (x @ training.weights).argmax(2)
        errors = 100 * (predicted != y).float().mean(1)
        errors[training.diverged()] = torch.nan
        return Evaluation([{"test_error": errors}], lambda: [None] * len(errors))


def _digits(split: str, n: int, cohort: Cohort) -> tuple[Tensor, Tensor]:
    images, labels = load_mnist(split)
    small = adaptive_avg_pool2d(scale(images[:n]).reshape(n, 1, 32, 32), cohort.trials[0].settings.side)
    return small.flatten(1), labels[:n].long()


RECIPE = Recipe()
