"""Fixtures shared by the tests of the metrics: the test digits, and torch-fidelity as an oracle."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from torch import Tensor

from data.tensors import load_mnist, scale
from metrics.scorer import Scorer


@pytest.fixture(scope="session")
def digits() -> tuple[Tensor, Tensor]:
    """The 10,000 test digits [10000, 1024] in [-1, 1], and their labels."""
    images, labels = load_mnist("test")
    return scale(images).flatten(1), labels


@pytest.fixture(scope="session")
def scorer() -> Scorer:
    return Scorer()


@pytest.fixture
def fidelity(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Loads one file of torch-fidelity alone: the package asks for torchvision, these files do not."""
    package = importlib.util.find_spec("torch_fidelity")
    if package is None or not package.submodule_search_locations:
        pytest.skip("torch-fidelity is not installed")
    folder = Path(package.submodule_search_locations[0])

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"oracle_{name}", folder / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    class Nothing(ModuleType):
        """Stands for the imports that the formulas never call, so calling one is an error."""

        def __getattr__(self, name: str) -> None:
            return None

    for name in ("torch_fidelity", "torch_fidelity.helpers", "torch_fidelity.utils"):
        monkeypatch.setitem(sys.modules, name, Nothing(name))
    # The one function called for its effect: it prints a line when asked to.
    sys.modules["torch_fidelity.helpers"].vprint = lambda verbose, text: None  # type: ignore[attr-defined]
    return load
