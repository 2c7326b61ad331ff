"""Runs one finished trial again, to see whether its numbers are reproduced."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces.experiment import experiments
from search_spaces.space_file import could_declare
from search_spaces.trial import Trial, scoring_of, trial_of
from sweep.planning.cohorts import partition
from sweep.storage import Storage, StorageError


@dataclass(frozen=True)
class Rerun:
    """A trial before and now: its state, its device, and its scores, which may be missing; and whether it ran alone."""

    state: tuple[str, str]
    device: tuple[str | None, str | None]
    scores: dict[str, tuple[float | None, float | None]]
    was_alone: bool


def stored_trial(storage: Storage, trial_id: str) -> tuple[Trial, Mapping[str, Any]]:
    """A trial as it was declared and scored, and its row of the view `results`.

    Raises:
        StorageError: there is no such trial, it has not been scored, or no sweep can have declared it.
    """
    row = storage.result(trial_id)
    if row is None:
        raise StorageError(f"{storage.name}: no trial {trial_id}, allowed: one of the column trial_id")
    if row["experiment"] not in experiments():
        raise StorageError(f"{storage.name}: trial {trial_id}: the experiment {row['experiment']} is not installed")
    scoring = scoring_of(row)
    if row["formula"] is None or any(row[name] is None for name in scoring.columns if name in row):
        raise StorageError(f"{storage.name}: trial {trial_id} is {row['state']}, allowed: one that has a score")
    return _trial(storage, row, scoring), row


def rerun(
    storage: Storage,
    trial_id: str,
    device: str,
    whole_cohort: bool = False,
    progress: Callable[[float], None] = lambda share: None,
) -> Rerun:
    """Train and score a trial again, on a CPU with as many threads as the first time. Nothing is stored.

    Args:
        device: "cpu" or "cuda".
        whole_cohort: train it with the trials of its cohort, not alone. On the same kind of device the results are then
            equal to the bit, unless memory was too small for the whole cohort.
        progress: receives the share that is done, 0 to 1.

    Raises:
        StorageError: as in `stored_trial`, also for another trial of the cohort.
    """
    import torch  # takes seconds to load

    from sweep.worker.train import run_cohort

    with storage.describing():
        trial, before = stored_trial(storage, trial_id)
        settings, rows = storage.ran_with(trial_id)
        together = [_trial(storage, row, trial.scoring) for row in rows] if whole_cohort else [trial]
        cohorts = partition(together, memory=2**62, device=device)
        cohort = next((c for c in cohorts if trial_id in c.trial_ids), None)
        if cohort is None:
            raise StorageError(f"{storage.name}: trial {trial_id}: the trials of its cohort are not known")
    threads = torch.get_num_threads()
    torch.set_num_threads(_cores(settings) or threads)
    try:
        records = run_cohort(cohort, device, report=lambda now: progress(now.member_steps / now.total))
    finally:
        torch.set_num_threads(threads)
    now = next(record for record in records if record.trial_id == trial_id)
    scores = {name: (before[name], (now.final or {}).get(name)) for name in _ranked(trial)}
    return Rerun((before["state"], now.state), (before["device"], now.device), scores, not whole_cohort)


def _ranked(trial: Trial) -> list[str]:
    return [score.name for score in trial.kind.scores if score.higher_is_better is not None]


def _trial(storage: Storage, row: Mapping[str, Any], scoring: Any) -> Trial:
    trial = trial_of(row, scoring)
    if not could_declare(trial) or trial.trial_id != row["trial_id"]:
        raise StorageError(f"{storage.name}: trial {row['trial_id']}: holds what no sweep wrote")
    return trial


def _cores(settings: Mapping[str, Any]) -> int | None:
    """Processor cores of a worker of that sweep; None if its settings do not hold them."""
    worker = settings.get("worker")
    cores = worker.get("cores") if isinstance(worker, dict) else None
    return cores if isinstance(cores, int) and 0 < cores < 2**15 else None


def rerun_text(found: Rerun) -> str:
    """The difference as text."""
    lines = [f"state   {found.state[0]} before, {found.state[1]} now"]
    lines.append(f"device  {found.device[0]} before, {found.device[1]} now")
    lines.append(f"{'':18}{'before':>12}{'now':>12}{'difference':>14}")
    for name, (before, now) in found.scores.items():
        difference = "-" if before is None or now is None else f"{now - before:+.3g}"
        lines.append(f"{name:18}{_shown(before):>12}{_shown(now):>12}{difference:>14}")
    if found.was_alone:
        lines.append("Trained alone, a trial differs in its last bits from one in a cohort; training amplifies that.")
        lines.append("With --cohort it is trained in its cohort again.")
    return "\n".join(lines)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"
