"""A worker: trains a cohort and scores each of its members. Takes trials, returns plain records."""

import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

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
from sweep.cohorts import Cohort
from sweep.cost import SCORING_BATCH
from sweep.devices import processor_name, return_memory
from sweep.records import Record
from sweep.sheet import sheet

PROGRESS_S = 2.0  # how often a running cohort tells how far it is
# How torch, the C++ library and oneDNN, which computes the classifier, put it on a CPU, all in a RuntimeError.
_OUT_OF_MEMORY = ("can't allocate memory", "bad_alloc", "could not create a")


@dataclass(frozen=True)
class Progress:
    """A cohort under way: updates done by its members together, of how many."""

    member_steps: int
    total: int


def run_cohort(cohort: Cohort, device: str = "cpu") -> Iterator[Progress | list[Record]]:
    """Train and score a cohort on "cpu" or "cuda", telling its progress; the records come last.

    A cohort that does not fit in memory is halved and its halves run one after the other. Any other error fails
    the trials of the cohort: their records carry the traceback.
    """
    try:
        yield from _train_and_score(cohort, torch.device(device))
        return
    except Exception as error:
        if len(cohort.trials) == 1 or not _out_of_memory(error):
            yield _failures(cohort, error)
            return
    # Only here, where no traceback holds the tensors of the cohort any more.
    records: list[Record] = []
    for half in cohort.halves():
        for item in run_cohort(half, device):
            if isinstance(item, list):
                records += item
            else:
                yield item
    yield records


def score_identity(scoring: Scoring) -> ScoreIdentity:
    """What the scores that this code would give now are called."""
    return ScoreIdentity(FORMULA, classifier_card().sha256, scoring.n_samples, scoring.z_seed)


def _train_and_score(cohort: Cohort, device: torch.device) -> Iterator[Progress | list[Record]]:
    torch.backends.cudnn.allow_tf32 = False  # the classifier's convolutions: scores are float32 on every device
    start = time.perf_counter()
    _free_memory()
    training = new_training(cohort, _training_images(device))
    k, steps = len(cohort.trials), training.schedule.steps
    told = start
    with products_in(cohort.trials[0].training.precision):
        while training.steps_done < steps:
            training.step()
            if time.perf_counter() - told > PROGRESS_S:
                told = time.perf_counter()
                yield Progress(k * training.steps_done, k * steps)
    scores, sheets = _score(training, cohort.trials[0].scoring, device)
    diverged = training.diverged().tolist()
    seconds = (time.perf_counter() - start) / k
    yield [
        _record(trial, diverged[i], {name: float(v[i]) for name, v in scores.items()}, sheets[i], seconds, device)
        for i, trial in enumerate(cohort.trials)
    ]


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


def _failures(cohort: Cohort, error: BaseException) -> list[Record]:
    text = "".join(traceback.format_exception(error))
    return [Record(trial_id, "FAILED", error=text) for trial_id in cohort.trial_ids]


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
