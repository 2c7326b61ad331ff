"""A worker in this process: what it sends back, and what it does when memory, numbers or code fail."""

import io
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from made_trials import trial, trials
from PIL import Image

from metrics.classifier_card import CLASSIFIERS, classifier_card
from metrics.identity import classifier_identities
from metrics.scorer import LABEL_SCORES, Scorer
from models.mlp.training import CohortTraining
from models.precision import fp32_precision
from search_spaces.experiments.mnist_gan import MNIST_GAN, GanScoring, GanTraining
from search_spaces.scored_steps import scored_steps
from search_spaces.trial import Trial
from sweep.planning.cohorts import Cohort
from sweep.records import Record
from sweep.storage import tables
from sweep.worker import train
from sweep.worker.recipes import mnist_gan, recipe_of
from sweep.worker.recipes.mnist_gan import RECIPE, new_training
from sweep.worker.train import CohortProgress, run_cohort


def run(members: Sequence[Trial]) -> list[Record]:
    records = run_cohort(Cohort(tuple(members)))
    assert [record.trial_id for record in records] == [member.trial_id for member in members]
    return records


def values(record: Record) -> list[float]:
    return values_at(record, record.step)


def values_at(record: Record, step: int) -> list[float]:
    """Every score of a step, by one classifier after the other."""
    found = [value for by_step in record.scores.values() for value in by_step[step].values()]
    assert found
    return [value for value in found if not math.isnan(value)]


def without_movement(record: Record, step: int) -> list[list[float]]:
    """Every score of a step but the one that says how the images changed since the step that was scored before."""
    by_classifier = [by_step[step].items() for by_step in record.scores.values()]
    return [[value for name, value in found if name != "movement" and value == value] for found in by_classifier]


def steps(record: Record) -> list[set[int]]:
    """The steps with scores, by one classifier after the other."""
    return [set(by_step) for by_step in record.scores.values()]


@pytest.mark.parametrize("family", ["gan", "ebgan", "ebgan_pt"])
def test_every_member_comes_back_with_its_score_and_sheet(family: str) -> None:
    members = trials(3, family=family)
    for record in run(members):
        assert (record.state, record.step, record.error) == ("COMPLETE", 3, None)
        assert tuple(record.scores) == classifier_identities(members[0].scoring)
        assert [one.classifier for one in record.scores] == [classifier_card(name).sha256 for name in CLASSIFIERS]
        assert {one.n_samples for one in record.scores} == {500}
        first, *others = (by_step[3] for by_step in record.scores.values())
        assert tuple(first) == tuple(score.name for score in MNIST_GAN.scores)
        assert set(first).issubset(tables.scores.columns.keys())
        without = {name for name, value in first.items() if math.isnan(value)}
        assert without == ({"energy_real", "energy_fake", "movement"} if family == "gan" else {"movement"})
        assert first["d_loss"] > 0
        assert [set(other) for other in others] == [set(LABEL_SCORES) | {"frechet"}] * 2
        for found in (first, *others):
            assert found["score"] >= 0
            assert 1 <= found["inception_score"] <= 10
            assert 1 <= found["coverage"] <= 10
        assert record.duration_s is not None
        assert 0 < record.duration_s < 60
        assert record.device
        assert record.sheet is not None
        assert Image.open(io.BytesIO(record.sheet)).size == (12 * 32, 8 * 32)


def test_the_same_cohort_gives_the_same_scores_and_another_seed_others() -> None:
    first, again, other = (run([trial(seed=seed)])[0] for seed in (0, 0, 1))
    assert values(first) == values(again)
    assert first.sheet == again.sheet
    assert values(first) != values(other)


@pytest.mark.parametrize(
    ("steps", "times", "expected"),
    [(8, 1, {8}), (8, 4, {2, 4, 6, 8}), (10, 4, {2, 5, 7, 10}), (2, 4, {1, 2}), (3, 5, {1, 2, 3}), (1, 100, {1})],
)
def test_evaluation_steps_are_even_and_end_with_the_last(steps: int, times: int, expected: set[int]) -> None:
    assert scored_steps(GanTraining(steps=steps, batch_size=8), GanScoring(times=times)) == expected


@pytest.mark.parametrize("family", ["gan", pytest.param("ebgan_pt", marks=pytest.mark.slow)])
def test_intermediate_evaluations_leave_the_training_alone(family: str) -> None:
    members = trials(2, family=family, steps=8, dropout_d=True)
    often = [replace(m, scoring=replace(m.scoring, times=4)) for m in members]
    assert [m.trial_id for m in often] == [m.trial_id for m in members]
    for once, more in zip(run(members), run(often), strict=True):
        assert (without_movement(once, 8), once.sheet) == (without_movement(more, 8), more.sheet)
        assert (steps(once), steps(more)) == ([{8}] * 3, [{2, 4, 6, 8}] * 3)
    shorter = run([m.changed(steps=4) for m in members])
    for short, more in zip(shorter, run(often), strict=True):
        assert without_movement(short, 4) == without_movement(more, 4)


def test_scores_from_before_a_member_explodes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    original = CohortTraining.step

    def explodes(self: CohortTraining) -> None:
        original(self)
        if self.steps_done == 5:
            for weight in self.generator.tensors():
                weight[0] = torch.nan

    monkeypatch.setattr(CohortTraining, "step", explodes)
    bad, good = run([replace(m, scoring=replace(m.scoring, times=4)) for m in trials(2, steps=8)])
    assert (bad.state, steps(bad)) == ("DIVERGED", [{2, 4}] * 3)
    assert (good.state, steps(good)) == ("COMPLETE", [{2, 4, 6, 8}] * 3)


def test_a_long_cohort_reports_its_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "PROGRESS_S", 0.0)
    reported: list[CohortProgress] = []
    run_cohort(Cohort(tuple(trials(2, steps=5))), report=reported.append)
    assert reported == [CohortProgress(2 * step, 10) for step in range(1, 6)]


class OutOfMemory:
    """Stands before `new_training` and lets only cohorts pass that are small enough."""

    def __init__(self, most: int) -> None:
        self.most, self.sizes = most, list[int]()
        self._new_training = mnist_gan.new_training

    def __call__(self, cohort: Cohort, images: torch.Tensor) -> CohortTraining:
        self.sizes.append(len(cohort.trials))
        if len(cohort.trials) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self._new_training(cohort, images)


def test_out_of_memory_halves_the_cohort_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(trials(5))
    memory = OutOfMemory(most=2)
    monkeypatch.setattr(mnist_gan, "new_training", memory)
    records = run(trials(5))
    assert memory.sizes == [5, 2, 3, 1, 2]
    assert [record.state for record in records] == ["COMPLETE"] * 5
    for halved, together in zip(records, whole, strict=True):
        assert values(halved) == pytest.approx(values(together), rel=1e-3)


def test_one_trial_that_does_not_fit_fails_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = OutOfMemory(most=0)
    monkeypatch.setattr(mnist_gan, "new_training", memory)
    records = run(trials(2))
    assert memory.sizes == [2, 1, 1]
    assert [record.state for record in records] == ["FAILED", "FAILED"]
    assert all("CUDA out of memory" in str(record.error) for record in records)
    assert all(record.reason == "memory" for record in records)


def test_an_error_in_the_code_fails_the_cohort_with_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def step(self: CohortTraining) -> None:
        raise ZeroDivisionError("a slip of the pen")

    monkeypatch.setattr(CohortTraining, "step", step)
    for record in run(trials(3)):
        assert (record.state, record.scores, record.sheet, record.identity) == ("FAILED", {}, None, None)
        assert record.error is not None
        assert record.error.startswith("Traceback (most recent call last):")
        assert record.error.endswith("ZeroDivisionError: a slip of the pen\n")
        assert "test_worker.py" in record.error


class Faulty:
    """Stands in for new_training; raises where one of these members is in the cohort."""

    def __init__(self, bad: Sequence[int]) -> None:
        self.bad, self.sizes = bad, []

    def __call__(self, cohort: Cohort, images: torch.Tensor) -> CohortTraining:
        self.sizes.append(len(cohort.trials))
        if any(t.settings.seed in self.bad for t in cohort.trials):
            raise ValueError("a bad member")
        return new_training(cohort, images)


@pytest.mark.parametrize("bad", [0, 2, 7])
def test_an_error_of_one_member_leaves_its_neighbours_alone(monkeypatch: pytest.MonkeyPatch, bad: int) -> None:
    monkeypatch.setattr(mnist_gan, "new_training", Faulty([bad]))
    records = run(trials(8))
    assert [record.state for record in records] == ["FAILED" if i == bad else "COMPLETE" for i in range(8)]
    assert records[bad].reason == "error"


def test_an_error_of_all_members_is_not_looked_for_in_each(monkeypatch: pytest.MonkeyPatch) -> None:
    faulty = Faulty(range(16))
    monkeypatch.setattr(mnist_gan, "new_training", faulty)
    records = run(trials(16))
    assert [record.state for record in records] == ["FAILED"] * 16
    assert faulty.sizes == [16, 8, 4, 2, 1, 1]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("settings", [{"family": "gan"}, {"family": "ebgan"}], ids=lambda s: s["family"])
def test_a_member_that_explodes_leaves_its_neighbours_alone(settings: dict[str, Any], place: int) -> None:
    good = [trial(seed=seed, optim_g="sgd", optim_d="sgd", **settings) for seed in (0, 1)]
    bad = trial(seed=2, optim_g="sgd", optim_d="sgd", lr=1e38, **settings)
    alone = run(good)
    members = [*good[:place], bad, *good[place:]]
    records = dict(zip(members, run(members), strict=True))
    assert records[bad].state == "DIVERGED"
    assert steps(records[bad]) == [set()] * 3
    assert records[bad].error is None
    assert records[bad].sheet is not None
    for member, before in zip(good, alone, strict=True):
        assert records[member].state == "COMPLETE"
        assert values(records[member]) == pytest.approx(values(before), rel=1e-4)


def _switches() -> tuple[str, str]:
    return torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision


@pytest.mark.parametrize("precision", ["float32", "tf32"])
def test_switches_of_precision_are_as_before_after_an_evaluation(precision: str) -> None:
    """Otherwise whatever trains after the first evaluation would change in precision and speed."""
    members = [replace(m, training=replace(m.training, precision=precision)) for m in trials(2)]
    cohort, device = Cohort(tuple(members)), torch.device("cpu")
    training = RECIPE.start(cohort, device)
    with fp32_precision(precision):
        before = _switches()
        RECIPE.evaluate(training, cohort, device)
        assert _switches() == before
    before = _switches()
    run(members)
    assert _switches() == before


def test_an_evaluation_is_in_float32_whatever_the_precision_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    original = Scorer.score

    def score(self: Scorer, images: Any) -> list[dict[str, torch.Tensor]]:
        seen.append(_switches())
        return original(self, images)

    monkeypatch.setattr(Scorer, "score", score)
    run([replace(m, training=replace(m.training, precision="tf32")) for m in trials(2)])
    assert seen == [("ieee", "ieee")]


def test_training_images_are_those_of_the_data_set_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []

    def loader(name: str, grey: int) -> Any:
        def load(split: str) -> tuple[torch.Tensor, None]:
            loads.append(f"{name} {split}")
            return torch.full((3, 4, 4), grey, dtype=torch.uint8), None

        return load

    mnist_gan._training_images.cache_clear()
    monkeypatch.setattr(mnist_gan, "_LOADERS", {"dark": loader("dark", 0), "bright": loader("bright", 255)})
    cpu = torch.device("cpu")
    try:
        images = [mnist_gan._training_images(name, cpu) for name in ("dark", "dark", "bright")]
        assert [(tuple(i.shape), i.unique().tolist()) for i in images] == [((3, 16), [v]) for v in (-1, -1, 1)]
        assert loads == ["dark train", "bright train"]
        assert mnist_gan._training_images("bright", torch.device("meta")).is_meta
    finally:
        mnist_gan._training_images.cache_clear()


def test_an_error_of_the_reader_of_progress_ends_the_cohort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "PROGRESS_S", 0.0)
    steps: list[int] = []

    def report(progress: CohortProgress) -> None:
        steps.append(progress.member_steps)
        raise ConnectionError("nobody listens")

    before = _switches()
    with pytest.raises(ConnectionError, match="nobody listens"):
        run_cohort(Cohort(tuple(trials(2, steps=5))), report=report)
    assert (steps, _switches()) == ([2], before)


def test_the_recipe_of_a_cohort_is_that_of_its_experiment_and_gives_its_scores() -> None:
    cohort, device = Cohort(tuple(trials(2))), torch.device("cpu")
    recipe = recipe_of(cohort)
    assert recipe is RECIPE
    evaluation = recipe.evaluate(recipe.start(cohort, device), cohort, device)
    assert list(evaluation.scores[0]) == [score.name for score in cohort.trials[0].kind.scores]
    assert {tuple(values.shape) for scores in evaluation.scores for values in scores.values()} == {(2,)}
    assert [png[:4] for png in evaluation.sheets() if png] == [b"\x89PNG"] * 2
