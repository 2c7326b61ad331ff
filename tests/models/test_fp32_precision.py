"""Switches of precision hold within their context and are as before afterwards, whatever happened in between."""

import pytest
import torch

from models.precision import fp32_precision


def _switches() -> tuple[str, str]:
    return torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision


@pytest.mark.parametrize(("precision", "expected"), [("float32", "ieee"), ("tf32", "tf32")])
def test_products_and_convolutions_have_the_precision_within_the_context(precision: str, expected: str) -> None:
    before = _switches()
    with fp32_precision(precision):
        assert _switches() == (expected, expected)
        with fp32_precision("float32"):
            assert _switches() == ("ieee", "ieee")
        assert _switches() == (expected, expected)
    assert _switches() == before


def test_the_switches_are_restored_after_an_error() -> None:
    before = _switches()
    with pytest.raises(ZeroDivisionError), fp32_precision("tf32"):
        raise ZeroDivisionError
    assert _switches() == before


def test_an_unknown_precision_changes_nothing() -> None:
    before = _switches()
    with pytest.raises(KeyError), fp32_precision("float16"):
        pass
    assert _switches() == before
