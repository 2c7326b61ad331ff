"""The precision of matrix products and convolutions on CUDA devices; everything else is float32 anyway.

Only torch's switches `fp32_precision` are used. The older `allow_tf32` sets the same flags in another way, and torch
refuses to read one that was set both ways.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_SWITCHES = {"float32": "ieee", "tf32": "tf32"}


@contextmanager
def fp32_precision(precision: str) -> Iterator[None]:
    """Within the context, products and convolutions run in "float32" or "tf32"; afterwards as they did before."""
    places = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)  # type: ignore[attr-defined]
    before = [place.fp32_precision for place in places]
    try:
        for place in places:
            place.fp32_precision = _SWITCHES[precision]
        yield
    finally:
        for place, switch in zip(places, before, strict=True):
            place.fp32_precision = switch
