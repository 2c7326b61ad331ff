"""One stacked optimiser is K optimisers of torch, each with its own optimiser and learning rate."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from models.flat_parameters import Parameters
from models.mlp.architecture import Optimizer
from models.optim import StackedOptimizer

OPTIMIZERS: list[Optimizer] = ["adam", "sgd", "adam", "adam", "sgd", "sgd", "adam", "adam"]
LRS = [1e-2, 1e-3, 1e-4, 1e-2, 1e-3, 1e-2, 1e-3, 1e-3]
BETAS = (0.5, 0.97)
WIDTH = 32
K = len(OPTIMIZERS)


def _blocks(seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Values or gradients [K, P] of the parameters."""
    return torch.randn(K, WIDTH, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def _parameters(values: Tensor) -> Parameters:
    parameters = Parameters([(WIDTH,)], len(values), torch.device("cpu"), values.dtype)
    parameters.values.copy_(values)
    return parameters


def _step(optimizer: StackedOptimizer, parameters: Parameters, gradients: Tensor) -> None:
    parameters.gradients.copy_(gradients)
    optimizer.step()


def _plain(optimizer: Optimizer, lr: float, params: list[Tensor]) -> torch.optim.Optimizer:
    if optimizer == "adam":
        return torch.optim.Adam(params, lr=lr, betas=BETAS, foreach=False, fused=False)
    return torch.optim.SGD(params, lr=lr, foreach=False, fused=False)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 1e-6)])
def test_equals_one_optimiser_per_member(dtype: torch.dtype, tolerance: float) -> None:
    start = _blocks(0, dtype)
    parameters = _parameters(start)
    stacked = StackedOptimizer(parameters, OPTIMIZERS, LRS, BETAS)
    twins = [start[k].clone() for k in range(K)]
    plain = [_plain(name, lr, [twin]) for name, lr, twin in zip(OPTIMIZERS, LRS, twins, strict=True)]
    for step in range(1, 9):
        gradients = _blocks(step, dtype) * 10.0 ** (step % 3)
        _step(stacked, parameters, gradients)
        for k in range(K):
            twins[k].grad = gradients[k].clone()
            plain[k].step()
        assert_close(parameters.values, torch.stack(twins), rtol=tolerance, atol=tolerance)
        assert torch.equal(parameters.gradients, gradients)
    assert ((parameters.values - start).abs().amax(1) > 0).all()


def test_first_steps_by_hand() -> None:
    parameters = _parameters(torch.zeros(2, WIDTH, dtype=torch.float64))
    gradient = torch.zeros(WIDTH, dtype=torch.float64)
    gradient[:2] = torch.tensor([4.0, -0.5])
    _step(StackedOptimizer(parameters, ["adam", "sgd"], [0.1, 0.1], BETAS), parameters, gradient)
    first = parameters.values[:, :3]
    assert first[0].tolist() == pytest.approx(
        [-0.1, 0.1, 0.0], rel=1e-6
    )  # a learning rate's length, whatever the gradient
    assert first[1].tolist() == pytest.approx([-0.4, 0.05, 0.0], rel=1e-12)


@pytest.mark.parametrize("adams", [0, 1, 5, K])
def test_members_with_sgd_hold_no_moments(adams: int) -> None:
    optimizers: list[Optimizer] = ["adam"] * adams + ["sgd"] * (K - adams)
    optimizer = StackedOptimizer(_parameters(_blocks(0)), optimizers[::-1], LRS, BETAS)
    moments = [t for group in optimizer._groups.values() for t in (*group.means, *group.squares)]
    assert sum(t.numel() for t in moments) == 2 * adams * WIDTH


def test_order_of_members_changes_nothing() -> None:
    order = [5, 0, 7, 3, 1, 6, 2, 4]
    parameters, shuffled = _parameters(_blocks(0)), _parameters(_blocks(0)[order])
    first = StackedOptimizer(parameters, OPTIMIZERS, LRS, BETAS)
    second = StackedOptimizer(shuffled, [OPTIMIZERS[k] for k in order], [LRS[k] for k in order], BETAS)
    for step in range(1, 5):
        _step(first, parameters, _blocks(step))
        _step(second, shuffled, _blocks(step)[order])
    assert_close(shuffled.values, parameters.values[order], rtol=1e-14, atol=0)


@pytest.mark.parametrize("member", [0, 3, 5])  # of each kind; 3 and 0 share a learning rate
def test_nonfinite_gradient_stays_with_its_member(member: int) -> None:
    clean, broken = _parameters(_blocks(0)), _parameters(_blocks(0))
    first, second = (StackedOptimizer(p, OPTIMIZERS, LRS, BETAS) for p in (clean, broken))
    for step in range(1, 5):
        _step(first, clean, _blocks(step))
        gradients = _blocks(step)
        gradients[member] = torch.inf if step == 1 else torch.nan
        _step(second, broken, gradients)
    others = [k for k in range(K) if k != member]
    assert broken.values[member].isnan().all()
    assert torch.equal(broken.values[others], clean.values[others])


def test_a_missing_learning_rate_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        StackedOptimizer(_parameters(_blocks(0)), OPTIMIZERS, LRS[:-1], BETAS)
    with pytest.raises(ValueError, match="7 members, parameters of 8"):
        StackedOptimizer(_parameters(_blocks(0)), OPTIMIZERS[:-1], LRS[:-1], BETAS)
