"""How many classes a set of images shows, and how evenly, which I' hardly measures.

A class is covered as a mode is in the stacked-digits test of Metz et al., 2017, section 3.3: at least one
image is classified into it.
"""

import torch
from torch import Tensor

from metrics.log_probabilities import label_log_probabilities


def coverage(logits: Tensor) -> Tensor:
    """Number of classes that are the likeliest one of at least one image.

    Args:
        logits: of n images, [..., n, 10]; a set with a non-finite logit has no coverage.

    Returns:
        [...], float64, 1 to 10, or NaN.
    """
    seen = torch.zeros(*logits.shape[:-2], logits.shape[-1], dtype=torch.float64, device=logits.device)
    seen = seen.scatter(-1, logits.argmax(-1), 1.0)
    return torch.where(logits.isfinite().all(-1).all(-1), seen.sum(-1), torch.nan)


def label_entropy(logits: Tensor) -> Tensor:
    """Entropy of p(y), the mean of p(y|x) over the set.

    Args:
        logits: of n images, [..., n, 10], finite.

    Returns:
        [...], float64, nats, 0 to log 10 = 2.303.
    """
    _, marginal = label_log_probabilities(logits)
    return -(marginal.exp() * marginal).sum(-1)
