"""Every undocumented operator computes what its public counterpart computes, and has one home."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from models.mlp import aten

ROOT = Path(__file__).parents[3]
PACKAGES = ("search_spaces", "data", "models", "metrics", "sweep", "reports", "benchmarks")
N, C = 12, 7
TOLERANCE = {torch.float64: {"rtol": 1e-12, "atol": 1e-12}, torch.float32: {"rtol": 1e-5, "atol": 1e-6}}
BETAS = (0.5, 0.97)
UNDOCUMENTED = re.compile(r"torch\.(ops\b|native_|_fused_|_foreach_)")

every_dtype = pytest.mark.parametrize("dtype", TOLERANCE)


def _normal(*shape: int, seed: int, dtype: torch.dtype) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@every_dtype
def test_batch_norm_is_the_public_one(dtype: torch.dtype) -> None:
    x = 3 * _normal(N, C, seed=0, dtype=dtype) + 5
    scale, shift = (_normal(C, seed=s, dtype=dtype) for s in (1, 2))
    out, mean, inverse_std = torch.full_like(x, torch.nan), torch.empty_like(scale), torch.empty_like(scale)
    aten.batch_norm(x, scale, shift, out, mean, inverse_std)
    assert_close(out, F.batch_norm(x, None, None, scale, shift, training=True), **TOLERANCE[dtype])
    assert_close(mean, x.mean(0), **TOLERANCE[dtype])
    assert_close(inverse_std, (x.var(0, correction=0) + 1e-5).rsqrt(), **TOLERANCE[dtype])


@every_dtype
@pytest.mark.parametrize("affine_grads", [True, False])
def test_batch_norm_backward_is_that_of_autograd(affine_grads: bool, dtype: torch.dtype) -> None:
    x, d_out = (_normal(N, C, seed=s, dtype=dtype) for s in (0, 3))
    scale, shift = (_normal(C, seed=s, dtype=dtype) for s in (1, 2))
    out, mean, inverse_std = torch.empty_like(x), torch.empty_like(scale), torch.empty_like(scale)
    aten.batch_norm(x, scale, shift, out, mean, inverse_std)
    d_x, *affine = aten.batch_norm_backward(d_out, x, scale, mean, inverse_std, affine_grads)
    leaves = [tensor.clone().requires_grad_() for tensor in (x, scale, shift)]
    F.batch_norm(leaves[0], None, None, *leaves[1:], training=True).backward(d_out)
    assert_close(d_x, leaves[0].grad, **TOLERANCE[dtype])
    if affine_grads:
        assert_close(affine, [leaf.grad for leaf in leaves[1:]], **TOLERANCE[dtype])
    else:
        assert affine == [None, None]


@every_dtype
@pytest.mark.parametrize(
    ("backward", "activation"), [(aten.relu_backward_, torch.relu), (aten.tanh_backward_, torch.tanh)]
)
def test_gradients_of_activations_are_those_of_autograd(
    backward: Callable[[Tensor, Tensor], None], activation: Callable[[Tensor], Tensor], dtype: torch.dtype
) -> None:
    x, d_out = (_normal(N, C, seed=s, dtype=dtype).requires_grad_(s == 0) for s in (0, 3))
    out = activation(x)
    out.backward(d_out)
    gradient = d_out.clone()
    backward(gradient, out.detach())
    assert_close(gradient, x.grad, **TOLERANCE[dtype])
    assert not torch.equal(gradient, d_out)


def _stepped(
    step: Callable[[list[Tensor], list[Tensor]], None], optimizer: torch.optim.Optimizer, dtype: torch.dtype
) -> tuple[list[Tensor], list[Tensor]]:
    """Values after five steps with the same gradients: ours, and those of an optimiser of torch."""
    public = optimizer.param_groups[0]["params"]
    ours = [p.detach().clone() for p in public]
    for i in range(5):
        gradients = [_normal(*p.shape, seed=10 * i + j, dtype=dtype) * 10.0**i for j, p in enumerate(public)]
        step(ours, gradients)
        for p, gradient in zip(public, gradients, strict=True):
            p.grad = gradient.clone()
        optimizer.step()
    return ours, [p.detach() for p in public]


def _parameters(dtype: torch.dtype) -> list[Tensor]:
    return [_normal(*shape, seed=i, dtype=dtype).requires_grad_() for i, shape in enumerate([(N, C), (C,)])]


@every_dtype
def test_adam_step_is_torch_optim_adam(dtype: torch.dtype) -> None:
    parameters = _parameters(dtype)
    means, squares = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
    steps = [torch.zeros(()) for _ in parameters]
    optimizer = torch.optim.Adam(parameters, lr=0.03, betas=BETAS, foreach=False, fused=False)

    def step(values: list[Tensor], gradients: list[Tensor]) -> None:
        aten.adam_step(values, gradients, means, squares, steps, 0.03, BETAS)

    ours, public = _stepped(step, optimizer, dtype)
    assert_close(ours, public, **TOLERANCE[dtype])
    assert [s.item() for s in steps] == [5, 5]
    for i, p in enumerate(parameters):
        assert_close(means[i], optimizer.state[p]["exp_avg"], **TOLERANCE[dtype])
        assert_close(squares[i], optimizer.state[p]["exp_avg_sq"], **TOLERANCE[dtype])


@every_dtype
def test_sgd_step_is_torch_optim_sgd(dtype: torch.dtype) -> None:
    optimizer = torch.optim.SGD(_parameters(dtype), lr=0.03, foreach=False, fused=False)
    ours, public = _stepped(lambda values, gradients: aten.sgd_step(values, gradients, 0.03), optimizer, dtype)
    assert_close(ours, public, **TOLERANCE[dtype])


@pytest.mark.parametrize("path", ["ops.aten.tanh_backward.grad_output", "ops.aten.no_such_operator", "_fused_lion_"])
def test_a_missing_operator_is_one_line_that_names_the_version_of_torch(path: str) -> None:
    with pytest.raises(ImportError) as error:
        aten._operator(path)
    assert str(error.value).startswith(f"torch {torch.__version__} lacks torch.{path}, ")
    assert "\n" not in str(error.value)


def _undocumented(path: Path) -> list[str]:
    """Operators of ATen, fused kernels and foreach kernels that a file takes from torch."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            found.append(ast.unparse(node))
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name for name in found if UNDOCUMENTED.match(name)]


def test_no_other_file_takes_them_from_torch() -> None:
    users = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if _undocumented(path)]
    assert users == []  # `aten` itself looks them up by name


def test_the_search_would_find_them(tmp_path: Path) -> None:
    for line in (
        "torch.ops.aten.relu(x)",
        "torch.native_batch_norm(x, out=y)",
        "torch._fused_adam_(x)",
        "torch._foreach_add_(x)",
        "from torch import _fused_sgd_",
    ):
        (tmp_path / "file.py").write_text(line)
        assert _undocumented(tmp_path / "file.py") != []
