"""The shipped classifier: that it is the one its card describes, and that nothing else is accepted."""

import json
import shutil
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
import torch
from torch import Tensor

from metrics.classifier import Classifier, classifier_card, load_classifier, save_classifier
from metrics.classifier_card import CARD_NAME, SHIPPED, WEIGHTS_NAME, ClassifierError
from metrics.frechet import feature_moments
from metrics.inception_score import inception_score, reversed_inception_score


@pytest.fixture(scope="module")
def observed(digits: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Features and logits of the 10,000 test digits."""
    return load_classifier().features_and_logits(digits[0])


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for name in (CARD_NAME, WEIGHTS_NAME):
        shutil.copy(SHIPPED / name, tmp_path / name)
    return tmp_path


def test_accuracy_on_the_test_digits(observed: tuple[Tensor, Tensor], digits: tuple[Tensor, Tensor]) -> None:
    accuracy = (observed[1].argmax(1) == digits[1]).double().mean().item()
    assert accuracy == pytest.approx(classifier_card().test_accuracy, abs=2e-4)  # a tie may turn on rounding
    assert 0.992 <= accuracy < 1.0


def test_card_records_the_scores_of_the_test_digits(observed: tuple[Tensor, Tensor]) -> None:
    card = classifier_card()
    assert reversed_inception_score(observed[1]).item() == pytest.approx(card.real_score, rel=1e-6)
    assert inception_score(observed[1]).item() == pytest.approx(card.real_inception_score, rel=1e-6)
    assert 5.0 < card.real_score < 30.0
    assert 9.5 < card.real_inception_score < 10.0


def test_weights_hold_the_moments_of_the_test_digits(observed: tuple[Tensor, Tensor]) -> None:
    classifier = load_classifier()
    mean, covariance = feature_moments(observed[0])
    torch.testing.assert_close(classifier.feature_mean, mean, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(classifier.feature_covariance, covariance, rtol=1e-4, atol=1e-7)
    assert torch.linalg.eigvalsh(covariance).min() > 1e-6  # full rank: no feature is dead or a copy


def test_size() -> None:
    classifier = load_classifier()
    parameters = sum(parameter.numel() for parameter in classifier.parameters())
    assert parameters == classifier_card().parameters == 16 * 26 + 32 * (16 * 25 + 1) + 10 * 2049
    assert 4 * parameters < (SHIPPED / WEIGHTS_NAME).stat().st_size < 1_000_000


def test_frozen() -> None:
    classifier = load_classifier()
    assert not classifier.training
    assert not any(parameter.requires_grad for parameter in classifier.parameters())
    with pytest.raises(FrozenInstanceError):
        classifier_card().real_score = 1.0  # type: ignore[misc]


def test_image_shapes_mean_the_same(digits: tuple[Tensor, Tensor]) -> None:
    classifier, images = load_classifier(), digits[0][:300]
    logits = classifier(images)
    assert logits.shape == (300, 10)
    for shape in ((300, 32, 32), (300, 1, 32, 32)):
        features, same = classifier.features_and_logits(images.view(shape))
        assert torch.equal(same, logits)
        assert features.shape == (300, 32)
    assert features.min() >= 0.0


def test_slices_equal_images_alone(digits: tuple[Tensor, Tensor]) -> None:
    classifier, images = load_classifier(), digits[0][:131]  # a full slice and three images
    together = classifier(images)
    for chosen in (0, 127, 128, 130):
        torch.testing.assert_close(together[chosen], classifier(images[chosen])[0], rtol=1e-4, atol=1e-4)


def test_saved_classifier_is_read_back(copied: Path) -> None:
    torch.manual_seed(3)
    fresh = Classifier()
    card = json.loads((copied / CARD_NAME).read_text())
    card["sha256"] = save_classifier(fresh, copied)
    (copied / CARD_NAME).write_text(json.dumps(card))
    images = torch.rand(4, 1024)
    assert torch.equal(load_classifier(directory=copied)(images), fresh(images))


def test_tampered_weights_are_refused(copied: Path) -> None:
    load_classifier(directory=copied)
    content = bytearray((copied / WEIGHTS_NAME).read_bytes())
    content[-1] ^= 1
    (copied / WEIGHTS_NAME).write_bytes(content)
    with pytest.raises(ClassifierError, match=f"records {classifier_card().sha256}.*train-classifier"):
        load_classifier(directory=copied)


def test_missing_files_are_named(copied: Path) -> None:
    (copied / WEIGHTS_NAME).unlink()
    with pytest.raises(ClassifierError, match=rf"{WEIGHTS_NAME} is missing.*train-classifier"):
        load_classifier(directory=copied)
    (copied / CARD_NAME).unlink()
    with pytest.raises(ClassifierError, match=rf"{CARD_NAME} is missing.*train-classifier"):
        load_classifier(directory=copied)


def test_card_with_other_keys_is_refused(copied: Path) -> None:
    card = json.loads((copied / CARD_NAME).read_text())
    card["real_scores"] = card.pop("real_score")
    (copied / CARD_NAME).write_text(json.dumps(card))
    with pytest.raises(ClassifierError, match=r"real_score.*real_scores"):
        classifier_card(copied)


def test_card_and_identity_load_no_torch() -> None:
    program = (
        "import sys, metrics.identity; from metrics.classifier_card import classifier_card; "
        "print(classifier_card().sha256, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [classifier_card().sha256, "False"]
