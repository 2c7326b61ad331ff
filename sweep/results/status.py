"""The state of a sweep, read from its database, for people and for scripts. Reading does not disturb a sweep."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from search_spaces.experiment import experiments
from sweep.planning.estimate import left_text, seconds_left
from sweep.planning.rates import Rates, like_stored, recorded
from sweep.storage import LEASE_S, Storage
from sweep.text import counted

if TYPE_CHECKING:
    import pandas as pd

_LEAST_SPREAD = 0.1  # of an estimate of time, even if all cohorts so far had the same rate


def read_status(storage: Storage) -> dict[str, Any]:
    """The state of the sweeps in a database.

    Returns:
        counts: trials by family and state.
        failed: failed trials by reason.
        last_error: the last line of the error of the last that failed; None if none did.
        running: cohorts in flight, see `Storage.running`; `alive` tells whether their driver sends heartbeats.
        cells_per_minute: trials per minute of the drivers that run now, since they began; None before a trial ended.
        hours_left: lowest and highest estimate for all trials that wait or run; None if unknown.
        interrupted, lost: attempts without a result, and the hours of their cohorts: a user stopped them, or a process
            died.
        repeated: trials that were started more than once.
        left_out: trials that are in none of these numbers, because no sweep can have written their values.
    """
    n_rows = storage.n_rows()  # comes first: a sweep may add trials meanwhile
    trials, attempts, running = storage.results(), storage.outcomes(), storage.running()
    for cohort in running:
        cohort["alive"] = cohort["silent_s"] < LEASE_S
        cohort["started_at"] = cohort["started_at"].isoformat(timespec="seconds")
    now, sweeps = storage.now(), storage.sweeps()
    alive = sweeps[sweeps["finished_at"].isna() & (sweeps["last_heartbeat"] > now - timedelta(seconds=LEASE_S))]
    rate, hours = None, None
    if len(alive) and running:
        work = _work(trials, recorded(_device(alive["settings"])))
        rate, hours = _rate_and_hours_left(trials, work, attempts, storage.in_flight(), alive["started_at"].min(), now)
    last = attempts[attempts["trial_id"].isin(trials.loc[trials["state"] == "FAILED", "trial_id"])]
    last = last.groupby("trial_id").tail(1)
    return {
        "counts": storage.counts(),
        "failed": {str(name): int(n) for name, n in last["reason"].fillna("error").value_counts().items()},
        "last_error": _last_line(storage.last_error()) if len(last) else None,
        "running": running,
        "cells_per_minute": rate,
        "hours_left": hours,
        "interrupted": _spent(attempts[attempts["outcome"] == "INTERRUPTED"]),
        "lost": _spent(attempts[attempts["outcome"] == "LOST"]),
        "repeated": int((trials["attempts"] > 1).sum()),
        "left_out": max(0, n_rows - len(trials)),
    }


def status_text(status: Mapping[str, Any]) -> str:
    """The state of the sweeps as text."""
    lines = []
    for family, states in status["counts"].items():
        shown = ", ".join(f"{n} {state.lower()}" for state, n in states.items() if n)
        lines.append(f"{family:10} {counted(sum(states.values()), 'trial'):>12}: {shown}")
    if status["failed"]:
        reasons = ", ".join(f"{n} by {reason}" for reason, n in status["failed"].items())
        lines.append(f"failed: {reasons}" + (f"; the last: {status['last_error']}" if status["last_error"] else ""))
    for cohort in status["running"]:
        silent = "" if cohort["alive"] else f", silent for {timedelta(seconds=round(cohort['silent_s']))}"
        where = f"on {cohort['host']}, process {cohort['pid']}{silent}"
        lines.append(f"running: {cohort['title']}: {cohort['share']:.0%} since {cohort['started_at']} UTC {where}")
    if status["cells_per_minute"] is not None:
        low, high = status["hours_left"]
        lines.append(f"{status['cells_per_minute']:.1f} trials/min, {left_text(1800 * (low + high))}")
    for name in ("interrupted", "lost"):
        spent = status[name]
        if spent["attempts"]:
            lines.append(f"{name}: {counted(spent['attempts'], 'attempt')}, {spent['hours']:.2f} hours of cohorts")
    if status["repeated"]:
        lines.append(f"started more than once: {counted(status['repeated'], 'trial')}")
    if status["left_out"]:
        lines.append(f"left out: {counted(status['left_out'], 'trial')} with values that no sweep wrote")
    return "\n".join(lines)


def _last_line(text: str | None) -> str | None:
    return text.strip().splitlines()[-1] if text and text.strip() else None


def _spent(attempts: "pd.DataFrame") -> dict[str, float]:
    """The number of attempts, and the hours of their cohorts."""
    if attempts.empty:
        return {"attempts": 0, "hours": 0.0}
    cohorts = attempts.drop_duplicates("cohort_id")  # attempts of older versions have no cohort, and count as one
    seconds = (cohorts["ended_at"] - cohorts["started_at"]).dt.total_seconds()
    return {"attempts": len(attempts), "hours": float(seconds.sum()) / 3600}


def _rate_and_hours_left(
    trials: "pd.DataFrame",
    work: "pd.Series",
    attempts: "pd.DataFrame",
    in_flight: "pd.DataFrame",
    since: datetime,
    now: datetime,
) -> tuple[float | None, tuple[float, float] | None]:
    """Trials per minute and hours left, from the work done since a moment, that of cohorts in flight included."""
    measured = trials["started_at"].notna() & (trials["duration_s"] > 0)
    recent = trials[trials["state"].isin(["COMPLETE", "DIVERGED"]) & (trials["finished_at"] >= since) & measured]
    begun = trials["trial_id"].map(in_flight.set_index("trial_id")["progress"]).fillna(0.0)
    done = float(work[recent.index].sum() + (work * begun).sum())
    seconds = (now - min(recent["started_at"].min(), in_flight["started_at"].min(), key=_earliest)).total_seconds()
    left = float((work * (1 - begun))[trials["state"].isin(["WAITING", "RUNNING"])].sum())
    estimate = seconds_left(done, seconds, left)
    if estimate is None:  # nothing is done yet, or sizes or times are impossible
        return None, None
    spread = _spread(recent, work, attempts)
    hours = (estimate * (1 - spread) / 3600, estimate * (1 + spread) / 3600)
    return len(recent) / seconds * 60, hours


def _earliest(moment: "pd.Timestamp") -> float:
    """A sort key by which a missing time comes last."""
    return moment.timestamp() if moment == moment else float("inf")


def _spread(recent: "pd.DataFrame", work: "pd.Series", attempts: "pd.DataFrame") -> float:
    """Uncertainty of the time left, as a share of it, from the spread of the rates of cohorts."""
    ended = attempts[attempts["outcome"].isin(["COMPLETE", "DIVERGED"])].drop_duplicates("trial_id", keep="last")
    cohort = recent["trial_id"].map(ended.set_index("trial_id")["cohort_id"])
    pieces = recent.assign(work=work[recent.index]).groupby(cohort)[["work", "duration_s"]].sum()
    rates = pieces["work"] / pieces["duration_s"]
    spread = 2 * float(rates.std()) / len(rates) ** 0.5 / float(rates.mean()) if len(rates) > 1 else 1.0
    return min(max(spread, _LEAST_SPREAD), 0.9)


def _device(settings: Iterable[Any]) -> str:
    """Where the workers of sweeps run, from their settings, which a stranger may have written."""
    workers = [one["worker"] for one in settings if isinstance(one, dict) and isinstance(one.get("worker"), dict)]
    return "cuda" if any(worker.get("gpus") for worker in workers) else "cpu"


def _work(trials: "pd.DataFrame", rates: Rates) -> "pd.Series":
    """Seconds that the training of each trial is expected to take; 0 for a shape that no search space declares.

    All trials of a shape count as one cohort.
    """
    import pandas as pd  # takes a second to load; other commands do not need it

    work = pd.Series(0.0, trials.index)
    for name, kind in experiments().items():
        columns = ["experiment", "family", *kind.shape_axes, *kind.training_columns]
        own = trials.loc[trials["experiment"] == name, columns]
        shapes = own.groupby(columns, dropna=False, observed=True).size().reset_index(name="members")
        shapes["seconds"] = [
            rates.training_seconds(trial, row["members"]) / row["members"] if (trial := like_stored(row)) else 0.0
            for row in shapes.to_dict("records")
        ]
        work[own.index] = own.merge(shapes, on=columns, how="left")["seconds"].to_numpy()
    return work
