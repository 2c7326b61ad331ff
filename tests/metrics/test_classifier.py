"""The shipped classifiers: that each is the one its card describes, and that nothing else is accepted."""

import json
import shutil
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
import torch
from torch import Tensor

from metrics.classifier import load_classifier, save_classifier
from metrics.classifier_card import CLASSIFIERS, SHIPPED, ClassifierError, card_file, classifier_card, weights_file
from metrics.classifier_networks import NETWORKS
from metrics.frechet import feature_moments
from metrics.inception_score import inception_score, reversed_inception_score

PARAMETERS = {
    "strided": 16 * 26 + 32 * (16 * 25 + 1) + 10 * 2049,
    "tanh": 32 * 26 + 64 * (32 * 25 + 1) + 200 * 257 + 10 * 201,
    "pooled": 16 * 26 + 32 * (16 * 25 + 1) + 128 * 801 + 10 * 129,
}
FEATURES = {"strided": 32, "tanh": 64, "pooled": 32}


@pytest.fixture(scope="module", params=CLASSIFIERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def observed(name: str, digits: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Features and logits of the 10,000 test digits."""
    return load_classifier(name).features_and_logits(digits[0])


@pytest.fixture
def copied(name: str, tmp_path: Path) -> Path:
    for file in (card_file(name), weights_file(name)):
        shutil.copy(file, tmp_path / file.name)
    return tmp_path


def test_every_network_ships_and_nothing_else() -> None:
    assert {file.name for file in SHIPPED.iterdir()} == {
        file(name).name for name in NETWORKS for file in (card_file, weights_file)
    }
    assert set(CLASSIFIERS) == set(NETWORKS)


def test_accuracy_on_the_test_digits(name: str, observed: tuple[Tensor, Tensor], digits: tuple[Tensor, Tensor]) -> None:
    accuracy = (observed[1].argmax(1) == digits[1]).double().mean().item()
    assert accuracy == pytest.approx(classifier_card(name).test_accuracy, abs=2e-4)  # a tie may turn on rounding
    assert 0.991 <= accuracy < 1.0


def test_card_records_the_scores_of_the_test_digits(name: str, observed: tuple[Tensor, Tensor]) -> None:
    card = classifier_card(name)
    assert reversed_inception_score(observed[1]).item() == pytest.approx(card.real_score, rel=1e-6)
    assert inception_score(observed[1]).item() == pytest.approx(card.real_inception_score, rel=1e-6)
    assert 5.0 < card.real_score < 30.0
    assert 9.5 < card.real_inception_score < 10.0


def test_weights_hold_the_moments_of_the_test_digits(name: str, observed: tuple[Tensor, Tensor]) -> None:
    classifier = load_classifier(name)
    mean, covariance = feature_moments(observed[0])
    torch.testing.assert_close(classifier.feature_mean, mean, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(classifier.feature_covariance, covariance, rtol=1e-4, atol=1e-7)
    assert torch.linalg.eigvalsh(covariance).min() > 1e-6  # full rank: no feature is dead or a copy


def test_size(name: str) -> None:
    classifier = load_classifier(name)
    parameters = sum(parameter.numel() for parameter in classifier.parameters())
    assert parameters == classifier_card(name).parameters == PARAMETERS[name]
    assert 4 * parameters < (weights_file(name)).stat().st_size < 1_000_000


def test_frozen(name: str) -> None:
    classifier = load_classifier(name)
    assert not classifier.training
    assert not any(parameter.requires_grad for parameter in classifier.parameters())
    with pytest.raises(FrozenInstanceError):
        classifier_card(name).real_score = 1.0  # type: ignore[misc]


def test_image_shapes_mean_the_same(name: str, digits: tuple[Tensor, Tensor]) -> None:
    classifier, images = load_classifier(name), digits[0][:300]
    logits = classifier(images)
    assert logits.shape == (300, 10)
    for shape in ((300, 32, 32), (300, 1, 32, 32)):
        features, same = classifier.features_and_logits(images.view(shape))
        assert torch.equal(same, logits)
        assert features.shape == (300, FEATURES[name])
    assert features.min() >= (-1.0 if name == "tanh" else 0.0)


def test_slices_equal_images_alone(name: str, digits: tuple[Tensor, Tensor]) -> None:
    classifier, images = load_classifier(name), digits[0][:131]  # a full slice and three images
    together = classifier(images)
    for chosen in (0, 127, 128, 130):
        torch.testing.assert_close(together[chosen], classifier(images[chosen])[0], rtol=1e-4, atol=1e-4)


def test_saved_classifier_is_read_back(name: str, copied: Path) -> None:
    torch.manual_seed(3)
    fresh = NETWORKS[name]()
    card = json.loads(card_file(name, copied).read_text())
    card["sha256"] = save_classifier(fresh, name, copied)
    card_file(name, copied).write_text(json.dumps(card))
    images = torch.rand(4, 1024)
    found = load_classifier(name, directory=copied)
    torch.testing.assert_close(found(images), fresh(images), rtol=1e-5, atol=1e-5)
    for weights, read in zip(fresh.state_dict().values(), found.state_dict().values(), strict=True):
        assert torch.equal(weights, read)


def test_tampered_weights_are_refused(name: str, copied: Path) -> None:
    load_classifier(name, directory=copied)
    content = bytearray(weights_file(name, copied).read_bytes())
    content[-1] ^= 1
    weights_file(name, copied).write_bytes(content)
    with pytest.raises(ClassifierError, match=f"records {classifier_card(name).sha256}.*train-classifier"):
        load_classifier(name, directory=copied)


def test_missing_files_are_named(name: str, copied: Path) -> None:
    weights_file(name, copied).unlink()
    with pytest.raises(ClassifierError, match=rf"{name}.safetensors is missing.*train-classifier"):
        load_classifier(name, directory=copied)
    card_file(name, copied).unlink()
    with pytest.raises(ClassifierError, match=rf"{name}.json is missing.*train-classifier"):
        load_classifier(name, directory=copied)


def test_card_with_other_keys_is_refused(name: str, copied: Path) -> None:
    card = json.loads(card_file(name, copied).read_text())
    card["real_scores"] = card.pop("real_score")
    card_file(name, copied).write_text(json.dumps(card))
    with pytest.raises(ClassifierError, match=r"real_score.*real_scores"):
        classifier_card(name, copied)


def test_card_and_identity_load_no_torch(name: str) -> None:
    program = (
        "import sys, metrics.identity; from metrics.classifier_card import classifier_card; "
        f"print(classifier_card('{name}').sha256, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [classifier_card(name).sha256, "False"]
