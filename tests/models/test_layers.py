"""Stacked layers are K plain layers side by side: same outputs, same gradients, and no way from one to another."""

import copy

import pytest
import torch
from plain_training import plain_batch_norm, plain_linear
from torch import Tensor, nn
from torch.testing import assert_close

from models.layers import HiddenLayers, StackedBatchNorm, StackedLinear

N, K = 9, 4
BETWEEN = [(), (2,), (2, 3)]  # axes between images and members
EXACT = {"rtol": 1e-12, "atol": 1e-12}


def _normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _shaken(module: nn.Module) -> nn.Module:
    """The module with no weight left at its initial 0 or 1."""
    with torch.no_grad():
        for i, parameter in enumerate(module.parameters()):
            parameter.add_(0.3 * _normal(*parameter.shape, seed=90 + i))
    return module


def _gradients(module: nn.Module, x: Tensor, cotangent: Tensor, *args: object) -> tuple[Tensor, list[Tensor]]:
    """Output, and gradients of the input and every parameter."""
    x = x.clone().requires_grad_()
    out = module(x, *args)
    return out.detach(), list(torch.autograd.grad(out, [x, *module.parameters()], cotangent))


def _plain(stacked: nn.Module, k: int) -> nn.Module:
    """Member k of a stacked module as plain layers."""
    if isinstance(stacked, StackedLinear):
        return plain_linear(stacked.weight[k], None if stacked.bias is None else stacked.bias[k])
    assert isinstance(stacked, StackedBatchNorm)
    return plain_batch_norm(stacked.weight[k], stacked.bias[k])


def _assert_equals_plain(stacked: nn.Module, x: Tensor, cotangent: Tensor) -> None:
    """Each member's output and gradients against its plain twin's, one pass for each index between N and K."""
    out, (grad_x, *grad_parameters) = _gradients(stacked, x, cotangent)
    assert out.shape == cotangent.shape
    passes = x.flatten(1, -3) if x.dim() > 3 else x[:, None]
    for k in range(K):
        twin = _plain(stacked, k)
        total = [torch.zeros_like(p) for p in twin.parameters()]
        for i in range(passes.shape[1]):
            expected, (expected_x, *expected_parameters) = _gradients(
                twin, passes[:, i, k], cotangent.reshape(N, -1, *cotangent.shape[-2:])[:, i, k]
            )
            assert_close(out.reshape(N, -1, *out.shape[-2:])[:, i, k], expected, **EXACT)
            assert_close(grad_x.reshape(N, -1, *x.shape[-2:])[:, i, k], expected_x, **EXACT)
            total = [a + b for a, b in zip(total, expected_parameters, strict=True)]
        for grad, expected in zip(grad_parameters, total, strict=True):
            assert_close(grad[k], expected.T if expected.dim() == 2 else expected, **EXACT)


@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize("bias", [True, False])
def test_linear_equals_plain_linears(bias: bool, between: tuple[int, ...]) -> None:
    layer = _shaken(StackedLinear(_normal(K, 5, 3), bias))
    _assert_equals_plain(layer, _normal(N, *between, K, 5, seed=1), _normal(N, *between, K, 3, seed=2))


@pytest.mark.parametrize("between", BETWEEN)
def test_batch_norm_equals_plain_batch_norms(between: tuple[int, ...]) -> None:
    layer = _shaken(StackedBatchNorm(_normal(K, 2, 5)))
    x = 3 * _normal(N, *between, K, 5, seed=1) + torch.arange(K)[:, None]
    _assert_equals_plain(layer, x, _normal(N, *between, K, 5, seed=2))


def test_linear_passes_a_numerical_check_of_its_gradients() -> None:
    layer = _shaken(StackedLinear(_normal(K, 3, 2), bias=True))

    def forward(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, x)

    inputs = [_normal(5, 2, K, 3, seed=1), layer.weight.detach(), layer.bias.detach()]
    assert torch.autograd.gradcheck(forward, [t.clone().requires_grad_() for t in inputs])


def test_linear_takes_views_and_expanded_inputs() -> None:
    layer = _shaken(StackedLinear(_normal(K, 5, 3), bias=True))
    shared = _normal(N, 1, 5, seed=1).expand(N, K, 5)
    swapped = _normal(K, N, 5, seed=2).transpose(0, 1)
    cotangent = _normal(3, N, K, seed=3).permute(1, 2, 0)
    for view in (shared, swapped):
        out, gradients = _gradients(layer, view, cotangent)
        expected, expected_gradients = _gradients(layer, view.contiguous(), cotangent.contiguous())
        assert_close(out, expected, **EXACT)
        assert_close(gradients, expected_gradients, **EXACT)


@pytest.mark.parametrize("between", [(), (2,)])
@pytest.mark.parametrize("with_masks", [False, True])
@pytest.mark.parametrize("norm_first", [False, True])
def test_hidden_layers_equal_plain_stacks(norm_first: bool, with_masks: bool, between: tuple[int, ...]) -> None:
    stack = _shaken(HiddenLayers([_normal(K, 4, 5), _normal(K, 5, 5, seed=1), _normal(K, 5, 6, seed=2)], norm_first))
    x, cotangent = _normal(N, *between, K, 4, seed=3), _normal(N, *between, K, 6, seed=4)
    widths = (5, 5, 6)
    masks = [2.0 * (_normal(N, *between, K, c, seed=5 + i) > 0) for i, c in enumerate(widths)] if with_masks else None
    out, (grad_x, *_) = _gradients(stack, x, cotangent, masks)
    for k in range(K):
        for i in range(between[0] if between else 1):
            at = (slice(None), i, k) if between else (slice(None), k)
            h = leaf = x[at].clone().requires_grad_()
            for j, (linear, norm) in enumerate(zip(stack.linears, stack.norms, strict=True)):
                h = _plain(linear, k)(h)
                if norm_first or j > 0:
                    h = _plain(norm, k)(h)
                h = torch.relu(h) * (masks[j][at] if masks else 1.0)
            assert_close(out[at], h.detach(), **EXACT)
            assert_close(grad_x[at], torch.autograd.grad(h, leaf, cotangent[at])[0], **EXACT)


def test_batches_side_by_side_equal_separate_passes_and_not_a_joint_one() -> None:
    stack = _shaken(HiddenLayers([_normal(K, 4, 5), _normal(K, 5, 6, seed=1)], norm_first=False))
    x = _normal(N, 2, K, 4, seed=2) + torch.tensor([0.0, 2.0])[:, None, None]
    cotangent = _normal(N, 2, K, 6, seed=3)
    out, (grad_x, *grad_parameters) = _gradients(stack, x, cotangent)
    halves = [_gradients(stack, x[:, i], cotangent[:, i]) for i in range(2)]
    for i, (half, gradients) in enumerate(halves):
        assert_close(out[:, i], half, **EXACT)
        assert_close(grad_x[:, i], gradients[0], **EXACT)
    for i, grad in enumerate(grad_parameters):
        assert_close(grad, halves[0][1][1 + i] + halves[1][1][1 + i], **EXACT)
    joint = stack(torch.cat([x[:, 0], x[:, 1]])).detach()
    assert (joint - torch.cat([out[:, 0], out[:, 1]])).abs().max() > 0.1


def test_bias_only_where_no_batch_norm_follows() -> None:
    for norm_first in (False, True):
        stack = HiddenLayers([_normal(K, 4, 5), _normal(K, 5, 6)], norm_first)
        assert [linear.bias is None for linear in stack.linears] == [norm_first, True]
        assert [isinstance(norm, StackedBatchNorm) for norm in stack.norms] == [norm_first, True]


@pytest.mark.parametrize("norm_first", [False, True])
def test_inputs_and_masks_are_left_as_they_were(norm_first: bool) -> None:
    stack = HiddenLayers([_normal(K, 5, 5)], norm_first)
    x, masks = _normal(N, K, 5, seed=1), [_normal(N, K, 5, seed=2)]
    before = x.clone(), masks[0].clone()
    stack(x, masks)
    assert torch.equal(x, before[0])
    assert torch.equal(masks[0], before[1])


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("where", ["input", "weight", "scale", "mask"])
def test_nonfinite_member_leaves_neighbours_bit_identical(where: str, bad: float) -> None:
    weights = [_normal(K, 4, 5), _normal(K, 5, 6, seed=1)]
    clean = _shaken(HiddenLayers(weights, norm_first=False))
    x, cotangent = _normal(N, 2, K, 4, seed=2), _normal(N, 2, K, 6, seed=3)
    masks = [torch.ones(N, 2, K, 5), torch.ones(N, 2, K, 6)]
    out, gradients = _gradients(clean, x, cotangent, masks)

    broken = copy.deepcopy(clean)
    places = {"input": x, "weight": broken.linears[0].weight, "scale": broken.norms[1].weight, "mask": masks[0]}
    with torch.no_grad():
        places[where].movedim(-2 if where in ("input", "mask") else 0, 0)[1].fill_(bad)
    out_broken, gradients_broken = _gradients(broken, x, cotangent, masks)
    others = [0, 2, 3]
    assert not out_broken[..., 1, :].isfinite().all()
    assert torch.equal(out_broken[..., others, :], out[..., others, :])
    assert torch.equal(gradients_broken[0][..., others, :], gradients[0][..., others, :])
    for grad_broken, grad in zip(gradients_broken[1:], gradients[1:], strict=True):
        assert torch.equal(grad_broken[others], grad[others])
