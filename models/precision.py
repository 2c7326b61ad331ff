"""The precision of matrix products on CUDA devices; everything else is float32 anyway."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def products_in(precision: str) -> Iterator[None]:
    """Matrix products in `float32` or `tf32`, for a while."""
    matmul = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    matmul.fp32_precision = {"float32": "ieee", "tf32": "tf32"}[precision]
    try:
        yield
    finally:
        matmul.fp32_precision = before
