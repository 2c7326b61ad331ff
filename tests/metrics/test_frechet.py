"""The Fréchet distance: closed forms, SciPy's matrix square root, and torch-fidelity as an oracle."""

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from metrics.frechet import feature_moments, frechet_distance

Moments = tuple[Tensor, Tensor]


def features(seed: int, images: int = 300, members: tuple[int, ...] = (), dimensions: int = 12) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dimensions, dimensions, generator=generator, dtype=torch.float64)
    noise = torch.randn(*members, images, dimensions, generator=generator, dtype=torch.float64)
    return noise @ mixing + torch.randn(dimensions, generator=generator, dtype=torch.float64)


def test_moments_equal_numpy() -> None:
    values = features(1)
    mean, covariance = feature_moments(values)
    np.testing.assert_allclose(mean.numpy(), values.numpy().mean(0), rtol=1e-12)
    np.testing.assert_allclose(covariance.numpy(), np.cov(values.numpy(), rowvar=False), rtol=1e-10)


def test_moments_of_members_apart() -> None:
    values = features(2, members=(3,)).float()
    mean, covariance = feature_moments(values)
    assert mean.dtype == covariance.dtype == torch.float64
    for member in range(3):
        alone = feature_moments(values[member])
        torch.testing.assert_close(mean[member], alone[0], rtol=1e-12, atol=0.0)
        torch.testing.assert_close(covariance[member], alone[1], rtol=1e-10, atol=1e-12)


def test_same_moments_are_no_distance_apart() -> None:
    mean, covariance = feature_moments(features(3))
    assert 0.0 <= frechet_distance(mean, covariance, mean, covariance).item() < 1e-9


def test_gaussians_with_diagonal_covariances() -> None:
    # Closed form: |difference of means|^2 + sum of (sigma_a - sigma_b)^2.
    mean_a, mean_b = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([1.0, 1.0, 0.0])
    sigma_a, sigma_b = torch.tensor([1.0, 2.0, 0.5]), torch.tensor([3.0, 2.0, 0.0])
    distance = frechet_distance(mean_a, sigma_a.square().diag(), mean_b, sigma_b.square().diag())
    assert distance.item() == pytest.approx(1.0 + 4.0 + 4.0 + 0.0 + 0.25, rel=1e-12)


def by_scipy(a: Moments, b: Moments) -> float:
    root = scipy.linalg.sqrtm(a[1].numpy() @ b[1].numpy())
    return float((a[0] - b[0]).square().sum() + a[1].trace() + b[1].trace() - 2.0 * np.trace(root).real)


def test_equals_scipy() -> None:
    a, b = feature_moments(features(4)), feature_moments(features(5))
    expected = by_scipy(a, b)
    assert expected > 1.0
    assert frechet_distance(*a, *b).item() == pytest.approx(expected, rel=1e-10)


def test_equals_torch_fidelity(fidelity) -> None:
    oracle = fidelity("metric_fid").fid_statistics_to_metric
    a, b = feature_moments(features(6)), feature_moments(features(7))
    statistics = [{"mu": mean.numpy(), "sigma": covariance.numpy()} for mean, covariance in (a, b)]
    expected = oracle(*statistics, verbose=False)["frechet_inception_distance"]
    assert frechet_distance(*a, *b).item() == pytest.approx(expected, rel=1e-10)


def test_symmetric() -> None:
    a, b = feature_moments(features(8)), feature_moments(features(9))
    assert frechet_distance(*a, *b).item() == pytest.approx(frechet_distance(*b, *a).item(), rel=1e-10)


def test_singular_covariance() -> None:
    # A generator that always draws the same image: no spread, so the distance is |difference|^2 + tr cov.
    real_mean, real_covariance = feature_moments(features(10))
    mean, covariance = feature_moments(torch.ones(50, 12))
    expected = (real_mean - 1.0).square().sum() + real_covariance.trace()
    distance = frechet_distance(mean, covariance, real_mean, real_covariance)
    assert distance.item() == pytest.approx(expected.item(), rel=1e-12)


def test_members_against_one_reference() -> None:
    reference = feature_moments(features(11))
    means, covariances = feature_moments(features(12, members=(4,)) * torch.arange(1.0, 5.0)[:, None, None])
    together = frechet_distance(means, covariances, *reference)
    alone = [frechet_distance(means[k], covariances[k], *reference).item() for k in range(4)]
    assert together.tolist() == pytest.approx(alone, rel=1e-10)
    assert together.shape == (4,)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_nonfinite_member_leaves_the_others(bad: float) -> None:
    reference = feature_moments(features(13))
    values = features(14, members=(3,))
    clean = frechet_distance(*feature_moments(values), *reference)
    values[1, 17, 3] = bad
    distance = frechet_distance(*feature_moments(values), *reference)
    assert distance.isnan().tolist() == [False, True, False]
    assert distance[[0, 2]].tolist() == clean[[0, 2]].tolist()
    # The same with the damaged member as the reference side.
    swapped = frechet_distance(*reference, *feature_moments(values))
    assert swapped.isnan().tolist() == [False, True, False]


def test_infinite_mean_is_no_distance() -> None:
    mean, covariance = feature_moments(features(15))
    far = mean.clone()
    far[0] = torch.inf
    assert frechet_distance(far, covariance, mean, covariance).isnan().item()
