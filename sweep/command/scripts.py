"""The commands `ebgan-sweep` and `ebgan-report`. They work in any folder, also where a `data.py` lies."""

from runpy import run_module


def sweep() -> None:
    """What `python -m sweep` does."""
    run_module("sweep", run_name="__main__", alter_sys=True)


def report() -> None:
    """What `python -m reports` does."""
    run_module("reports", run_name="__main__", alter_sys=True)
