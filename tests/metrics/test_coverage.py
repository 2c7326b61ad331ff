"""Coverage and the entropy of p(y), by hand."""

import math

import pytest
import torch
from torch.nn.functional import one_hot

from metrics.coverage import coverage, label_entropy


@pytest.mark.parametrize("classes", [1, 2, 7, 10])
def test_classes_seen_in_equal_number(classes: int) -> None:
    logits = 80.0 * one_hot(torch.arange(2520) % classes, 10).float()
    assert coverage(logits).item() == classes
    assert label_entropy(logits).item() == pytest.approx(math.log(classes), abs=1e-12)


def test_one_image_in_a_thousand_covers_its_class() -> None:
    labels = torch.zeros(1000, dtype=torch.int64)
    labels[123] = 6
    logits = 80.0 * one_hot(labels, 10).float()
    assert coverage(logits).item() == 2.0
    expected = -0.999 * math.log(0.999) - 0.001 * math.log(0.001)
    assert label_entropy(logits).item() == pytest.approx(expected, rel=1e-12)


def test_second_choices_cover_nothing() -> None:
    logits = torch.tensor([[3.0, 2.9, *[0.0] * 8]]).expand(50, 10)
    assert coverage(logits).item() == 1.0


def test_vanished_classes_leave_the_entropy_finite() -> None:
    logits = torch.full((40, 10), -3000.0)
    logits[:20, 0] = 0.0
    logits[20:, 1] = 0.0
    assert label_entropy(logits).item() == pytest.approx(math.log(2.0), rel=1e-12)


def test_members_are_counted_apart() -> None:
    labels = torch.stack([torch.arange(60) % classes for classes in (1, 3, 10, 4)])
    logits = 80.0 * one_hot(labels, 10).float()
    assert coverage(logits).tolist() == [1.0, 3.0, 10.0, 4.0]
    assert coverage(logits.unflatten(0, (2, 2))).tolist() == [[1.0, 3.0], [10.0, 4.0]]
    assert label_entropy(logits).tolist() == pytest.approx([math.log(n) for n in (1, 3, 10, 4)], abs=1e-12)


def test_nonfinite_logit_leaves_no_coverage() -> None:
    logits = torch.zeros(2, 5, 10)
    logits[0, 3, 2] = torch.nan
    assert coverage(logits).isnan().tolist() == [True, False]
