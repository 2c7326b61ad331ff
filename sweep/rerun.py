"""Running one finished trial again, to see whether its numbers come back."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from search_spaces.trial import AXES, Scoring, Training, Trial
from sweep.cohorts import Cohort
from sweep.storage import Storage, StorageError

SCORES = ("score", "inception_score", "coverage", "entropy", "frechet")


@dataclass(frozen=True)
class Rerun:
    """A trial before and now: its state, where it ran, and its scores where it has any."""

    state: tuple[str, str]
    device: tuple[str | None, str | None]
    scores: dict[str, tuple[float | None, float | None]]


def stored_trial(storage: Storage, trial_id: str) -> tuple[Trial, Mapping[str, Any]]:
    """A trial as it was declared and scored, and its row of the view `results`.

    Raises:
        StorageError: there is no such trial, or it has not been scored.
    """
    row = storage.result(trial_id)
    if row is None:
        raise StorageError(f"{storage.name}: no trial {trial_id}, allowed: one of the column trial_id")
    if row["n_samples"] is None:
        raise StorageError(f"{storage.name}: trial {trial_id} is {row['state']}, allowed: one that has a score")
    training = Training(**{field.name: row[field.name] for field in fields(Training)})
    axes = {axis: row[axis] for axis in AXES} | {"dropout_d": bool(row["dropout_d"])}
    scoring = Scoring(n_samples=row["n_samples"], z_seed=row["z_seed"])
    return Trial(space=row["space"], family=row["family"], **axes, training=training, scoring=scoring), row


def rerun(storage: Storage, trial_id: str, device: str) -> Rerun:
    """Train and score a trial once more, alone; nothing is stored.

    Args:
        device: "cpu" or "cuda".

    Raises:
        StorageError: as in `stored_trial`.
    """
    from sweep.worker import run_cohort  # torch, seconds

    trial, before = stored_trial(storage, trial_id)
    *_, records = run_cohort(Cohort((trial,)), device)
    assert isinstance(records, list)
    (now,) = records
    scores = {name: (before[name], (now.scores or {}).get(name)) for name in SCORES}
    return Rerun((before["state"], now.state), (before["device"], now.device), scores)


def rerun_text(found: Rerun) -> str:
    """The difference in lines."""
    lines = [f"state   {found.state[0]} before, {found.state[1]} now"]
    lines.append(f"device  {found.device[0]} before, {found.device[1]} now")
    lines.append(f"{'':18}{'before':>12}{'now':>12}{'difference':>14}")
    for name, (before, now) in found.scores.items():
        difference = "-" if before is None or now is None else f"{now - before:+.3g}"
        lines.append(f"{name:18}{_shown(before):>12}{_shown(now):>12}{difference:>14}")
    lines.append(
        "Outside its cohort, or with other threads, a trial differs in its last bits, which training amplifies."
    )
    return "\n".join(lines)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"
