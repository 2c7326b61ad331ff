"""Made trials and the records and databases that go with them, small enough to run in a blink."""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from metrics.identity import Reference, ScoreIdentity
from search_spaces.experiments.mnist_gan import GanScoring, GanSettings, GanTraining
from search_spaces.trial import Trial
from sweep.records import Record
from sweep.storage import Storage

REFERENCE = Reference("some", real_score=14.0, real_inception_score=9.8, classifier_accuracy=0.995)
IDENTITY = ScoreIdentity("kl", "c" * 64, 500, 0, REFERENCE)
NO_IDENTITY = ScoreIdentity("none", "0" * 64, 500, 0)  # under which nothing is ever finished
SCORES = {"score": 7.0, "inception_score": 2.5, "coverage": 6.0, "entropy": 1.5, "frechet": 20.0}
TRIAL = Trial(
    space="tiny",
    experiment="mnist_gan",
    family="gan",
    settings=GanSettings(2, 2, 8, 8, False, "adam", "adam", lr=0.001, margin=None, pt_weight=None, norm_d="separate"),
    training=GanTraining(steps=3, batch_size=8, z_dim=4),
    scoring=GanScoring(n_samples=500),
)
IDENTITIES = {TRIAL.scoring: IDENTITY}
SPACE = """\
family: gan
axes:
  n_layer_g: {layers}
  lr: {rates}
fixed: {{n_layer_d: 2, size_g: {size}, size_d: 16, dropout_d: true, optim_g: adam, optim_d: adam}}
training: {{steps: {steps}, batch_size: 16, z_dim: 10}}
scoring: {{n_samples: 500}}
"""


def trial(**changes: Any) -> Trial:
    """A GAN, or with family="ebgan" or "ebgan_pt" an auto-encoder with margin 10; of any axis or training setting."""
    own = {"gan": (None, None, "separate"), "ebgan": (10.0, 0.0, None), "ebgan_pt": (10.0, 0.1, None)}
    axes = dict(zip(("margin", "pt_weight", "norm_d"), own[changes.get("family", "gan")], strict=True))
    return TRIAL.changed(**axes | changes)


def trials(n: int, **changes: Any) -> list[Trial]:
    return [trial(seed=seed, **changes) for seed in range(n)]


def complete(trial: Trial, identity: ScoreIdentity = IDENTITY, step: int | None = None, **scores: float) -> Record:
    """A record of a trial scored at its last step, or at another one."""
    at = step or trial.training.steps
    return Record(trial.trial_id, "COMPLETE", 1.5, "some CPU", at, {identity: {at: SCORES | scores}}, b"a sheet")


def diverged(trial: Trial) -> Record:
    return Record(trial.trial_id, "DIVERGED", 1.5, "some CPU", trial.training.steps, sheet=b"grey")


def failed(trial: Trial) -> Record:
    return Record(trial.trial_id, "FAILED", error="Traceback ...\nValueError: it broke", reason="error")


def lease(storage: Storage, trials: Iterable[Trial], sweep_id: int = 1) -> int:
    """Start these trials as one cohort, also those that are complete; its number."""
    cohort_id = storage.lease(sweep_id, [trial.trial_id for trial in trials], "some", NO_IDENTITY).cohort_id
    assert cohort_id is not None
    return cohort_id


def put(storage: Storage, records: Sequence[Record]) -> None:
    """Start trials and record how they ended."""
    ids = [record.trial_id for record in records]
    cohort_id = storage.lease(1, ids, "some", NO_IDENTITY).cohort_id
    assert cohort_id is not None
    storage.record(cohort_id, records)


def write_space(
    file: Path, layers: Sequence[int] = (2, 3), rates: Sequence[float] = (0.01, 0.001), size: int = 16, steps: int = 3
) -> str:
    file.write_text(SPACE.format(layers=list(layers), rates=list(rates), size=size, steps=steps))
    return str(file)


def rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    """What plain SQLite reads from a database, none of our code between."""
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def cohorts_in_flight(file: Path) -> int:
    """Cohorts that have begun and not ended."""
    return len(_progress(file))


def cohorts_under_way(file: Path) -> int:
    """Cohorts in flight that have told of progress."""
    return sum(share > 0 for share in _progress(file))


def _progress(file: Path) -> list[float]:
    """Shares of the cohorts in flight that are done."""
    if not file.exists() or not rows(file, "SELECT 1 FROM sqlite_master WHERE name = 'results'"):
        return []
    return [share for (share,) in rows(file, "SELECT progress FROM cohorts WHERE ended_at IS NULL")]
