"""A worker: trains a cohort and scores each of its members. Takes trials, returns plain records."""

import math
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from data.tensors import load_mnist, scale
from metrics.card import classifier_card
from metrics.identity import FORMULA, ScoreIdentity
from metrics.scorer import Scorer
from models.architecture import Architecture, Member, Schedule
from models.draws import stream
from models.training import CohortTraining
from search_spaces.trial import Precision, Scoring, Trial
from sweep.checkpoints import Checkpoints
from sweep.cohorts import Cohort
from sweep.cost import SCORING_BATCH
from sweep.devices import processor_name, return_memory
from sweep.marks import Marks, key
from sweep.records import Reason, Record
from sweep.sheet import sheet

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


def score_identity(scoring: Scoring) -> ScoreIdentity:
    """What the scores that this code would give now are called."""
    return ScoreIdentity(FORMULA, classifier_card().sha256, scoring.n_samples, scoring.z_seed)


def _train_and_score(
    cohort: Cohort, device: torch.device, checkpoints: Checkpoints | None, every_s: float
) -> Iterator[Progress | list[Record]]:
    torch.backends.cudnn.allow_tf32 = False  # the classifier's convolutions: scores are float32 on every device
    start = time.perf_counter()
    _free_memory()
    training = new_training(cohort, _training_images(device))
    if checkpoints:
        start -= checkpoints.restore(training)
    k, steps = len(cohort.trials), training.schedule.steps
    told = kept = time.perf_counter()
    failing = False
    with products_in(cohort.trials[0].training.precision):
        while training.steps_done < steps:
            training.step()
            note = None
            if checkpoints and time.perf_counter() - kept > every_s:
                problem = _keep(checkpoints, training, time.perf_counter() - start)
                note, failing = (None if failing else problem), problem is not None  # told once
                kept = time.perf_counter()
            if note or time.perf_counter() - told > PROGRESS_S:
                told = time.perf_counter()
                yield Progress(k * training.steps_done, k * steps, note)
    scores, sheets = _score(training, cohort.trials[0].scoring, device)
    diverged = training.diverged().tolist()
    seconds = (time.perf_counter() - start) / k
    yield [
        _record(trial, diverged[i], {name: float(v[i]) for name, v in scores.items()}, sheets[i], seconds, device)
        for i, trial in enumerate(cohort.trials)
    ]


def _keep(checkpoints: Checkpoints, training: CohortTraining, seconds: float) -> str | None:
    """Write a checkpoint; a full disk costs the checkpoint, not the cohort. Returns what to tell of it."""
    try:
        checkpoints.save(training, seconds)
    except OSError as error:
        return f"A checkpoint could not be written: {error}. Training goes on."
    return None


@contextmanager
def products_in(precision: Precision) -> Iterator[None]:
    """Matrix products of this precision on CUDA devices, for a while; scoring stays in float32."""
    matmul = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    matmul.fp32_precision = {"float32": "ieee", "tf32": "tf32"}[precision]
    try:
        yield
    finally:
        matmul.fp32_precision = before


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
    schedule = Schedule(shared.steps, shared.batch_size, shared.beta1, shared.beta2, shared.dropout_rate)
    return CohortTraining(architecture, members, schedule, images)


def _score(
    training: CohortTraining, scoring: Scoring, device: torch.device
) -> tuple[dict[str, list[float]], list[bytes]]:
    """Scores of every member, and its sample sheet, from the same noise for all trials."""
    noise = stream(scoring.z_seed, "score", device)
    z = torch.randn(scoring.n_samples, training.architecture.z_dim, generator=noise, device=device)
    first: list[Tensor] = []

    def images() -> Iterator[Tensor]:
        for batch in z.split(SCORING_BATCH):
            generated = training.generate(batch).transpose(0, 1)
            if not first:
                first.append(generated[:, :96].nan_to_num(-1).cpu())
            yield generated

    scores = _scorer(device).score(images())
    return {name: values.tolist() for name, values in scores.items()}, [sheet(m.numpy()) for m in first[0]]


def _record(
    trial: Trial, diverged: bool, scores: dict[str, float], png: bytes, seconds: float, device: torch.device
) -> Record:
    diverged = diverged or scores["score"] != scores["score"]
    return Record(
        trial_id=trial.trial_id,
        state="DIVERGED" if diverged else "COMPLETE",
        duration_s=seconds,
        device=_device_name(device),
        step=trial.training.steps,
        identity=score_identity(trial.scoring),
        scores=None if diverged else scores,
        sheet=png,
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
def _scorer(device: torch.device) -> Scorer:
    return Scorer(device)


@lru_cache(maxsize=1)
def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name()
