"""Fréchet distance between two sets of images, from the mean and covariance of their features.

It is the distance of Heusel et al., 2017, eq. 6, with this package's classifier in place of Inception.
"""

import torch
from torch import Tensor


def feature_moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and unbiased covariance of features [..., n, C], n >= 2.

    Returns:
        mean [..., C] and covariance [..., C, C], float64.
    """
    features = features.double()
    mean = features.mean(-2)
    centred = features - mean[..., None, :]
    return mean, centred.mT @ centred / (features.shape[-2] - 1)


def frechet_distance(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> Tensor:
    """|mean_a - mean_b|^2 + tr(cov_a + cov_b - 2 (cov_a cov_b)^(1/2)).

    The two sides broadcast against each other. A pair with a non-finite moment gives NaN and leaves the others
    as they are.

    Args:
        mean_a, mean_b: [..., C].
        cov_a, cov_b: symmetric and positive semi-definite, [..., C, C].

    Returns:
        [...], float64, >= 0, in squared units of the features.
    """
    mean_a, cov_a, mean_b, cov_b = (tensor.double() for tensor in (mean_a, cov_a, mean_b, cov_b))
    between = (mean_a - mean_b).square().sum(-1)
    within = cov_a.diagonal(dim1=-2, dim2=-1).sum(-1) + cov_b.diagonal(dim1=-2, dim2=-1).sum(-1)
    # cov_a cov_b has the eigenvalues of root_b cov_a root_b, which is symmetric: no complex roots.
    root = _square_root(cov_b)
    product = root @ cov_a @ root
    finite = product.isfinite().all(-1).all(-1)
    # The eigenvalue routines refuse a whole batch for one non-finite matrix.
    eigenvalues = torch.linalg.eigvalsh(product.where(finite[..., None, None], 0.0))
    distance = between + within - 2.0 * eigenvalues.clamp(min=0.0).sqrt().sum(-1)
    return torch.where(finite & distance.isfinite(), distance.clamp(min=0.0), torch.nan)


def _square_root(covariance: Tensor) -> Tensor:
    """Symmetric square root of positive semi-definite matrices [..., C, C]; all NaN where not finite."""
    finite = covariance.isfinite().all(-1).all(-1)[..., None, None]
    eigenvalues, vectors = torch.linalg.eigh(covariance.where(finite, 0.0))
    root = (vectors * eigenvalues.clamp(min=0.0).sqrt()[..., None, :]) @ vectors.mT
    return root.where(finite, torch.nan)
