"""A classifier of digits, frozen: what scores are computed from. `metrics.classifier_networks` holds its kinds."""

import hashlib
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from metrics.classifier_card import SHIPPED, ClassifierError, classifier_card, weights_file

IMAGE_SIDE = 32
CLASSES = 10

# Images per pass. On a CPU small slices keep the maps in cache, 1.8 times as fast as slices of 500 or more;
# on an accelerator the bound is memory, 24 to 120 KiB an image.
SLICE = 128
SLICE_ACCELERATOR = 4096


class Classifier(nn.Module):
    """Convolutions that give maps, and what names the digit in them.

    The two buffers hold the mean and the covariance of the features of the 10,000 test digits, in float64:
    the real side of the Fréchet distance. They are saved, and so hashed, with the weights.

    Args:
        features: maps of the last convolution.
    """

    memory_format = torch.contiguous_format  # with max-pooling, a CPU is 2 to 4 times as fast on channels_last

    feature_mean: Tensor
    feature_covariance: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("feature_mean", torch.zeros(features, dtype=torch.float64))
        self.register_buffer("feature_covariance", torch.zeros(features, features, dtype=torch.float64))

    def maps(self, images: Tensor) -> Tensor:
        """Maps [n, F, side, side] of images [n, 1, 32, 32]."""
        raise NotImplementedError

    def classify(self, maps: Tensor) -> Tensor:
        """Logits [n, 10] of maps."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Logits [n, 10] of images [n, 1024], [n, 32, 32] or [n, 1, 32, 32] in [-1, 1]."""
        return self.features_and_logits(images)[1]

    def features_and_logits(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Spatial mean of the last map and the logits.

        Images are independent: a non-finite one leaves the others' values as they are.

        Args:
            images: [n, 1024], [n, 32, 32] or [n, 1, 32, 32], -1 (paper) to 1 (ink).

        Returns:
            features [n, F] and logits [n, 10].
        """
        images = images.reshape(-1, 1, IMAGE_SIDE, IMAGE_SIDE)
        size = SLICE if images.device.type == "cpu" else SLICE_ACCELERATOR
        parts = [self._slice(part) for part in images.split(size)]
        return torch.cat([features for features, _ in parts]), torch.cat([logits for _, logits in parts])

    def _slice(self, images: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.maps(images)
        return maps.mean((2, 3)), self.classify(maps)


def load_classifier(name: str, device: torch.device | str = "cpu", directory: Path = SHIPPED) -> Classifier:
    """A shipped classifier, in evaluation mode and without gradients.

    Raises:
        ClassifierError: a file is missing, or the weights are not those the card describes.
    """
    from metrics.classifier_networks import NETWORKS

    card = classifier_card(name, directory)
    path = weights_file(name, directory)
    if not path.is_file():
        raise ClassifierError(f"{path} is missing: make it again with `{card.command}`")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != card.sha256:
        raise ClassifierError(
            f"{path} has SHA-256 {found}, but its card records {card.sha256}: scores would not compare. "
            f"Restore both files, or make them again with `{card.command}`"
        )
    classifier = NETWORKS[name]()
    classifier.load_state_dict(load(content))
    classifier.to(memory_format=classifier.memory_format)  # type: ignore[call-overload]  # its types do not know it
    return classifier.requires_grad_(False).eval().to(device)


def save_classifier(classifier: Classifier, name: str, directory: Path) -> str:
    """Write the weights and return the SHA-256 of the file."""
    content = save(classifier.state_dict())
    weights_file(name, directory).write_bytes(content)
    return hashlib.sha256(content).hexdigest()
