"""Tensors of MNIST: padding, types and the two ranges of a pixel."""

from pathlib import Path

import numpy as np
import pytest
import torch
from made_mnist import Digits

from data.tensors import IMAGE_SIZE, load_mnist, scale


def test_pads_with_two_zeros_on_each_side(tmp_path: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEEP_DATA", str(digits.save(tmp_path, gzipped=False)))
    images, labels = load_mnist("train")
    original = digits.arrays[digits.files[0].name]
    assert images.shape == (6, IMAGE_SIZE, IMAGE_SIZE) == (6, 32, 32)
    assert images.dtype == torch.uint8
    np.testing.assert_array_equal(images.numpy(), np.pad(original, ((0, 0), (2, 2), (2, 2))))
    assert labels.dtype == torch.int64
    np.testing.assert_array_equal(labels.numpy(), digits.arrays[digits.files[1].name])


def test_padding_is_black_after_scaling(tmp_path: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEEP_DATA", str(digits.save(tmp_path, gzipped=False)))
    scaled = scale(load_mnist("test")[0])
    assert (scaled[:, :2] == -1).all()
    assert (scaled[:, :, -2:] == -1).all()
    assert (scaled[:, 2:-2, 2:-2] > -1).any()


def test_scale_maps_bytes_onto_minus_one_to_one() -> None:
    scaled = scale(torch.tensor([0, 51, 102, 255], dtype=torch.uint8))
    assert scaled.dtype == torch.float32
    assert torch.allclose(scaled, torch.tensor([-1.0, -0.6, -0.2, 1.0]))
    assert scaled[0] == -1
    assert scaled[-1] == 1


def test_the_real_splits(real_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEEP_DATA", str(real_folder))
    images, labels = load_mnist("train")
    assert images.shape == (60_000, 32, 32)
    assert labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert torch.bincount(labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert round(images[:, 2:-2, 2:-2].double().mean().item() / 255, 4) == 0.1307  # the published mean
    test_images, test_labels = load_mnist("test")
    assert test_images.shape == (10_000, 32, 32)
    assert test_labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
