"""Plan, run and look at sweeps over search spaces of generative models: `plan`, `run`, `load_space`, `load_results`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search_spaces.space_file import load_space
    from sweep.runner import plan, run
    from sweep.storage import load_results

__all__ = ["load_results", "load_space", "plan", "run"]
_HOMES = {
    "load_space": "search_spaces.space_file",
    "plan": "sweep.runner",
    "run": "sweep.runner",
    "load_results": "sweep.storage",
}


def __getattr__(name: str) -> Any:
    """Load a function of `__all__` when it is first used: many commands need none of them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
