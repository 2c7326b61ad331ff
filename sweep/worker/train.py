"""A worker: trains a cohort and scores each of its members. Takes trials, returns plain records."""

import math
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import torch
from torch import Tensor

from data.sample_sheet import sheet
from data.tensors import load_mnist, scale
from models.mlp.architecture import Architecture, Member, TrainingConfig
from models.mlp.training import CohortTraining
from models.precision import fp32_precision
from search_spaces.trial import Trial
from sweep.planning.cohorts import Cohort
from sweep.planning.machine import processor_name, return_memory
from sweep.records import Reason, Record
from sweep.worker.checkpoint_folder import Marks, key
from sweep.worker.checkpoints import Checkpoints, Restored
from sweep.worker.evaluation import Scores, score, score_identity, scored_steps

PROGRESS_S = 2.0  # how often a running cohort tells how far it is
# How torch, the C++ library and oneDNN, which computes the classifier, put it on a CPU, all in a RuntimeError.
_OUT_OF_MEMORY = ("can't allocate memory", "bad_alloc", "could not create a")


@dataclass(frozen=True)
class Progress:
    """A cohort under way: updates done by its members together, of how many."""

    member_steps: int
    total: int
    note: str | None = None  # something to tell whoever watches


def run_cohort(cohort: Cohort, device: str = "cpu", marks: Marks | None = None) -> Iterator[Progress | list[Record]]:
    """Train and score a cohort on "cpu" or "cuda", telling its progress; the records come last.

    A cohort that does not fit in memory is halved and its halves run one after the other. So is one whose code raises
    an error, which may be that of a single member; where it is not, the rest fails without being tried.

    Args:
        marks: where and how often checkpoints are kept; None for none.
    """
    folder, every_s = (marks.of(cohort), marks.every_s) if marks else (None, math.inf)
    yield from _run(cohort, torch.device(device), folder, every_s)


def _run(
    cohort: Cohort, device: torch.device, folder: Path | None, every_s: float
) -> Iterator[Progress | list[Record]]:
    try:
        checkpoints = Checkpoints(folder, cohort, device) if folder else None
        yield from _train_and_score(cohort, device, checkpoints, every_s)
        return
    except Exception as error:
        reason: Reason = "memory" if _out_of_memory(error) else "error"
        if len(cohort.trials) == 1:
            yield _failures(cohort, "".join(traceback.format_exception(error)), reason)
            return
    # Only here, where no traceback holds the tensors of the cohort any more.
    records: list[Record] = []
    for half in cohort.halves():
        if reason == "error" and len(half.trials) > 1 and records and all(r.state == "FAILED" for r in records):
            records += _failures(half, records[-1].error or "", "error")
            continue
        below = folder / key(half.trial_ids) if folder else None
        for item in _run(half, device, below, every_s):
            if isinstance(item, list):
                records += item
            else:
                yield item
    yield records


def _train_and_score(
    cohort: Cohort, device: torch.device, checkpoints: Checkpoints | None, every_s: float
) -> Iterator[Progress | list[Record]]:
    start = time.perf_counter()
    _free_memory()
    begin = partial(new_training, cohort, _training_images(device))
    found = checkpoints.restore(begin) if checkpoints else Restored(begin())
    training, scores = found.training, found.scores
    start -= found.seconds
    k, steps, scoring = len(cohort.trials), training.config.steps, cohort.trials[0].scoring
    if found.problem:
        yield Progress(k * training.steps_done, k * steps, _unusable(found.problem, training.steps_done))
    on_the_way = scored_steps(steps, scoring.times) - {steps}
    told = kept = time.perf_counter()
    failing = False
    with fp32_precision(cohort.trials[0].training.precision):
        while training.steps_done < steps:
            training.step()
            if training.steps_done in on_the_way:
                scores[training.steps_done], _ = score(training, scoring, device)
            note = None
            if checkpoints and time.perf_counter() - kept > every_s:
                problem = _keep(checkpoints, training, time.perf_counter() - start, scores)
                note, failing = (None if failing else problem), problem is not None  # told once
                kept = time.perf_counter()
            if note or time.perf_counter() - told > PROGRESS_S:
                told = time.perf_counter()
                yield Progress(k * training.steps_done, k * steps, note)
    scores[steps], images = score(training, scoring, device)
    diverged = training.diverged().tolist()
    sheets = [sheet(member.numpy()) for member in images]
    seconds = (time.perf_counter() - start) / k
    yield [
        _record(trial, diverged[i], _of_member(scores, i), sheets[i], seconds, device)
        for i, trial in enumerate(cohort.trials)
    ]


def _unusable(problem: str, steps_done: int) -> str:
    going_on = f"goes on from update {steps_done}" if steps_done else "starts from its beginning"
    return f"A checkpoint of this cohort could not be used: {problem}. Training {going_on}."


def _keep(
    checkpoints: Checkpoints, training: CohortTraining, seconds: float, scores: Mapping[int, Scores]
) -> str | None:
    """Write a checkpoint; a full disk costs the checkpoint, not the cohort. Returns what to tell of it."""
    try:
        checkpoints.save(training, seconds, scores)
    except OSError as error:
        return f"A checkpoint could not be written: {error}. Training goes on."
    return None


def new_training(cohort: Cohort, images: Tensor) -> CohortTraining:
    """The training of a cohort, from the trials' settings."""
    first = cohort.trials[0]
    shared = first.training
    architecture = Architecture(
        discriminator="logit" if first.family == "gan" else "autoencoder",
        n_layer_g=first.n_layer_g,
        n_layer_d=first.n_layer_d,
        size_g=first.size_g,
        size_d=first.size_d,
        z_dim=shared.z_dim,
        pixels=images.shape[1],
    )
    members = [
        Member(t.lr, t.optim_g, t.optim_d, t.dropout_d, t.seed, t.margin, t.pt_weight or 0.0) for t in cohort.trials
    ]
    schedule = TrainingConfig(shared.steps, shared.batch_size, shared.beta1, shared.beta2, shared.dropout_rate)
    return CohortTraining(architecture, members, schedule, images)


def _of_member(scores: Mapping[int, Scores], member: int) -> dict[int, dict[str, float]]:
    """Its scores by step, as far as there were any."""
    own = {step: {name: values[member] for name, values in found.items()} for step, found in scores.items()}
    return {step: values for step, values in own.items() if not math.isnan(values["score"])}


def _record(
    trial: Trial,
    diverged: bool,
    scores: Mapping[int, Mapping[str, float]],
    png: bytes,
    seconds: float,
    device: torch.device,
) -> Record:
    steps = trial.training.steps
    diverged = diverged or steps not in scores
    return Record(
        trial_id=trial.trial_id,
        state="DIVERGED" if diverged else "COMPLETE",
        duration_s=seconds,
        device=_device_name(device),
        step=steps,
        identity=score_identity(trial.scoring),
        scores=None if diverged else scores[steps],
        sheet=png,
        earlier={step: values for step, values in scores.items() if step < steps},
    )


def _failures(cohort: Cohort, error: str, reason: Reason) -> list[Record]:
    return [Record(trial_id, "FAILED", error=error, reason=reason) for trial_id in cohort.trial_ids]


def _out_of_memory(error: Exception) -> bool:
    """Whether the memory of the device or of the process was too small."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _OUT_OF_MEMORY)


def _free_memory() -> None:
    """Let go of what the cohort before took."""
    return_memory()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@lru_cache(maxsize=1)
def _training_images(device: torch.device) -> Tensor:
    images, _ = load_mnist("train")
    return scale(images).flatten(1).to(device)


@lru_cache(maxsize=1)
def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name()
