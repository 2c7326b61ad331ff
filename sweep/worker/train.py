"""A worker: trains a cohort and evaluates each of its members. Takes trials, returns plain records.

The parts that differ from experiment to experiment are in recipes, see `sweep.worker.recipes`.
"""

import math
import time
import traceback
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import torch

from metrics.identity import ScoreIdentity
from models.cohort_training import Training
from models.precision import fp32_precision
from search_spaces.scored_steps import scored_steps
from search_spaces.trial import Trial
from sweep.planning.cohorts import Cohort
from sweep.planning.estimate import FINISH_S
from sweep.planning.machine import processor_name
from sweep.records import Reason, Record
from sweep.worker.checkpoint_folder import CheckpointFolder, key
from sweep.worker.checkpoints import Checkpoints, Restored
from sweep.worker.evaluation import Scores
from sweep.worker.memory import is_out_of_memory, return_memory
from sweep.worker.recipes import recipe_of

PROGRESS_S = 2.0  # seconds between two reports about a running cohort


class TimeLimit(Exception):
    """A cohort that was stopped at the time limit, with a checkpoint if it has a folder for one.

    Attributes:
        share: share of its updates that are done, 0 to 1.
        problem: why the checkpoint could not be written; None if it could, or if there are no checkpoints.
    """

    def __init__(self, share: float, problem: str | None = None) -> None:
        super().__init__(share, problem)
        self.share, self.problem = share, problem


@dataclass(frozen=True)
class CohortProgress:
    """How far a running cohort is.

    Attributes:
        member_steps: updates done, summed over the members.
        total: updates to do, summed over the members.
        note: a message for the user, such as a checkpoint that could not be written.
    """

    member_steps: int
    total: int
    note: str | None = None


CohortSteps = Generator[CohortProgress, None, list[Record]]


def run_cohort(
    cohort: Cohort,
    device: str = "cpu",
    checkpoints: CheckpointFolder | None = None,
    report: Callable[[CohortProgress], None] = lambda progress: None,
) -> list[Record]:
    """Train and evaluate a cohort on "cpu" or "cuda"; returns a record of each trial, in the order of the cohort.

    A cohort that does not fit in memory is halved, and its halves run one after the other. Any other error also halves
    it, as one member may be the cause. If every member of the first half fails, the other half is not tried and fails.

    Args:
        checkpoints: folder and interval of the checkpoints; None for none.
        report: receives the progress every few seconds. An error that it raises ends the cohort.
    """
    with closing(cohort_steps(cohort, device, checkpoints)) as steps:
        while True:
            try:
                progress = next(steps)
            except StopIteration as end:
                records: list[Record] = end.value
                return records
            report(progress)


def cohort_steps(
    cohort: Cohort, device: str = "cpu", checkpoints: CheckpointFolder | None = None, seconds: float = math.inf
) -> CohortSteps:
    """The work of `run_cohort` as a generator, because Ray Tune asks for one step after the other.

    It yields the progress, and returns the records.

    Args:
        seconds: seconds from now to the time limit.

    Raises:
        TimeLimit: the time limit has passed, and the cohort is not expected to end within `FINISH_S` after it.
    """
    folder, every_s = (checkpoints.of(cohort), checkpoints.every_s) if checkpoints else (None, math.inf)
    return (yield from _run(cohort, torch.device(device), folder, every_s, time.perf_counter() + seconds))


def _run(cohort: Cohort, device: torch.device, folder: Path | None, every_s: float, limit: float) -> CohortSteps:
    try:
        checkpoints = Checkpoints(folder, cohort, device) if folder else None
        return (yield from _train_and_evaluate(cohort, device, checkpoints, every_s, limit))
    except TimeLimit:
        raise
    except Exception as error:
        reason: Reason = "memory" if is_out_of_memory(error) else "error"
        if len(cohort.trials) == 1:
            return _failures(cohort, "".join(traceback.format_exception(error)), reason)
    # Outside `except`: inside it the traceback keeps the cohort's tensors alive.
    records: list[Record] = []
    for half in cohort.halves():
        if reason == "error" and len(half.trials) > 1 and records and all(r.state == "FAILED" for r in records):
            records += _failures(half, records[-1].error or "", "error")
        else:
            own = folder / key(half.trial_ids) if folder else None
            records += yield from _run(half, device, own, every_s, limit)
    return records


def _train_and_evaluate(
    cohort: Cohort, device: torch.device, checkpoints: Checkpoints | None, every_s: float, limit: float
) -> CohortSteps:
    start = time.perf_counter()
    return_memory()
    recipe, first = recipe_of(cohort), cohort.trials[0]
    begin = partial(recipe.start, cohort, device)
    restored = checkpoints.restore(begin) if checkpoints else Restored(begin())
    training, scores = restored.training, restored.scores
    start -= restored.seconds
    k, steps = len(cohort.trials), first.training.steps
    if restored.problem:
        yield CohortProgress(k * training.steps_done, k * steps, _unusable(restored.problem, training.steps_done))
    intermediate = scored_steps(first.training, first.scoring) - {steps}
    precision = getattr(first.training, "precision", "float32")  # of an experiment without that setting
    began, done_before = time.perf_counter(), training.steps_done
    reported = saved = began
    failing = False
    with fp32_precision(precision):
        while training.steps_done < steps:
            training.step()
            if training.steps_done in intermediate:
                scores[training.steps_done] = recipe.evaluate(training, cohort, device).values()
            note = None
            if checkpoints and time.perf_counter() - saved > every_s:
                problem = _save(checkpoints, training, time.perf_counter() - start, scores)
                note, failing = (None if failing else problem), problem is not None  # reported once
                saved = time.perf_counter()
            if note or time.perf_counter() - reported > PROGRESS_S:
                reported = time.perf_counter()
                yield CohortProgress(k * training.steps_done, k * steps, note)
                now = time.perf_counter()
                left = (now - began) / (training.steps_done - done_before) * (steps - training.steps_done)
                if now > limit and now + left > limit + FINISH_S:
                    problem = _save(checkpoints, training, now - start, scores) if checkpoints else None
                    raise TimeLimit(training.steps_done / steps, problem)
    final = recipe.evaluate(training, cohort, device)
    scores[steps] = final.values()
    diverged, sheets = training.diverged().tolist(), final.sheets()
    seconds = (time.perf_counter() - start) / k
    return [
        _record(trial, diverged[i], _of_member(scores, i, first), sheets[i], seconds, device)
        for i, trial in enumerate(cohort.trials)
    ]


def _unusable(problem: str, steps_done: int) -> str:
    going_on = f"goes on from update {steps_done}" if steps_done else "starts from its beginning"
    return f"A checkpoint of this cohort could not be used: {problem}. Training {going_on}."


def _save(checkpoints: Checkpoints, training: Training, seconds: float, scores: Mapping[int, Scores]) -> str | None:
    """Write a checkpoint. If that fails, for example on a full disk, the cohort goes on; returns a note about it."""
    try:
        checkpoints.save(training, seconds, scores)
    except OSError as error:
        return f"A checkpoint could not be written: {error}. Training goes on."
    return None


def _of_member(
    scores: Mapping[int, Scores], member: int, first: Trial
) -> dict[ScoreIdentity, dict[int, dict[str, float]]]:
    """Scores of one member by identity and step, without the steps at which it has none."""
    ranking = first.kind.scores[0].name
    steps = [step for step, found in scores.items() if not math.isnan(found[0][ranking][member])]
    return {
        identity: {step: {name: values[member] for name, values in scores[step][rank].items()} for step in steps}
        for rank, identity in enumerate(first.kind.identities(first.scoring))
    }


def _record(
    trial: Trial,
    diverged: bool,
    scores: Mapping[ScoreIdentity, Mapping[int, Mapping[str, float]]],
    png: bytes | None,
    seconds: float,
    device: torch.device,
) -> Record:
    steps = trial.training.columns["steps"]
    record = Record(
        trial_id=trial.trial_id,
        state="COMPLETE",
        duration_s=seconds,
        device=_device_name(device),
        step=steps,
        scores=scores,
        sheet=png,
    )
    if not diverged and record.final is not None:
        return record
    until = {identity: {at: own for at, own in by_step.items() if at < steps} for identity, by_step in scores.items()}
    return replace(record, state="DIVERGED", scores=until)


def _failures(cohort: Cohort, error: str, reason: Reason) -> list[Record]:
    return [Record(trial_id, "FAILED", error=error, reason=reason) for trial_id in cohort.trial_ids]


@lru_cache(maxsize=1)
def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name()
