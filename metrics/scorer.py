"""The scorer of a cohort of generators: images in, one value per score and member out."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from metrics.classifier import Classifier, load_classifier
from metrics.classifier_card import CLASSIFIERS
from metrics.coverage import coverage, label_entropy
from metrics.frechet import feature_moments, frechet_distance
from metrics.inception_score import inception_score, reversed_inception_score

LABEL_SCORES: dict[str, Callable[[Tensor], Tensor]] = {
    "score": reversed_inception_score,
    "inception_score": inception_score,
    "coverage": coverage,
    "entropy": label_entropy,
}


class Scorer:
    """Scores the images of K generators by every shipped classifier; one scorer serves any number of cohorts."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.classifiers = [load_classifier(name, self.device) for name in CLASSIFIERS]

    @torch.no_grad()
    def score(self, images: Tensor | Iterable[Tensor]) -> list[dict[str, Tensor]]:
        """Score all images of each member together.

        Only 159 numbers per image are kept, so an iterator that generates its batches one by one never has
        all images in memory. Members never mix.

        Args:
            images: [K, n, 1024] in [-1, 1], or the batches [K, b, 1024] it is made of; n >= 2 in all.

        Returns:
            The scores by each classifier, in the order of `CLASSIFIERS`. Each [K], float64, on the scorer's device;
            all NaN for a member with a non-finite image: score: I', nats. inception_score: 1 to 10.
            coverage: classes seen, 1 to 10. entropy: of p(y), nats, 0 to log 10.
            frechet: distance to the 10,000 test digits, >= 0.

        Raises:
            ValueError: there are fewer than two images per member.
        """
        batches = [images] if isinstance(images, Tensor) else images
        sums: list[Tensor] = []  # one cheap pass over the pixels, and finite only if every pixel is; logits can't tell,
        observed: list[list[tuple[Tensor, Tensor]]] = []  # for a ReLU turns minus infinity into an ordinary zero
        for batch in (batch.to(self.device, torch.float32) for batch in batches):
            sums.append(batch.sum(-1))
            observed.append([_observe(classifier, batch) for classifier in self.classifiers])
        if sum(part.shape[1] for part in sums) < 2:
            raise ValueError("a score needs at least two images per member")
        finite = torch.cat(sums, dim=1).isfinite().all(1)
        by_classifier = zip(self.classifiers, zip(*observed, strict=True), strict=True)
        return [
            {name: torch.where(finite, value, torch.nan) for name, value in _scores(classifier, parts).items()}
            for classifier, parts in by_classifier
        ]


def _observe(classifier: Classifier, images: Tensor) -> tuple[Tensor, Tensor]:
    """Features [K, b, F] and logits [K, b, 10] of images [K, b, 1024]."""
    with torch.autocast(images.device.type, enabled=False):  # the caller's precision is not the score's
        features, logits = classifier.features_and_logits(images.flatten(0, 1))
    return features.unflatten(0, images.shape[:2]), logits.unflatten(0, images.shape[:2])


def _scores(classifier: Classifier, parts: Sequence[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """The scores [K] of what one classifier observed, batch by batch."""
    features, logits = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
    scores = {name: _memberwise(formula, logits) for name, formula in LABEL_SCORES.items()}
    real = classifier.feature_mean, classifier.feature_covariance
    return scores | {"frechet": _memberwise(lambda own: frechet_distance(*feature_moments(own), *real), features)}


def _memberwise(formula: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    """Apply a formula to each member alone, so that float64 intermediates exist for one member at a time."""
    return torch.stack([formula(member) for member in values])
