"""The recorded scores of images that no training has made."""

import pytest

from benchmarks.classifiers import untrained
from metrics.classifier_card import CLASSIFIERS
from metrics.scorer import Scorer
from search_spaces.experiments.mnist_gan import MNIST_GAN


@pytest.mark.slow
def test_the_references_are_the_highest_scores_of_untrained_generators() -> None:
    scorer = Scorer()
    found = [[one["score"].item() for one in scorer.score(images.flatten(1)[None])] for images in untrained()]
    reference = MNIST_GAN.references[0]
    assert reference.label == f"untrained generators, highest of {len(found)}"
    highest = [max(scores) for scores in zip(*found, strict=True)]
    assert [reference.scores[name] for name in CLASSIFIERS] == pytest.approx(highest, abs=1e-3)
