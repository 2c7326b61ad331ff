"""The undocumented operators of torch that this project calls, and their only home.

They compute what the public operations compute (batch norm, the gradients of ReLU, tanh and batch norm, `torch.optim`),
but into memory that already exists and without bookkeeping, which takes longer than they do on a small network.
No version of torch promises to keep them, so `tests/models/mlp/test_aten.py` compares each with the public operation,
and importing this file fails in one line if one of them is missing.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor

BATCH_NORM_EPSILON = 1e-5  # added to the variance, torch's default
ADAM_EPSILON = 1e-8  # torch's default


def _operator(path: str) -> Any:
    """What `torch` holds under a dotted name.

    Raises:
        ImportError: this version of torch lacks it.
    """
    try:
        return reduce(getattr, path.split("."), torch)
    except AttributeError:
        raise ImportError(
            f"torch {torch.__version__} lacks torch.{path}, which models/mlp/aten.py calls: "
            "install the version of torch that constraints.txt names"
        ) from None


_batch_norm = _operator("native_batch_norm")
_operator("ops.aten.native_batch_norm.out")  # the overload that is called by `out=` below
_batch_norm_backward = _operator("ops.aten.native_batch_norm_backward")
_relu_backward = _operator("ops.aten.threshold_backward.grad_input")
_tanh_backward = _operator("ops.aten.tanh_backward.grad_input")
_fused_adam = _operator("_fused_adam_")
_fused_sgd = _operator("_fused_sgd_")
_foreach_add = _operator("_foreach_add_")


def batch_norm(x: Tensor, scale: Tensor, shift: Tensor, out: Tensor, mean: Tensor, inverse_std: Tensor) -> None:
    """Normalise x [N, C] by the statistics of its N rows.

    Args:
        scale, shift: [C].
        out: receives the result, [N, C].
        mean, inverse_std: receive the statistics of the batch, [C].
    """
    _batch_norm(x, scale, shift, None, None, True, 0.0, BATCH_NORM_EPSILON, out=(out, mean, inverse_std))


def batch_norm_backward(
    d_out: Tensor, x: Tensor, scale: Tensor, mean: Tensor, inverse_std: Tensor, affine_grads: bool
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Gradients of `batch_norm` with respect to x [N, C] and, if `affine_grads`, to scale and shift [C]."""
    wanted = [True, affine_grads, affine_grads]
    gradients: tuple[Tensor, Tensor | None, Tensor | None] = _batch_norm_backward(
        d_out, x, scale, None, None, mean, inverse_std, True, BATCH_NORM_EPSILON, wanted
    )
    return gradients


def relu_backward_(d_out: Tensor, out: Tensor) -> None:
    """Turn the gradient of a ReLU's output into that of its input, in place."""
    _relu_backward(d_out, out, 0, grad_input=d_out)


def tanh_backward_(d_out: Tensor, out: Tensor) -> None:
    """Turn the gradient of tanh's output into that of its input, in place."""
    _tanh_backward(d_out, out, grad_input=d_out)


def adam_step(
    values: Sequence[Tensor],
    gradients: Sequence[Tensor],
    means: Sequence[Tensor],
    squares: Sequence[Tensor],
    steps: Sequence[Tensor],
    lr: float,
    betas: tuple[float, float],
) -> None:
    """One step of Adam on each of some tensors.

    Args:
        means, squares: running moments of the gradients, updated in place.
        steps: how many steps each tensor has taken, a scalar each, updated in place.
    """
    _foreach_add(steps, 1)
    _fused_adam(
        values,
        gradients,
        means,
        squares,
        [],
        steps,
        lr=lr,
        beta1=betas[0],
        beta2=betas[1],
        weight_decay=0.0,
        eps=ADAM_EPSILON,
        amsgrad=False,
        maximize=False,
    )


def sgd_step(values: Sequence[Tensor], gradients: Sequence[Tensor], lr: float) -> None:
    """One step of plain gradient descent on each of some tensors, without momentum and weight decay."""
    _fused_sgd(
        values,
        gradients,
        [],
        weight_decay=0.0,
        momentum=0.0,
        lr=lr,
        dampening=0.0,
        nesterov=False,
        maximize=False,
        is_first_step=False,
    )
