"""The commands `ebgan-sweep` and `ebgan-report`. They work in any folder, also in one that holds a `data.py`."""

from runpy import run_module


def sweep() -> None:
    """Do the same as `python -m sweep`."""
    run_module("sweep", run_name="__main__", alter_sys=True)


def report() -> None:
    """Do the same as `python -m reports`."""
    run_module("reports", run_name="__main__", alter_sys=True)
