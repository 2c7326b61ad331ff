"""I' and the inception score: values computed by hand, and torch-fidelity as an oracle."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from metrics.inception_score import inception_score, reversed_inception_score

BOTH = pytest.mark.parametrize("formula", [reversed_inception_score, inception_score])


def confident(labels: Tensor, gap: float) -> Tensor:
    """Logits that are `gap` for the label and 0 for the nine others, [n, 10]."""
    return gap * one_hot(labels, 10).double()


def varied(members: int, images: int) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return 4.0 * torch.randn(members, images, 10, generator=generator)


def test_one_image_repeated_is_worth_nothing() -> None:
    logits = torch.linspace(-6.0, 9.0, 10).expand(400, 10)
    assert reversed_inception_score(logits).item() == pytest.approx(0.0, abs=1e-12)
    assert inception_score(logits).item() == pytest.approx(1.0, abs=1e-12)


def test_undecided_images_are_worth_nothing() -> None:
    logits = torch.randn(300, 1, generator=torch.Generator().manual_seed(1)).expand(300, 10)
    assert reversed_inception_score(logits).item() == pytest.approx(0.0, abs=1e-12)
    assert inception_score(logits).item() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("gap", [2.0, 15.0, 60.0])
def test_ten_classes_in_equal_number(gap: float) -> None:
    # p(y) is 1/10, so I' = -log 10 - mean over classes of log p(y|x), in which one class of ten has the gap.
    likely = gap - math.log(math.exp(gap) + 9.0)
    unlikely = -math.log(math.exp(gap) + 9.0)
    expected = -math.log(10.0) - (likely + 9.0 * unlikely) / 10.0
    information = math.exp(likely) * (likely + math.log(10.0))
    information += 9.0 * math.exp(unlikely) * (unlikely + math.log(10.0))
    logits = confident(torch.arange(1000) % 10, gap)
    assert reversed_inception_score(logits).item() == pytest.approx(expected, rel=1e-12)
    assert inception_score(logits).item() == pytest.approx(math.exp(information), rel=1e-12)


def test_ten_certain_classes_reach_ten() -> None:
    logits = confident(torch.arange(1000) % 10, 60.0)
    assert inception_score(logits).item() == pytest.approx(10.0, rel=1e-12)
    # Nine tenths of the gap, less log 10: in nats, not squared, not exponentiated, not divided by 10.
    assert reversed_inception_score(logits).item() == pytest.approx(54.0 - math.log(10.0), rel=1e-12)


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_two_classes_in_closed_form(share: float) -> None:
    # Two labels, q = 0.9 sure of the right one: p(y) = (r, 1 - r), r = share q + (1 - share)(1 - q).
    q, n = 0.9, 1000
    first = torch.arange(n) < share * n
    logits = torch.full((n, 10), -1000.0, dtype=torch.float64)
    logits[first, :2] = torch.tensor([q, 1.0 - q], dtype=torch.float64).log()
    logits[~first, :2] = torch.tensor([1.0 - q, q], dtype=torch.float64).log()
    r = share * q + (1.0 - share) * (1.0 - q)

    def divergence(p: float, other: float) -> float:
        return p * math.log(p / other) + (1.0 - p) * math.log((1.0 - p) / (1.0 - other))

    expected = share * divergence(r, q) + (1.0 - share) * divergence(r, 1.0 - q)
    usual = math.exp(share * divergence(q, r) + (1.0 - share) * divergence(1.0 - q, r))
    assert reversed_inception_score(logits).item() == pytest.approx(expected, rel=1e-12)
    assert inception_score(logits).item() == pytest.approx(usual, rel=1e-12)


def test_vanished_class_adds_nothing() -> None:
    # Class 9 has p(y|x) = exp(-2000) = 0 in float64: it must neither break the sum nor count in it.
    logits = confident(torch.arange(900) % 9, 20.0)
    logits[:, 9] = -2000.0
    nine = logits[:, :9]
    assert logits.log_softmax(1).exp()[:, 9].max() == 0.0
    for formula in (reversed_inception_score, inception_score):
        assert formula(logits).item() == pytest.approx(formula(nine).item(), rel=1e-12)
    assert reversed_inception_score(nine).item() == pytest.approx(20.0 * 8.0 / 9.0 - math.log(9.0), rel=1e-6)


def test_low_probabilities_are_not_clamped() -> None:
    labels = torch.arange(100) % 10
    scores = [reversed_inception_score(confident(labels, gap)).item() for gap in (50.0, 100.0, 600.0)]
    assert scores == pytest.approx([0.9 * gap - math.log(10.0) for gap in (50.0, 100.0, 600.0)], rel=1e-12)


def test_float32_logits_are_scored_in_float64() -> None:
    logits = varied(1, 500)[0]
    assert logits.dtype == torch.float32
    for formula in (reversed_inception_score, inception_score):
        score = formula(logits)
        assert score.dtype == torch.float64
        assert score.item() == formula(logits.double()).item()


@BOTH
def test_collapse_lowers_the_score(formula) -> None:
    def score(classes: int) -> float:
        return formula(confident(torch.arange(2520) % classes, 12.0)).item()

    assert score(10) > score(5) > score(2) > score(1)
    assert score(10) > score(1) + 1.0


@BOTH
def test_batches_equal_members_alone(formula) -> None:
    logits = varied(6, 300)
    together = formula(logits)
    assert together.shape == (6,)
    assert formula(logits.unflatten(0, (2, 3))).shape == (2, 3)
    alone = [formula(member).item() for member in logits]
    assert together.tolist() == pytest.approx(alone, rel=1e-13)
    assert len({round(value, 6) for value in alone}) == 6


@pytest.mark.parametrize("scale", [0.3, 3.0, 12.0])
def test_inception_score_equals_torch_fidelity(fidelity, scale: float) -> None:
    oracle = fidelity("metric_isc").isc_features_to_metric
    logits = scale * varied(1, 700)[0]
    expected = oracle(logits, splits=1, shuffle=False)["inception_score_mean"]
    assert inception_score(logits).item() == pytest.approx(expected, rel=1e-12)
    assert 1.0 < expected < 10.0
