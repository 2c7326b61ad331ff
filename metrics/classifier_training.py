"""Training of the classifiers: the networks as they are trained, and the loop that fits them.

The digits are augmented by small random shifts, rotations and scalings; weights are averaged over steps.
"""

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from metrics.classifier import CLASSES, IMAGE_SIDE, Classifier
from metrics.classifier_networks import NETWORKS, StridedClassifier
from metrics.frechet import feature_moments

BATCH = 128
PEAK_LEARNING_RATES = {"strided": 4e-3, "tanh": 2e-3, "pooled": 2e-3}
WEIGHT_DECAY = 1e-2
DROPOUT = 0.3
AVERAGING_DECAY = 0.998  # a window of about one epoch
MAX_SHIFT = 2.0  # pixels
MAX_ROTATION = math.radians(10.0)
MAX_SCALING = 0.1  # relative


class NormedNetwork(nn.Module):
    """The strided classifier as it is trained: batch normalisation after the convolutions, dropout before the end."""

    def __init__(self) -> None:
        super().__init__()
        first, second = 16, 32
        self.first = nn.Conv2d(1, first, kernel_size=5, stride=2, padding=2, bias=False)
        self.first_norm = nn.BatchNorm2d(first)
        self.second = nn.Conv2d(first, second, kernel_size=5, stride=2, padding=2, bias=False)
        self.second_norm = nn.BatchNorm2d(second)
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(second * 8**2, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [n, 10] of images [n, 1, 32, 32]."""
        maps = self.first_norm(self.first(images)).relu_()
        maps = self.second_norm(self.second(maps)).relu_()
        return self.head(self.dropout(maps.flatten(1)))

    def folded(self) -> Classifier:
        """The same function without batch normalisation and dropout, in evaluation mode."""
        network = copy.deepcopy(self).eval()
        classifier = StridedClassifier().requires_grad_(False).eval()
        classifier.first = fuse_conv_bn_eval(network.first, network.first_norm).requires_grad_(False)
        classifier.second = fuse_conv_bn_eval(network.second, network.second_norm).requires_grad_(False)
        classifier.head = network.head.requires_grad_(False)
        return classifier


class DropoutNetwork(nn.Module):
    """A classifier as it is trained, with dropout after the convolutions."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [n, 10] of images [n, 1, 32, 32]."""
        return self.classifier.classify(self.dropout(self.classifier.maps(images)))

    def folded(self) -> Classifier:
        """The classifier alone, in evaluation mode."""
        return copy.deepcopy(self.classifier).requires_grad_(False).eval()


def training_network(name: str) -> NormedNetwork | DropoutNetwork:
    """The network that gives the classifier of this name."""
    return NormedNetwork() if name == "strided" else DropoutNetwork(NETWORKS[name]())


def train_classifier(
    name: str,
    images: Tensor,
    labels: Tensor,
    epochs: int,
    seed: int,
    report: Callable[[int, float], None] = lambda epoch, loss: None,
) -> Classifier:
    """Fit a classifier with plain cross-entropy, AdamW and a one-cycle schedule.

    Args:
        name: of `metrics.classifier_networks.NETWORKS`.
        images: [n, 32, 32] in [-1, 1].
        labels: [n], int64, 0 to 9.
        epochs: passes over the images; the last state is returned, none is chosen by its accuracy.
        seed: of the global generator of PyTorch: weights, order, augmentation and dropout.
        report: called after each epoch with its number from 1 and its mean training loss in nats.
    """
    torch.manual_seed(seed)
    network = training_network(name)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(AVERAGING_DECAY), use_buffers=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK_LEARNING_RATES[name], weight_decay=WEIGHT_DECAY)
    steps = epochs * math.ceil(len(images) / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LEARNING_RATES[name], total_steps=steps)
    for epoch in range(1, epochs + 1):
        total = 0.0
        for chosen in torch.randperm(len(images)).split(BATCH):
            loss = F.cross_entropy(network(augment(images[chosen])), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            average.update_parameters(network)
            total += loss.item() * len(chosen)
        report(epoch, total / len(images))
    network.load_state_dict(average.module.state_dict())
    return network.folded()


def augment(images: Tensor) -> Tensor:
    """Shift, rotate and scale each image by its own random amounts.

    Args:
        images: [n, 32, 32] in [-1, 1].

    Returns:
        [n, 1, 32, 32] in [-1, 1]; pixels from outside the image repeat its border, which is background in a digit.
    """
    angle, scaling, *shift = torch.empty(4, len(images)).uniform_(-1.0, 1.0)
    angle, scaling = angle * MAX_ROTATION, 1.0 + scaling * MAX_SCALING
    shift_x, shift_y = (axis * 2.0 * MAX_SHIFT / IMAGE_SIDE for axis in shift)  # a side spans 2 in grid units
    cos, sin = scaling * angle.cos(), scaling * angle.sin()
    affine = torch.stack([cos, -sin, shift_x, sin, cos, shift_y], dim=-1).unflatten(-1, (2, 3))
    grid = F.affine_grid(affine, [len(images), 1, IMAGE_SIDE, IMAGE_SIDE], align_corners=False)
    return F.grid_sample(images[:, None], grid, padding_mode="border", align_corners=False)


@torch.no_grad()
def store_reference(classifier: Classifier, images: Tensor) -> Tensor:
    """Keep the feature moments of real images in the classifier, and return their logits [n, 10]."""
    features, logits = classifier.features_and_logits(images)
    classifier.feature_mean, classifier.feature_covariance = feature_moments(features)
    return logits
