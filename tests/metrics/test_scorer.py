"""The scorer: its keys and scale on real digits, members apart, and members gone wrong."""

import math

import pytest
import torch
from torch import Tensor

from metrics.classifier_card import CLASSIFIERS, classifier_card
from metrics.coverage import coverage, label_entropy
from metrics.frechet import feature_moments, frechet_distance
from metrics.inception_score import inception_score, reversed_inception_score
from metrics.scorer import Scorer

KEYS = {"score", "inception_score", "coverage", "entropy", "frechet"}


@pytest.fixture(scope="module")
def cohort(digits: tuple[Tensor, Tensor]) -> Tensor:
    """Four generators of 600 images: digits, digits below 5, one class, noise; [4, 600, 1024]."""
    images, labels = digits
    noise = torch.rand(600, 1024, generator=torch.Generator().manual_seed(2)) * 2.0 - 1.0
    return torch.stack([images[:600], images[labels < 5][:600], images[labels == 3][:600], noise])


@pytest.fixture(scope="module")
def scored(scorer: Scorer, cohort: Tensor) -> list[dict[str, Tensor]]:
    """Scores of the cohort under each classifier."""
    return scorer.score(cohort)


@pytest.fixture(scope="module")
def scored_alone(scorer: Scorer, cohort: Tensor) -> list[list[dict[str, Tensor]]]:
    """The same, of each member alone."""
    return [scorer.score(member[None]) for member in cohort]


@pytest.fixture(scope="module")
def scored_in_halves(scorer: Scorer, cohort: Tensor) -> list[dict[str, Tensor]]:
    return scorer.score(cohort.split(300, dim=1))


@pytest.fixture(scope="module")
def scored_digits(scorer: Scorer, digits: tuple[Tensor, Tensor]) -> list[dict[str, Tensor]]:
    return scorer.score(digits[0][None].split(2500, dim=1))


RANKS = pytest.mark.parametrize("rank", range(len(CLASSIFIERS)), ids=CLASSIFIERS)


@RANKS
def test_real_digits(scored_digits: list[dict[str, Tensor]], rank: int) -> None:
    scores = scored_digits[rank]
    card = classifier_card(CLASSIFIERS[rank])
    assert scores["score"].item() == pytest.approx(card.real_score, rel=1e-6)
    assert scores["inception_score"].item() == pytest.approx(card.real_inception_score, rel=1e-6)
    assert scores["coverage"].item() == 10.0
    assert scores["entropy"].item() == pytest.approx(math.log(10.0), abs=0.01)
    assert scores["frechet"].item() == pytest.approx(0.0, abs=1e-5)


def test_result_is_one_value_per_key_and_member(scored: list[dict[str, Tensor]]) -> None:
    assert [set(scores) for scores in scored] == [KEYS] * len(CLASSIFIERS)
    for values in (values for scores in scored for values in scores.values()):
        assert values.shape == (4,)
        assert values.dtype == torch.float64
        assert not values.requires_grad


@RANKS
def test_scores_are_the_formulas_on_all_images(
    scorer: Scorer, cohort: Tensor, scored: list[dict[str, Tensor]], rank: int
) -> None:
    classifier = scorer.classifiers[rank]
    features, logits = classifier.features_and_logits(cohort[1])
    reference = classifier.feature_mean, classifier.feature_covariance
    scores = {name: values[1].item() for name, values in scored[rank].items()}
    assert scores == pytest.approx(
        {
            "score": reversed_inception_score(logits).item(),
            "inception_score": inception_score(logits).item(),
            "coverage": coverage(logits).item(),
            "entropy": label_entropy(logits).item(),
            "frechet": frechet_distance(*feature_moments(features), *reference).item(),
        },
        rel=1e-5,
    )


@RANKS
def test_ranks_digits_over_collapse_over_noise(scored: list[dict[str, Tensor]], rank: int) -> None:
    scores = scored[rank]
    digits, half, one, noise = ({name: values[member].item() for name, values in scores.items()} for member in range(4))
    assert digits["score"] > one["score"] + 1.0
    assert digits["inception_score"] > half["inception_score"] > one["inception_score"] >= 1.0
    assert digits["coverage"] == 10.0
    assert 5.0 <= half["coverage"] < 10.0  # a single misread digit covers a class
    assert digits["entropy"] > half["entropy"] > one["entropy"] > 0.0
    assert digits["frechet"] < half["frechet"] < one["frechet"]
    assert digits["frechet"] < noise["frechet"]
    assert 0.0 <= noise["score"] < 0.2 * digits["score"]


@RANKS
def test_constant_image_scores_nothing(scorer: Scorer, rank: int) -> None:
    scores = scorer.score(torch.full((1, 500, 1024), -1.0))[rank]
    assert scores["score"].item() == pytest.approx(0.0, abs=1e-6)
    assert scores["inception_score"].item() == pytest.approx(1.0, abs=1e-6)
    assert scores["coverage"].item() == 1.0


@RANKS
def test_cohort_equals_solo(
    scored: list[dict[str, Tensor]], scored_alone: list[list[dict[str, Tensor]]], rank: int
) -> None:
    for member, alone in enumerate(scored_alone):
        for name in KEYS:
            assert scored[rank][name][member].item() == pytest.approx(alone[rank][name].item(), rel=1e-5, abs=1e-6)


def test_generated_batches_equal_all_at_once(scorer: Scorer, cohort: Tensor, scored: list[dict[str, Tensor]]) -> None:
    parts = scorer.score(batch for batch in cohort.split([250, 100, 250], dim=1))
    for part, whole in zip(parts, scored, strict=True):
        for name in KEYS:
            assert part[name].tolist() == pytest.approx(whole[name].tolist(), rel=1e-5, abs=1e-6)


def test_caller_precision_changes_nothing(scorer: Scorer, cohort: Tensor, scored: list[dict[str, Tensor]]) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert all(classifier(cohort[0]).dtype == torch.bfloat16 for classifier in scorer.classifiers)
        mixed = scorer.score(cohort)
    for exact, found in zip(scored, mixed, strict=True):
        assert all(torch.equal(exact[name], found[name]) for name in KEYS)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_nonfinite_pixel_costs_its_member_only(
    scorer: Scorer, cohort: Tensor, scored_in_halves: list[dict[str, Tensor]], bad: float
) -> None:
    damaged = cohort.clone()
    damaged[1, 599, 1023] = bad
    for scores, same in zip(scorer.score(damaged.split(300, dim=1)), scored_in_halves, strict=True):
        for name in KEYS:
            assert scores[name].isnan().tolist() == [False, True, False, False]
            assert scores[name][[0, 2, 3]].tolist() == same[name][[0, 2, 3]].tolist()
            assert same[name].isfinite().all()


@pytest.mark.parametrize("batches", [[], [torch.zeros(3, 1, 1024)]])
def test_too_few_images_are_refused(scorer: Scorer, batches: list[Tensor]) -> None:
    with pytest.raises(ValueError, match="at least two images"):
        scorer.score(batches)
