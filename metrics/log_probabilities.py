"""Log-probabilities of the labels of a set of images: of each image, and of the whole set."""

import math

from torch import Tensor


def label_log_probabilities(logits: Tensor) -> tuple[Tensor, Tensor]:
    """log p(y|x) and log p(y), the latter the log of the mean of p(y|x) over the set.

    Both are computed in the log domain and in float64, so a class that no image resembles keeps a finite
    log-probability even where its probability underflows to zero.

    Args:
        logits: [..., n, classes], finite, n >= 1.

    Returns:
        log p(y|x) [..., n, classes] and log p(y) [..., classes], float64, nats.
    """
    conditional = logits.double().log_softmax(-1)
    marginal = conditional.logsumexp(-2) - math.log(logits.shape[-2])
    return conditional, marginal
