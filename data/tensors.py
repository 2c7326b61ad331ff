"""MNIST as tensors, and the two ranges of a pixel: bytes in [0, 255] and model values in [-1, 1]."""

import numpy as np
import torch
from torch import Tensor

from data.mnist.dataset import load_arrays
from data.mnist.idx import Split

IMAGE_SIZE = 32  # pixels a side, the models' input size
_PAD = 2


def load_mnist(split: Split) -> tuple[Tensor, Tensor]:
    """A split of MNIST, in the published order.

    Returns:
        Images uint8 [n, 32, 32], the 28x28 digit with 2 zeros on each side, and labels int64 [n].

    Raises:
        DataError: no source of MNIST could deliver, or a file is damaged.
    """
    images, labels = load_arrays(split)
    padded = np.zeros((len(images), IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    padded[:, _PAD:-_PAD, _PAD:-_PAD] = images
    return torch.from_numpy(padded), torch.from_numpy(labels.astype(np.int64))


def scale(images: Tensor) -> Tensor:
    """Bytes to float32 in [-1, 1], any shape: 0 is -1 and 255 is 1. Needs no memory but the result's."""
    return images.to(torch.float32, copy=True).div_(127.5).sub_(1)
