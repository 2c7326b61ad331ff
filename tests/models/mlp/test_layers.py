"""Stacked layers are K plain layers side by side: same outputs, same gradients, and no way from one to another."""

from collections.abc import Callable

import pytest
import torch
from plain_training import plain_batch_norm, plain_linear
from torch import Tensor, nn
from torch.testing import assert_close

from models.flat_parameters import Parameter
from models.mlp.layers import Activations, BatchNorm, BatchStats, Dropout, Linear, MemberMatrices, multiply

N, K = 9, 4
EXACT = {"rtol": 1e-12, "atol": 1e-12}
BATCHES = [1, 2, 3]


def _normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _parameter(value: Tensor) -> Parameter:
    return Parameter(value, torch.full_like(value, torch.nan))


def _twin_results(
    twin_of: Callable[[int], nn.Module], x: Tensor, d_out: Tensor
) -> tuple[Tensor, Tensor, list[list[Tensor]]]:
    """Outputs, gradients of the input, and gradients of each member's parameters, summed over the batches."""
    out, d_x, gradients = torch.empty_like(d_out), torch.empty_like(x), []
    for k in range(K):
        twin = twin_of(k)
        for h in range(len(x)):
            leaf = x[h, :, k].clone().requires_grad_()
            result = twin(leaf)
            result.backward(d_out[h, :, k])
            out[h, :, k], d_x[h, :, k] = result.detach(), leaf.grad
        gradients.append([p.grad for p in twin.parameters()])
    return out, d_x, gradients


@pytest.mark.parametrize("batches", BATCHES)
@pytest.mark.parametrize("in_memory", ["in, out", "out, in"])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_equals_plain_linears(bias: bool, in_memory: str, batches: int) -> None:
    weight = _parameter(_normal(K, 5, 3))
    if in_memory == "out, in":
        weight = Parameter(*(t.transpose(1, 2).contiguous().transpose(1, 2) for t in weight))
    layer = Linear(weight, _parameter(_normal(K, 3, seed=1)) if bias else None)
    x, d_out = Activations(_normal(batches, N, K, 5, seed=2)), Activations(_normal(batches, N, K, 3, seed=3))
    out, d_x = x.empty(3), x.empty(5)
    layer.forward(x, out)
    layer.backward(x, d_out)
    layer.input_gradient(d_out, d_x)

    def twin(k: int) -> nn.Module:
        return plain_linear(weight.value[k], layer.bias.value[k] if layer.bias else None)

    expected, expected_x, gradients = _twin_results(twin, x.tensor, d_out.tensor)
    assert_close(out.tensor, expected, **EXACT)
    assert_close(d_x.tensor, expected_x, **EXACT)
    for k, (d_weight, *d_bias) in enumerate(gradients):
        assert_close(weight.gradient[k], d_weight.T, **EXACT)
        for d in d_bias:
            assert_close(layer.bias.gradient[k], d, **EXACT)


@pytest.mark.parametrize("affine_grads", [True, False])
@pytest.mark.parametrize("batches", BATCHES)
def test_batch_norm_equals_plain_batch_norms(batches: int, affine_grads: bool) -> None:
    layer = BatchNorm(_parameter(1 + _normal(K, 5)), _parameter(_normal(K, 5, seed=1)))
    x = Activations(3 * _normal(batches, N, K, 5, seed=2) + torch.arange(K)[:, None])
    gradient = Activations(_normal(batches, N, K, 5, seed=3))

    def twin(k: int) -> nn.Module:
        return plain_batch_norm(layer.scale.value[k], layer.shift.value[k])

    expected, expected_x, gradients = _twin_results(twin, x.tensor, gradient.tensor)
    out, stats = x.empty(5), BatchStats(x)
    layer.forward(x, out, stats)
    layer.backward(x, stats, slice(None), gradient, affine_grads)
    assert_close(out.tensor, expected, **EXACT)
    assert_close(gradient.tensor, expected_x, **EXACT)
    for k, (d_scale, d_shift) in enumerate(gradients):
        if affine_grads:
            assert_close(layer.scale.gradient[k], d_scale, **EXACT)
            assert_close(layer.shift.gradient[k], d_shift, **EXACT)
        else:
            assert layer.scale.gradient.isnan().all()


@pytest.mark.parametrize("batches", BATCHES)
def test_linear_takes_an_input_that_members_share(batches: int) -> None:
    layer = Linear(_parameter(_normal(K, 5, 3)), _parameter(_normal(K, 3, seed=1)))
    shared = Activations(_normal(batches, N, 1, 5, seed=2).expand(-1, -1, K, -1))
    copied = Activations(shared.tensor.contiguous())
    outs = [shared.empty(3), copied.empty(3)]
    for x, out in zip([shared, copied], outs, strict=True):
        layer.forward(x, out)
    assert torch.equal(outs[0].tensor, outs[1].tensor)


@pytest.mark.parametrize("lie", ["members first", "rows first", "transposed"])
def test_products_are_the_members_own_whatever_the_strides(lie: str) -> None:
    def laid(x: Tensor) -> Tensor:
        order = {"members first": (0, 1, 2), "rows first": (1, 0, 2), "transposed": (0, 2, 1)}[lie]
        return x.permute(order).contiguous().permute(order)

    a, b, out = (laid(x) for x in (_normal(K, 6, 5), _normal(K, 5, 3, seed=1), _normal(K, 6, 3, seed=2)))
    multiply(MemberMatrices(a), MemberMatrices(b), MemberMatrices(out))
    assert_close(out, torch.stack([a[k] @ b[k] for k in range(K)]), **EXACT)


@pytest.mark.parametrize("on", [[True, False, True, True], [False] * 4, [True] * 4])
def test_dropout_multiplies_those_who_have_it(on: list[bool]) -> None:
    x, mask = Activations(_normal(2, N, K, 5)), 2.0 * (_normal(2, N, 1, 5, seed=1) > 0).double().expand(-1, -1, K, -1)
    expected = x.tensor * torch.where(torch.tensor(on)[:, None], mask, 1.0)
    Dropout(on).apply(x, mask)
    assert torch.equal(x.tensor, expected)


def test_parts_share_memory() -> None:
    whole = Activations(torch.zeros(3, N, K, 5))
    whole.part(slice(1, 3)).tensor.fill_(1)
    assert whole.tensor.flatten(1).mean(1).tolist() == [0, 1, 1]
    whole.batches[0].fill_(2)
    whole.matrices.each[1].fill_(3)
    assert whole.tensor[0, :, 1].eq(3).all()
    assert whole.tensor[0, :, 0].eq(2).all()
