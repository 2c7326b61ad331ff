"""What a run says when it has ended: how many trials are done, how long it took, and what to do next."""

from collections import Counter
from collections.abc import Mapping

from sweep.text import counted, duration


def ending(
    counts: Mapping[str, Mapping[str, int]], database: str, seconds: float | None = None, time_limit: str | None = None
) -> str:
    """The end of a run in a few lines. A failed trial has no score; a diverged one has the worst.

    Args:
        counts: trials of the run's search spaces by family and state.
        database: its URL without a password.
        seconds: how long the run took; None if nothing was left to run.
        time_limit: what the time limit left undone; None if it did not end the run.
    """
    states = sum(map(Counter, counts.values()), Counter[str]())
    n, done, failed = states.total(), states["COMPLETE"] + states["DIVERGED"], states["FAILED"]
    took = f" This run took {duration(seconds)}." if seconds is not None else ""
    shown = f"All {counted(n, 'trial')} are done" if done == n else f"{done:,} of {counted(n, 'trial')} are done"
    diverged = f" ({states['DIVERGED']:,} diverged)" if states["DIVERGED"] else ""
    lines = [f"Time limit: {time_limit}."] if time_limit else []
    lines.append(f"{shown}{diverged}.{took}")
    if failed:
        lines.append(
            f"{counted(failed, 'trial')} failed without a score: python -m sweep status says why, "
            "python -m sweep retry lets them run again."
        )
    if n > done + failed:
        lines.append("The same command goes on with the rest.")
    lines.append(f"Results: {database}. Report: python -m reports --db {database}")
    return "\n".join(lines)
