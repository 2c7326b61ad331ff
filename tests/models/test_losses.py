"""Losses: values computed by hand, slow loops as oracles, and members apart."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from models import losses


def _column(*values: float) -> Tensor:
    """Values of N images of one member, [N, 1]."""
    return torch.tensor(values, dtype=torch.float64)[:, None]


def _normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_gan_losses_by_hand() -> None:
    # D(real) = 3/4 and 1/2, D(fake) = 1/4 and 1/5.
    real, fake = _column(math.log(3), 0.0), _column(-math.log(3), -math.log(4))
    expected_d = -(math.log(3 / 4) + math.log(1 / 2)) / 2 - (math.log(3 / 4) + math.log(4 / 5)) / 2
    assert losses.gan_d_loss(real, fake).item() == pytest.approx(expected_d, rel=1e-14)
    assert losses.gan_g_loss(fake).item() == pytest.approx((math.log(4) + math.log(5)) / 2, rel=1e-14)


def test_gan_losses_stay_finite_for_a_discriminator_that_is_sure() -> None:
    sure, wrong = _column(2000.0), _column(-2000.0)
    assert losses.gan_d_loss(sure, wrong).item() == 0.0
    assert losses.gan_d_loss(wrong, sure).item() == 4000.0
    assert losses.gan_g_loss(wrong).item() == 2000.0


def test_gan_generator_loss_does_not_saturate() -> None:
    # -log D has slope -1 where D is sure of a fake; log(1 - D) would have slope 0.
    fake = _column(-30.0, 0.0).requires_grad_()
    (grad,) = torch.autograd.grad(losses.gan_g_loss(fake).sum(), fake)
    assert grad[:, 0].tolist() == pytest.approx([-1 / 2, -1 / 4], rel=1e-12)


def test_ebgan_losses_by_hand() -> None:
    real, fake = _column(1.0, 4.0), _column(3.0, 8.0)
    assert losses.ebgan_d_loss(real, fake, torch.tensor([10.0])).item() == 2.5 + (7 + 2) / 2
    assert losses.ebgan_g_loss(fake).item() == 5.5


def test_hinge_is_taken_per_image() -> None:
    # The mean energy is the margin, so a hinge of the mean would be 0.
    fake = _column(2.0, 18.0)
    assert losses.ebgan_d_loss(_column(0.0, 0.0), fake, torch.tensor([10.0])).item() == 4.0


def test_hinge_lets_go_of_images_above_the_margin() -> None:
    real, fake = _column(1.0, 2.0, 30.0, 4.0), _column(2.0, 9.0, 11.0, 400.0)
    real.requires_grad_()
    fake.requires_grad_()
    loss = losses.ebgan_d_loss(real, fake, torch.tensor([10.0], dtype=torch.float64))
    grad_real, grad_fake = torch.autograd.grad(loss.sum(), [real, fake])
    assert grad_real[:, 0].tolist() == [0.25, 0.25, 0.25, 0.25]
    assert grad_fake[:, 0].tolist() == [-0.25, -0.25, 0.0, 0.0]


def test_every_member_has_its_own_margin() -> None:
    fake = torch.full((3, 4), 5.0)
    margin = torch.tensor([10.0, 5.0, 1.0, 6.0])
    assert losses.ebgan_d_loss(torch.zeros(3, 4), fake, margin).tolist() == [5.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([[1, 0, 0], [0, 2, 0], [0, 0, 3]], 0.0),
        ([[1, 2], [1, 2], [1, 2], [1, 2]], 1.0),
        ([[1, 0], [-3, 0]], 1.0),  # without its square: -1
        ([[1, 0], [1, 1]], 0.5),  # without its square: 0.707; with i = j: 0.75
        ([[1, 0], [1, 1], [0, 2]], 1 / 3),  # cosines squared 1/2, 0, 1/2 of six ordered pairs
        ([[3, 4], [4, 3], [0, 1]], (24**2 / 25**2 + 16 / 25 + 9 / 25) / 3),
    ],
)
def test_pull_away_by_hand(codes: list[list[float]], expected: float) -> None:
    code = torch.tensor(codes, dtype=torch.float64)
    assert losses.pull_away(code[:, None]).item() == pytest.approx(expected, abs=1e-15)
    lengths = torch.linspace(1e-3, 1e3, len(code), dtype=torch.float64)[:, None]
    assert losses.pull_away((lengths * code)[:, None]).item() == pytest.approx(expected, abs=1e-15)


def test_zero_code_counts_as_a_pair_of_cosine_zero() -> None:
    code = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]], dtype=torch.float64)[:, None].requires_grad_()
    value = losses.pull_away(code)
    assert value.item() == pytest.approx(2 * 0.5 / 6, abs=1e-15)
    (grad,) = torch.autograd.grad(value.sum(), code)
    assert grad.isfinite().all()
    assert grad[1].abs().max() == 0.0
    assert grad[2].abs().max() > 0.01
    assert losses.pull_away(torch.zeros(4, 1, 3)).item() == 0.0


def test_pull_away_stays_in_its_range_in_single_precision() -> None:
    orthogonal = torch.eye(64)[:, None].expand(64, 3, 64)
    assert losses.pull_away(orthogonal).tolist() == [0.0, 0.0, 0.0]
    same = torch.rand(1, 1, 128, generator=torch.Generator().manual_seed(0)).expand(128, 1, 128)
    assert losses.pull_away(same).item() == pytest.approx(1.0, abs=1e-6)
    codes = torch.rand(128, 5, 30, generator=torch.Generator().manual_seed(1))
    assert losses.pull_away(codes).min() > 0.4
    assert losses.pull_away(codes).max() < 0.8


def _slow_gan_d(real: list[float], fake: list[float]) -> float:
    total = 0.0
    for a, b in zip(real, fake, strict=True):
        total += -math.log(1 / (1 + math.exp(-a))) - math.log(1 - 1 / (1 + math.exp(-b)))
    return total / len(real)


def _slow_gan_g(fake: list[float]) -> float:
    return sum(-math.log(1 / (1 + math.exp(-b))) for b in fake) / len(fake)


def _slow_ebgan_d(real: list[float], fake: list[float], margin: float) -> float:
    total = 0.0
    for a, b in zip(real, fake, strict=True):
        total += a + (margin - b if b < margin else 0.0)
    return total / len(real)


def _slow_pull_away(codes: list[list[float]]) -> float:
    total, n = 0.0, len(codes)
    for i in range(n):
        for j in range(n):
            if i != j:
                dot = sum(a * b for a, b in zip(codes[i], codes[j], strict=True))
                total += (dot / (math.hypot(*codes[i]) * math.hypot(*codes[j]))) ** 2
    return total / n / (n - 1)


def test_losses_equal_slow_loops_member_by_member() -> None:
    n, k = 7, 5
    real, fake = 2 * _normal(n, k), 2 * _normal(n, k, seed=1)
    energy_real, energy_fake = 4 * real.abs(), 4 * fake.abs()
    margin = torch.tensor([1.0, 3.0, 6.0, 10.0, 30.0], dtype=torch.float64)
    code = _normal(n, k, 4, seed=2)
    slow = {
        "gan_d": [_slow_gan_d(real[:, m].tolist(), fake[:, m].tolist()) for m in range(k)],
        "gan_g": [_slow_gan_g(fake[:, m].tolist()) for m in range(k)],
        "ebgan_d": [
            _slow_ebgan_d(energy_real[:, m].tolist(), energy_fake[:, m].tolist(), margin[m].item()) for m in range(k)
        ],
        "ebgan_g": [sum(energy_fake[:, m].tolist()) / n for m in range(k)],
        "pull_away": [_slow_pull_away(code[:, m].tolist()) for m in range(k)],
    }
    assert losses.gan_d_loss(real, fake).tolist() == pytest.approx(slow["gan_d"], rel=1e-13)
    assert losses.gan_g_loss(fake).tolist() == pytest.approx(slow["gan_g"], rel=1e-13)
    assert losses.ebgan_d_loss(energy_real, energy_fake, margin).tolist() == pytest.approx(slow["ebgan_d"], rel=1e-13)
    assert losses.ebgan_g_loss(energy_fake).tolist() == pytest.approx(slow["ebgan_g"], rel=1e-13)
    assert losses.pull_away(code).tolist() == pytest.approx(slow["pull_away"], rel=1e-13)


MEMBERWISE: dict[str, Callable[[Tensor], Tensor]] = {
    "gan_d_loss": lambda x: losses.gan_d_loss(x[..., 0], x[..., 1]),
    "gan_g_loss": lambda x: losses.gan_g_loss(x[..., 0]),
    "ebgan_d_loss": lambda x: losses.ebgan_d_loss(x[..., 0].abs(), x[..., 1].abs(), torch.ones(4, dtype=x.dtype)),
    "ebgan_g_loss": lambda x: losses.ebgan_g_loss(x[..., 0].abs()),
    "pull_away": losses.pull_away,
}


@pytest.mark.parametrize("name", MEMBERWISE)
def test_members_never_mix(name: str) -> None:
    x = _normal(6, 4, 3)
    clean = x.clone().requires_grad_()
    value = MEMBERWISE[name](clean)
    (grad,) = torch.autograd.grad(value.sum(), clean)
    x[2, 1] = torch.nan
    broken = x.clone().requires_grad_()
    value_broken = MEMBERWISE[name](broken)
    (grad_broken,) = torch.autograd.grad(value_broken.sum(), broken)
    assert value.shape == (4,)
    assert value_broken.isnan().tolist() == [False, True, False, False]
    others = [0, 2, 3]
    assert torch.equal(value_broken[others], value[others])
    assert torch.equal(grad_broken[:, others], grad[:, others])


@pytest.mark.parametrize("name", MEMBERWISE)
def test_order_of_images_changes_nothing(name: str) -> None:
    x = _normal(6, 4, 3)
    assert_close(MEMBERWISE[name](x.flip(0)), MEMBERWISE[name](x), rtol=1e-14, atol=1e-14)
