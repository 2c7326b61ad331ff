"""The state of a sweep as its database tells it, for people and for scripts. Reading never disturbs a run."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from sweep.command.console import counted
from sweep.planning import cost
from sweep.storage import LEASE_S, Storage

if TYPE_CHECKING:
    import pandas as pd

_SHAPE = ["family", "n_layer_g", "n_layer_d", "size_g", "size_d", "batch_size", "z_dim", "steps"]
_MOST_LAYERS = 1000  # far more than a search space may have
_LEAST_SPREAD = 0.1  # of an estimate of time, however well the cohorts so far agree


def read_status(storage: Storage) -> dict[str, Any]:
    """What a database tells of its sweeps.

    Returns:
        counts: trials by family and state.
        failed: failed trials by reason.
        running: cohorts in flight, see `Storage.running`, `alive` telling whether their driver gives signs of life.
        cells_per_minute: of the drivers that run now, since they began; None before anything is done.
        hours_left: lowest and highest estimate for all that waits or runs; None if unknown.
        interrupted, lost: attempts that came to nothing, and hours of cohorts spent on them: stopped by somebody,
            or ended by a death.
        repeated: trials that were started more than once.
        left_out: trials that are in none of these numbers, for no sweep can have written them.
    """
    n_rows = storage.n_rows()  # first: a sweep may add trials meanwhile
    trials, attempts, running = storage.results(), storage.outcomes(), storage.running()
    for cohort in running:
        cohort["alive"] = cohort["silent_s"] < LEASE_S
        cohort["started_at"] = cohort["started_at"].isoformat(timespec="seconds")
    now, sweeps = storage.now(), storage.sweeps()
    alive = sweeps[sweeps["finished_at"].isna() & (sweeps["heard_at"] > now - timedelta(seconds=LEASE_S))]
    rate, hours = _pace(trials, alive["started_at"].min(), now) if len(alive) and running else (None, None)
    last = attempts[attempts["trial_id"].isin(trials.loc[trials["state"] == "FAILED", "trial_id"])]
    last = last.groupby("trial_id").tail(1)
    return {
        "counts": storage.counts(),
        "failed": {str(name): int(n) for name, n in last["reason"].fillna("error").value_counts().items()},
        "running": running,
        "cells_per_minute": rate,
        "hours_left": hours,
        "interrupted": _spent(attempts[attempts["outcome"] == "INTERRUPTED"]),
        "lost": _spent(attempts[attempts["outcome"] == "LOST"]),
        "repeated": int((trials["attempts"] > 1).sum()),
        "left_out": max(0, n_rows - len(trials)),
    }


def status_text(status: Mapping[str, Any]) -> str:
    """The same in lines."""
    lines = []
    for family, states in status["counts"].items():
        shown = ", ".join(f"{n} {state.lower()}" for state, n in states.items() if n)
        lines.append(f"{family:10} {counted(sum(states.values()), 'cell'):>12}: {shown}")
    if status["failed"]:
        lines.append("failed: " + ", ".join(f"{n} by {reason}" for reason, n in status["failed"].items()))
    for cohort in status["running"]:
        silent = "" if cohort["alive"] else f", silent for {timedelta(seconds=round(cohort['silent_s']))}"
        where = f"on {cohort['host']}, process {cohort['pid']}{silent}"
        lines.append(f"running: {cohort['title']}: {cohort['share']:.0%} since {cohort['started_at']} UTC {where}")
    if status["cells_per_minute"] is not None:
        low, high = status["hours_left"]
        lines.append(f"{status['cells_per_minute']:.1f} cells/min; {low:.1f} to {high:.1f} hours left")
    for name in ("interrupted", "lost"):
        spent = status[name]
        if spent["attempts"]:
            lines.append(f"{name}: {counted(spent['attempts'], 'attempt')}, {spent['hours']:.2f} hours of cohorts")
    if status["repeated"]:
        lines.append(f"started more than once: {counted(status['repeated'], 'trial')}")
    if status["left_out"]:
        lines.append(f"left out: {counted(status['left_out'], 'trial')} with values that no sweep wrote")
    return "\n".join(lines)


def _spent(attempts: "pd.DataFrame") -> dict[str, float]:
    """Attempts, and the hours of their cohorts: those that began and ended together were one."""
    if attempts.empty:
        return {"attempts": 0, "hours": 0.0}
    cohorts = attempts[["started_at", "ended_at"]].drop_duplicates()
    seconds = (cohorts["ended_at"] - cohorts["started_at"]).dt.total_seconds()
    return {"attempts": len(attempts), "hours": float(seconds.sum()) / 3600}


def _pace(trials: "pd.DataFrame", since: datetime, now: datetime) -> tuple[float | None, tuple[float, float] | None]:
    """Cells a minute, and the hours that are left, from what was finished since a moment."""
    measured = trials["started_at"].notna() & (trials["duration_s"] > 0)
    recent = trials[trials["state"].isin(["COMPLETE", "DIVERGED"]) & (trials["finished_at"] >= since) & measured]
    shapes = trials[_SHAPE].drop_duplicates()
    shapes["flops"] = [_flops(shape) for shape in shapes.itertuples(index=False, name=None)]
    work = trials.merge(shapes, on=_SHAPE)["flops"].set_axis(trials.index)  # of one trial
    done = float(work[recent.index].sum())
    seconds = (now - recent["started_at"].min()).total_seconds()
    if not (done > 0 and seconds > 0):  # nothing yet, or networks and times that can't be
        return None, None
    pieces = recent.assign(work=work[recent.index]).groupby(["finished_at", "started_at"])[["work", "duration_s"]].sum()
    rates = pieces["work"] / pieces["duration_s"]  # of one cohort
    spread = 2 * float(rates.std()) / len(rates) ** 0.5 / float(rates.mean()) if len(rates) > 1 else 1.0
    spread = min(max(spread, _LEAST_SPREAD), 0.9)
    pace = done / seconds
    left = float(work[trials["state"].isin(["WAITING", "RUNNING"])].sum()) / pace / 3600
    return len(recent) / seconds * 60, (left * (1 - spread), left * (1 + spread))


def _flops(shape: tuple[Any, ...]) -> float:
    """Operations of one training; none for networks too deep to be counted layer by layer."""
    named = dict(zip(_SHAPE, shape, strict=True))
    if max(named["n_layer_g"], named["n_layer_d"]) > _MOST_LAYERS:
        return 0.0
    training = SimpleNamespace(**{name: named.pop(name) for name in ("batch_size", "z_dim", "steps")})
    return max(0.0, float(cost.training_flops(SimpleNamespace(**named, training=training))))  # type: ignore[arg-type]
