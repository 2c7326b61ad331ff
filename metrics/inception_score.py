"""The score I' of the grid study, and the usual inception score.

I' is Zhao et al., 2016, section 4.1: the inception score of Salimans et al., 2016, section 4, with the two
distributions swapped and without the exponential. The raised 2 after the formula in the paper is a footnote
mark, not a square.
"""

from torch import Tensor

from metrics.log_probabilities import label_log_probabilities


def reversed_inception_score(logits: Tensor) -> Tensor:
    """I' = E_x KL(p(y) || p(y|x)), higher is better.

    It grows with the classifier's confidence, so scores of two classifiers must not be compared.

    Args:
        logits: of n images, [..., n, 10], finite.

    Returns:
        [...], float64, nats, >= 0 up to rounding.
    """
    conditional, marginal = label_log_probabilities(logits)
    return (marginal.exp() * (marginal - conditional.mean(-2))).sum(-1)


def inception_score(logits: Tensor) -> Tensor:
    """exp(E_x KL(p(y|x) || p(y))) over the whole set, that is with a single split.

    Args:
        logits: of n images, [..., n, 10], finite.

    Returns:
        [...], float64, 1 to 10.
    """
    conditional, marginal = label_log_probabilities(logits)
    divergence = (conditional.exp() * (conditional - marginal[..., None, :])).sum(-1)
    return divergence.mean(-1).exp()
