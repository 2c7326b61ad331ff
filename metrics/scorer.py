"""The scorer of a cohort of generators: images in, one value per score and member out."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from metrics.classifier import load_classifier
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
    """Scores the images of K generators; one scorer serves any number of cohorts."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.classifier = load_classifier(self.device)

    @torch.no_grad()
    def score(self, images: Tensor | Iterable[Tensor]) -> dict[str, Tensor]:
        """Score all images of each member together.

        Only 43 numbers per image are kept, so an iterator that generates its batches one by one never has
        all images in memory. Members never mix.

        Args:
            images: [K, n, 1024] in [-1, 1], or the batches [K, b, 1024] it is made of; n >= 2 in all.

        Returns:
            Each [K], float64, on the scorer's device; all NaN for a member with a non-finite image:
            score: I', nats. inception_score: 1 to 10. coverage: classes seen, 1 to 10.
            entropy: of p(y), nats, 0 to log 10. frechet: distance to the 10,000 test digits, >= 0.

        Raises:
            ValueError: there are fewer than two images per member.
        """
        batches = [images] if isinstance(images, Tensor) else images
        observed = [self._observe(batch.to(self.device, torch.float32)) for batch in batches]
        if sum(logits.shape[1] for _, logits, _ in observed) < 2:
            raise ValueError("a score needs at least two images per member")
        features, logits, sums = (torch.cat(parts, dim=1) for parts in zip(*observed, strict=True))
        scores = {name: _memberwise(formula, logits) for name, formula in LABEL_SCORES.items()}
        scores["frechet"] = _memberwise(self._distance_to_digits, features)
        finite = sums.isfinite().all(1)
        return {name: torch.where(finite, value, torch.nan) for name, value in scores.items()}

    def _observe(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features [K, b, 32], logits [K, b, 10] and the sum of each image's pixels [K, b].

        The sum is one cheap pass and finite only if every pixel is. The logits cannot tell: a ReLU turns a
        pixel of minus infinity into an ordinary zero.
        """
        with torch.autocast(self.device.type, enabled=False):  # the caller's precision is not the score's
            features, logits = self.classifier.features_and_logits(images.flatten(0, 1))
        shape = images.shape[:2]
        return features.unflatten(0, shape), logits.unflatten(0, shape), images.sum(-1)

    def _distance_to_digits(self, features: Tensor) -> Tensor:
        mean, covariance = feature_moments(features)
        return frechet_distance(mean, covariance, self.classifier.feature_mean, self.classifier.feature_covariance)


def _memberwise(formula: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    """Apply a formula to each member alone, so that float64 intermediates exist for one member at a time."""
    return torch.stack([formula(member) for member in values])
