"""The precision of matrix products on CUDA devices; everything else is float32 anyway."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from search_spaces.trial import Precision


@contextmanager
def products_in(precision: Precision) -> Iterator[None]:
    """Matrix products of this precision, for a while."""
    matmul = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    matmul.fp32_precision = {"float32": "ieee", "tf32": "tf32"}[precision]
    try:
        yield
    finally:
        matmul.fp32_precision = before
