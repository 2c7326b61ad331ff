"""The classifier behind every score: two convolutions and a linear layer, frozen.

It is the "regular 3-layer ConvNet" of Zhao et al., 2016, section 4.1, whose widths the paper does not give.
"""

import hashlib
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from metrics.classifier_card import SHIPPED, WEIGHTS_NAME, ClassifierError, classifier_card

IMAGE_SIDE = 32
WIDTHS = (16, 32)
CLASSES = 10
MAP_SIDE = 8  # of the last convolution's output: two strides of 2

# Images per pass. On a CPU small slices keep both maps in cache, 1.8 times as fast as slices of 500 or more;
# on an accelerator the bound is memory, 24 KiB per image.
SLICE = 128
SLICE_ACCELERATOR = 16_384


class Classifier(nn.Module):
    """conv 5x5/2 - ReLU - conv 5x5/2 - ReLU - linear, 0.94 million multiply-adds per image.

    The two buffers hold the mean and the covariance of the features of the 10,000 test digits, in float64, for the
    Fréchet distance. They are saved, and so hashed, with the weights.
    """

    feature_mean: Tensor
    feature_covariance: Tensor

    def __init__(self) -> None:
        super().__init__()
        first, second = WIDTHS
        self.first = nn.Conv2d(1, first, kernel_size=5, stride=2, padding=2)
        self.second = nn.Conv2d(first, second, kernel_size=5, stride=2, padding=2)
        self.head = nn.Linear(second * MAP_SIDE**2, CLASSES)
        self.register_buffer("feature_mean", torch.zeros(second, dtype=torch.float64))
        self.register_buffer("feature_covariance", torch.zeros(second, second, dtype=torch.float64))

    def forward(self, images: Tensor) -> Tensor:
        """Logits [n, 10] of images [n, 1024], [n, 32, 32] or [n, 1, 32, 32] in [-1, 1]."""
        return self.features_and_logits(images)[1]

    def features_and_logits(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Spatial mean of the last map and the logits.

        Images are independent: a non-finite one leaves the others' values as they are.

        Args:
            images: [n, 1024], [n, 32, 32] or [n, 1, 32, 32], -1 (paper) to 1 (ink).

        Returns:
            features [n, 32], >= 0, and logits [n, 10].
        """
        maps = images.reshape(-1, 1, IMAGE_SIDE, IMAGE_SIDE)
        size = SLICE if maps.device.type == "cpu" else SLICE_ACCELERATOR
        parts = [self._slice(part) for part in maps.split(size)]
        return torch.cat([features for features, _ in parts]), torch.cat([logits for _, logits in parts])

    def _slice(self, images: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.second(self.first(images).relu_()).relu_()
        return maps.mean((2, 3)), self.head(maps.flatten(1))


def load_classifier(device: torch.device | str = "cpu", directory: Path = SHIPPED) -> Classifier:
    """The shipped classifier, in evaluation mode and without gradients.

    Raises:
        ClassifierError: a file is missing, or the weights are not those the card describes.
    """
    card = classifier_card(directory)
    path = directory / WEIGHTS_NAME
    if not path.is_file():
        raise ClassifierError(f"{path} is missing: make it again with `{card.command}`")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != card.sha256:
        raise ClassifierError(
            f"{path} has SHA-256 {found}, but its card records {card.sha256}: scores would not compare. "
            f"Restore both files, or make them again with `{card.command}`"
        )
    classifier = Classifier()
    classifier.load_state_dict(load(content))
    return classifier.requires_grad_(False).eval().to(device)


def save_classifier(classifier: Classifier, directory: Path) -> str:
    """Write the weights and return the SHA-256 of the file."""
    content = save(classifier.state_dict())
    (directory / WEIGHTS_NAME).write_bytes(content)
    return hashlib.sha256(content).hexdigest()
