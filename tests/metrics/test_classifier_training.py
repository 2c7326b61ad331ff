"""Training of the classifier: folding, augmentation, seeds, and the command on a hundred digits."""

import json
import math

import pytest
import torch
from torch import Tensor

import metrics.__main__ as command_line
from metrics.classifier import load_classifier
from metrics.classifier_card import CLASSIFIERS, classifier_card
from metrics.classifier_training import (
    MAX_SHIFT,
    NormedNetwork,
    augment,
    store_reference,
    train_classifier,
    training_network,
)
from metrics.frechet import feature_moments


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_folded_classifier_computes_the_same_function(name: str) -> None:
    torch.manual_seed(0)
    network = training_network(name)
    norms = (network.first_norm, network.second_norm) if isinstance(network, NormedNetwork) else ()
    for norm in norms:  # statistics that folding must not ignore
        norm.running_mean.uniform_(-1.0, 1.0)
        norm.running_var.uniform_(0.2, 3.0)
        torch.nn.init.uniform_(norm.weight, 0.5, 2.0)
        torch.nn.init.uniform_(norm.bias, -1.0, 1.0)
    classifier = network.folded()
    assert network.training and not classifier.training
    images = torch.rand(200, 1, 32, 32) * 2.0 - 1.0
    torch.testing.assert_close(classifier(images), network.eval()(images), rtol=1e-4, atol=1e-4)


def test_augmentation_moves_ink_a_little() -> None:
    torch.manual_seed(1)
    images = torch.full((400, 32, 32), -1.0)
    images[:, 12:20, 12:20] = 1.0
    moved = augment(images)
    assert moved.shape == (400, 1, 32, 32)
    assert moved.min() >= -1.0 and moved.max() <= 1.0
    assert len({tuple(image.flatten().tolist()) for image in moved}) == 400

    ink = (moved[:, 0] + 1.0) / 2.0
    mass, place = ink.sum((1, 2)), torch.arange(32.0) - 15.5
    for axis in (1, 2):
        centre = (ink.sum(axis) * place).sum(1) / mass
        assert 0.8 * MAX_SHIFT < centre.abs().max() < 1.25 * MAX_SHIFT
        assert centre.mean().abs() < 0.3
    assert 64.0 * 0.9**2 * 0.9 < mass.min() < 60.0 and 68.0 < mass.max() < 64.0 / 0.9**2 * 1.1


def test_seed_decides_the_weights() -> None:
    torch.manual_seed(2)
    images, labels = torch.rand(256, 32, 32) * 2.0 - 1.0, torch.arange(256) % 10
    first, same, other = (
        train_classifier("strided", images, labels, epochs=1, seed=seed).state_dict() for seed in (1, 1, 2)
    )
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["second.weight"], other["second.weight"])


def test_reference_is_the_moments_of_the_features(digits: tuple[Tensor, Tensor]) -> None:
    classifier, images = load_classifier("tanh"), digits[0][:200]
    logits = store_reference(classifier, images)
    assert torch.equal(logits, classifier(images))
    mean, covariance = feature_moments(classifier.features_and_logits(images)[0])
    assert torch.equal(classifier.feature_mean, mean)
    assert torch.equal(classifier.feature_covariance, covariance)
    assert "feature_mean" in classifier.state_dict()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_command_writes_a_classifier_that_loads(name: str, tmp_path, monkeypatch, capsys) -> None:
    load = command_line.load_mnist
    monkeypatch.setattr(command_line, "load_mnist", lambda split: tuple(part[:1000] for part in load(split)))
    arguments = [
        "metrics",
        "train-classifier",
        name,
        "--out",
        str(tmp_path / "new"),
        "--epochs",
        "2",
        "--seed",
        "7",
    ]
    monkeypatch.setattr("sys.argv", arguments)
    command_line.main()

    card = classifier_card(name, tmp_path / "new")
    assert load_classifier(name, directory=tmp_path / "new")(torch.zeros(3, 1024)).shape == (3, 10)
    assert (card.epochs, card.seed, card.parameters) == (2, 7, classifier_card(name).parameters)
    assert card.command == f"python -m metrics train-classifier {name} --epochs 2 --seed 7 --threads 1"
    assert 0.1 < card.test_accuracy < 0.97  # a thousand digits teach something, not everything
    assert card.sha256 != classifier_card(name).sha256
    assert 0.0 < card.real_score < classifier_card(name).real_score
    assert 1.0 <= card.real_inception_score <= 10.0 and math.isfinite(card.real_inception_score)
    assert json.loads((tmp_path / "new" / f"{name}.json").read_text())["seed"] == 7

    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["epoch 1/2", "epoch 2/2"]
    assert f"test accuracy {card.test_accuracy:.2%}" in lines[2]


def test_losses_are_reported_and_fall() -> None:
    torch.manual_seed(3)
    images = torch.full((640, 32, 32), -1.0)
    labels = torch.arange(640) % 10
    for row, label in enumerate(labels.tolist()):  # each class a bar at its own height
        images[row, 6 + 2 * label : 8 + 2 * label, 6:26] = 1.0
    losses: list[tuple[int, float]] = []
    train_classifier("pooled", images, labels, epochs=4, seed=1, report=lambda *line: losses.append(line))
    assert [epoch for epoch, _ in losses] == [1, 2, 3, 4]
    assert math.log(10.0) > losses[3][1] > 0.0
    assert losses[0][1] > 2.0 * losses[3][1]
