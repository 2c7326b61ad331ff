"""One stacked optimiser is K optimisers of torch, each with its own rule and rate."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from models.architecture import Optimizer
from models.optim import StackedOptimizer

RULES: list[Optimizer] = ["adam", "sgd", "adam", "adam", "sgd", "sgd", "adam", "adam"]
RATES = [1e-2, 1e-3, 1e-4, 1e-2, 1e-3, 1e-2, 1e-3, 1e-3]
BETAS = (0.5, 0.97)
SHAPES = [(3, 5), (5,), (1,)]
K = len(RULES)


def _tensors(seed: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    numbers = torch.Generator().manual_seed(seed)
    return [torch.randn(K, *shape, generator=numbers, dtype=dtype) for shape in SHAPES]


def _plain(rule: Optimizer, rate: float, params: list[Tensor]) -> torch.optim.Optimizer:
    if rule == "adam":
        return torch.optim.Adam(params, lr=rate, betas=BETAS, foreach=False, fused=False)
    return torch.optim.SGD(params, lr=rate, foreach=False, fused=False)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 1e-6)])
def test_equals_one_optimiser_per_member(dtype: torch.dtype, tolerance: float) -> None:
    params = _tensors(0, dtype)
    start = [p.clone() for p in params]
    stacked = StackedOptimizer(params, RULES, RATES, BETAS)
    twins = [[p[k].clone() for p in params] for k in range(K)]
    plain = [_plain(rule, rate, twin) for rule, rate, twin in zip(RULES, RATES, twins, strict=True)]
    for step in range(1, 9):
        grads = [g * 10.0 ** (step % 3) for g in _tensors(step, dtype)]
        stacked.step([g.clone() for g in grads])
        for k in range(K):
            for twin, g in zip(twins[k], grads, strict=True):
                twin.grad = g[k].clone()
            plain[k].step()
        for i, p in enumerate(params):
            assert_close(p, torch.stack([twin[i] for twin in twins]), rtol=tolerance, atol=tolerance)
    moved = torch.stack([(p - s).abs().flatten(1).amax(1) for p, s in zip(params, start, strict=True)])
    assert (moved > 0).all()


def test_first_steps_by_hand() -> None:
    weight = torch.zeros(2, 3, dtype=torch.float64)
    grad = torch.tensor([[4.0, -0.5, 0.0]] * 2, dtype=torch.float64)
    StackedOptimizer([weight], ["adam", "sgd"], [0.1, 0.1], BETAS).step([grad])
    assert weight[0].tolist() == pytest.approx([-0.1, 0.1, 0.0], rel=1e-6)  # a rate's length, whatever the gradient
    assert weight[1].tolist() == pytest.approx([-0.4, 0.05, 0.0], rel=1e-12)


def _state_size(optimizer: StackedOptimizer) -> int:
    """Numbers held as moments, step counters left out."""
    states = [state for part in optimizer._optimizers for state in part.state.values()]
    return sum(
        value.numel() for state in states for name, value in state.items() if name != "step" and value is not None
    )


@pytest.mark.parametrize("adams", [0, 1, 5, K])
def test_members_with_sgd_hold_no_moments(adams: int) -> None:
    rules: list[Optimizer] = ["adam"] * adams + ["sgd"] * (K - adams)
    params = _tensors(0)
    optimizer = StackedOptimizer(params, rules[::-1], RATES, BETAS)
    optimizer.step(_tensors(1))
    optimizer.step(_tensors(2))
    assert _state_size(optimizer) == 2 * adams * sum(p[0].numel() for p in params)


def test_order_of_members_changes_nothing() -> None:
    order = [5, 0, 7, 3, 1, 6, 2, 4]
    params, shuffled = _tensors(0), [p[order] for p in _tensors(0)]
    first = StackedOptimizer(params, RULES, RATES, BETAS)
    second = StackedOptimizer(shuffled, [RULES[k] for k in order], [RATES[k] for k in order], BETAS)
    for step in range(1, 5):
        first.step(_tensors(step))
        second.step([g[order] for g in _tensors(step)])
    for p, s in zip(params, shuffled, strict=True):
        assert_close(s, p[order], rtol=1e-14, atol=0)


@pytest.mark.parametrize("member", [0, 3, 5])  # of each kind; 3 and 0 share a rate
def test_nonfinite_gradient_stays_with_its_member(member: int) -> None:
    clean, broken = _tensors(0), _tensors(0)
    first, second = (StackedOptimizer(p, RULES, RATES, BETAS) for p in (clean, broken))
    for step in range(1, 5):
        first.step(_tensors(step))
        grads = _tensors(step)
        for g in grads:
            g[member] = torch.inf if step == 1 else torch.nan
        second.step(grads)
    others = [k for k in range(K) if k != member]
    for p, b in zip(clean, broken, strict=True):
        assert b[member].isnan().all()
        assert torch.equal(b[others], p[others])


def test_gradients_may_be_views_and_stay_as_they_were() -> None:
    params, expected = _tensors(0)[:1], _tensors(0)[:1]
    grads = _tensors(1)[0]
    view = grads.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    assert not view.is_contiguous()
    before = view.clone()
    StackedOptimizer(params, RULES, RATES, BETAS).step([view])
    StackedOptimizer(expected, RULES, RATES, BETAS).step([grads])
    assert_close(params[0], expected[0], rtol=1e-14, atol=0)
    assert torch.equal(view, before)


def test_a_rate_missing_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        StackedOptimizer(_tensors(0), RULES, RATES[:-1], BETAS)
    with pytest.raises(ValueError, match="shorter"):
        StackedOptimizer(_tensors(0), RULES, RATES, BETAS).step(_tensors(1)[:-1])
