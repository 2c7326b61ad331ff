"""A trial in a cohort gets the weights and scores that it gets alone, through the worker: real shapes, made images."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from models.mlp.training import CohortTraining
from search_spaces.space_file import load_space
from search_spaces.trial import Trial
from sweep.planning.cohorts import Cohort, partition
from sweep.worker.recipes.mnist_gan import evaluate, new_training

STEPS = 50
SHAPE = {"n_layer_g": 2, "n_layer_d": 2, "size_g": 50, "size_d": 16}
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def noise_in_the_precision_of_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker scores in single precision; with this it takes a training in double too."""
    generate = CohortTraining.generate
    monkeypatch.setattr(
        CohortTraining, "generate", lambda self, z: generate(self, z.to(self.generator.parameters.values.dtype))
    )


@pytest.fixture(scope="module")
def images() -> Tensor:
    """200 made images of smooth blobs in [-1, 1], [200, 1024]."""
    torch.set_num_threads(1)
    numbers = torch.Generator().manual_seed(0)
    grid = torch.stack(torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij"))
    centres = 8 + 16 * torch.rand(200, 3, 2, 1, 1, generator=numbers)
    bumps = torch.exp(-(grid - centres).square().sum(2) / 12).sum(1)
    return (2 * bumps.clamp(max=1) - 1).flatten(1)


def _trials(*spaces: str) -> list[Trial]:
    """Every setting of one shape, trained for 50 steps of 32 images and scored on 500."""
    trials = itertools.chain(*(load_space(f"laptop/{space}").trials() for space in spaces))
    return [
        replace(t, training=replace(t.training, steps=STEPS, batch_size=32), scoring=replace(t.scoring, n_samples=500))
        for t in trials
        if all(getattr(t.settings, axis) == value for axis, value in SHAPE.items())
    ]


def _train_and_score(cohort: Cohort, images: Tensor) -> tuple[CohortTraining, dict[str, list[float]], list[bytes]]:
    training = new_training(cohort, images)
    while training.steps_done < training.config.steps:
        training.step()
    evaluation = evaluate(training, cohort.trials[0].scoring, CPU)
    scores = {f"{rank} {name}": found for rank, own in enumerate(evaluation.values()) for name, found in own.items()}
    return training, scores, [png for png in evaluation.sheets() if png]


COHORTS = pytest.mark.parametrize(
    ("spaces", "size"), [(["mnist_gan"], 24), (["mnist_ebgan", "mnist_ebgan_pt"], 4)], ids=["gan", "ebgan and ebgan_pt"]
)


@COHORTS
def test_weights_and_scores_in_double_precision(spaces: list[str], size: int, images: Tensor) -> None:
    (cohort,) = partition(_trials(*spaces), memory=2**33)
    assert len(cohort.trials) == size
    assert {t.settings.dropout_d for t in cohort.trials} == {True, False}
    together, scores, sheets = _train_and_score(cohort, images.double())
    for k, trial in enumerate(cohort.trials):
        alone, expected, (picture,) = _train_and_score(Cohort((trial,)), images.double())
        for ours, theirs in zip(_weights(together), _weights(alone), strict=True):
            torch.testing.assert_close(ours[k : k + 1], theirs, rtol=1e-8, atol=1e-12)
        for name, (value,) in expected.items():
            assert scores[name][k] == pytest.approx(value, rel=1e-8, abs=1e-15, nan_ok=True)
        assert sheets[k] == picture
    assert len(set(scores["0 frechet"])) > size // 2  # the settings matter


@pytest.mark.slow
@COHORTS
def test_scores_in_single_precision(spaces: list[str], size: int, images: Tensor) -> None:
    # Measured: 6e-6 for every score of every member but one. That EBGAN-PT without dropout goes a way of its own,
    # as it does alone when it starts one rounding error away; its distance to the digits differs by 1%.
    (cohort,) = partition(_trials(*spaces), memory=2**33)
    _, scores, _ = _train_and_score(cohort, images)
    errors = []
    for k, trial in enumerate(cohort.trials):
        _, expected, _ = _train_and_score(Cohort((trial,)), images)
        numbers = {name: value for name, (value,) in expected.items() if not math.isnan(value)}
        errors.append(max(abs(scores[n][k] - v) / max(abs(v), 1e-3) for n, v in numbers.items()))
    assert sorted(errors)[size * 3 // 4 - 1] < 5e-5
    assert max(errors) < 0.1


def _weights(training: CohortTraining) -> list[Tensor]:
    return [*training.generator.tensors(), *training.discriminator.tensors()]
