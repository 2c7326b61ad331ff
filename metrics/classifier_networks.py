"""The networks of the classifiers: three kinds, so that a finding does not hang on one of them.

Each is a "regular 3-layer ConvNet" of the sort that Zhao et al. (2016), section 4.1, score with; the paper says no more
of it. Where a network pools, it pools before the activation: both are monotone, so that the values are the same, and
there are fewer of them.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from metrics.classifier import CLASSES, Classifier


class StridedClassifier(Classifier):
    """conv 5x5/2 - ReLU - conv 5x5/2 - ReLU - linear, 0.94 million multiply-adds an image."""

    def __init__(self) -> None:
        super().__init__(features=32)
        self.first = nn.Conv2d(1, 16, kernel_size=5, stride=2, padding=2)
        self.second = nn.Conv2d(16, 32, kernel_size=5, stride=2, padding=2)
        self.head = nn.Linear(32 * 8**2, CLASSES)

    def maps(self, images: Tensor) -> Tensor:
        return self.second(self.first(images).relu_()).relu_()

    def classify(self, maps: Tensor) -> Tensor:
        return self.head(maps.flatten(1))


class TanhClassifier(Classifier):
    """conv 5x5 - tanh - pool 3x3 - conv 5x5 - tanh - pool 2x2 - linear - tanh - linear, 1.96 million multiply-adds.

    The network of Torch7's demo for MNIST (train-on-mnist.lua), which was at hand when the paper was written.
    """

    memory_format = torch.channels_last

    def __init__(self) -> None:
        super().__init__(features=64)
        self.first = nn.Conv2d(1, 32, kernel_size=5)
        self.second = nn.Conv2d(32, 64, kernel_size=5)
        self.hidden = nn.Linear(64 * 2**2, 200)
        self.head = nn.Linear(200, CLASSES)

    def maps(self, images: Tensor) -> Tensor:
        maps = F.max_pool2d(self.first(images), 3).tanh()
        return F.max_pool2d(self.second(maps), 2).tanh()

    def classify(self, maps: Tensor) -> Tensor:
        return self.head(self.hidden(maps.flatten(1)).tanh())


class PooledClassifier(Classifier):
    """conv 5x5 - ReLU - pool 2x2 - conv 5x5 - ReLU - pool 2x2 - linear - ReLU - linear, 1.70 million multiply-adds."""

    memory_format = torch.channels_last

    def __init__(self) -> None:
        super().__init__(features=32)
        self.first = nn.Conv2d(1, 16, kernel_size=5)
        self.second = nn.Conv2d(16, 32, kernel_size=5)
        self.hidden = nn.Linear(32 * 5**2, 128)
        self.head = nn.Linear(128, CLASSES)

    def maps(self, images: Tensor) -> Tensor:
        maps = F.max_pool2d(self.first(images), 2).relu()
        return F.max_pool2d(self.second(maps), 2).relu()

    def classify(self, maps: Tensor) -> Tensor:
        return self.head(self.hidden(maps.flatten(1)).relu())


NETWORKS: dict[str, Callable[[], Classifier]] = {
    "strided": StridedClassifier,
    "tanh": TanhClassifier,
    "pooled": PooledClassifier,
}
