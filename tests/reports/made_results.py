"""Made results: rows of the view `results` as plain values, and a small database with the same kind of rows."""

import io
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from metrics.identity import Reference, ScoreIdentity
from search_spaces.space import expand
from search_spaces.space_file import load_space
from search_spaces.trial import Trial
from sweep.records import Record
from sweep.storage import Storage

REAL_SCORE = 15.0
GRIDS = [f"laptop/mnist_{name}" for name in ("gan", "ebgan", "ebgan_pt")]
_SCORES = ("score", "inception_score", "coverage", "entropy", "frechet", "score_fraction", "real_score")
_ENERGIES = ("d_loss", "energy_real", "energy_fake", "movement")
_IDENTITY = ("formula", "classifier", "n_samples", "z_seed")
_COURSE = ("duration_s", "device", "started_at", "finished_at")
_SCORING = ScoreIdentity("kl", "c" * 64, 1000, 0, Reference("some", 0, REAL_SCORE, 9.8, 0.99))
_MISSING: dict[str, Any] = dict.fromkeys((*_SCORES, *_ENERGIES, *_IDENTITY, *_COURSE))
_CELL: dict[str, Any] = {
    "experiment": "mnist_gan",
    "family": "gan",
    "n_layer_g": 2,
    "n_layer_d": 2,
    "size_d": 16,
    "dropout_d": False,
    "optim_g": "adam",
    "optim_d": "adam",
    "lr": 1e-3,
    "margin": None,
    "pt_weight": None,
    "norm_d": None,
    "seed": 0,
    "steps": 300,
    "data": "mnist",
    "batch_size": 64,
    "z_dim": 100,
    "beta1": 0.5,
    "beta2": 0.999,
    "dropout_rate": 0.5,
    "precision": "float32",
    "state": "WAITING",
    "attempts": 0,
    "sweep_id": 1,
}


def cell(score: float | None = None, **values: Any) -> dict[str, Any]:
    """One row: complete where it has a score, else waiting; `values` replaces columns."""
    row = _MISSING | _CELL | values
    row.setdefault("space", f"laptop/mnist_{row['family']}")
    if score is None:
        return row
    scored = {"formula": "kl", "classifier": "c" * 64, "n_samples": 1000, "z_seed": 0, "real_score": REAL_SCORE}
    scored |= {"inception_score": 2.0, "coverage": 7, "entropy": 1.5, "frechet": 9.0, "device": "cpu"}
    scored |= {"score": score, "score_fraction": score / REAL_SCORE, "finished_at": "2026-01-02 03:04:05"}
    return row | {"state": "COMPLETE"} | scored | values


def results(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """The rows in order, each with an identity, a position and a shape of its own where it says none."""
    return pd.DataFrame(
        [{"trial_id": f"{n:016x}", "position": n, "size_g": 50 + n} | row for n, row in enumerate(rows)]
    )


@cache
def full_results() -> pd.DataFrame:
    """All 7,168 cells of the laptop grids, scored at random."""
    rng = np.random.default_rng(0)
    return results(cell(float(rng.gamma(1.5)), **_settings(t)) for t in _trials())


@cache
def full_steps() -> pd.DataFrame:
    """Scores of all these cells after each quarter of their training, growing evenly."""
    done = full_results()
    quarters = [
        done[["trial_id"]].assign(step=75 * n, identity_id=1, score=done["score"] * n / 4) for n in (1, 2, 3, 4)
    ]
    return pd.concat(quarters, ignore_index=True)


def identities(*networks: str, **columns: Any) -> pd.DataFrame:
    """What `Storage.identities` gives for these classifiers, by rank; the first is the one of `cell`."""
    rows = [
        {"identity_id": n + 1, "formula": "kl", "network": name, "classifier": letter * 64, "rank": n}
        for n, (name, letter) in enumerate(zip(networks, "cdef", strict=False))
    ]
    shared = {"n_samples": 1000, "z_seed": 0, "real_inception_score": 9.8, "classifier_accuracy": 0.99}
    return pd.DataFrame([row | shared | {"real_score": REAL_SCORE - row["rank"]} | columns for row in rows])


def steps_of(scores: dict[int, dict[int, list[float | None]]]) -> pd.DataFrame:
    """What `Storage.steps` gives, from scores by identity and step: a list with one for each trial of `results`.

    None stands for a trial without a row there, nan for a row without a finite score.
    """
    rows = [
        {"trial_id": f"{n:016x}", "step": step, "identity_id": identity_id, "score": score}
        for identity_id, by_step in scores.items()
        for step, own in by_step.items()
        for n, score in enumerate(own)
        if score is not None
    ]
    return pd.DataFrame(rows)


def sheet(shade: int = 255) -> bytes:
    """A sheet of 8 x 12 samples: sample n has one pixel of brightness n, the others are `shade`."""
    tiles = np.full((8, 32, 12, 32), shade, dtype=np.uint8)
    tiles[:, 0, :, 0] = np.arange(96).reshape(8, 12)
    buffer = io.BytesIO()
    Image.fromarray(tiles.reshape(256, 384)).save(buffer, "PNG")
    return buffer.getvalue()


def fill_database(url: str, finished: int) -> None:
    """The laptop grids, their first `finished` cells done: every tenth diverged or failed, the others scored."""
    storage = Storage(url, create=True)
    trials = _trials()
    settings = {"workers": 2, "versions": {"torch": "2.13.0"}, "device": "cpu"}
    sweep = storage.declare("made", {name: {"family": "x"} for name in GRIDS}, settings, "abc1234")
    storage.add_trials(sweep, trials)
    cohort_id = storage.lease(sweep, [trial.trial_id for trial in trials[:finished]], "some", _SCORING).cohort_id
    if cohort_id is not None:
        storage.record(cohort_id, [_record(n, t) for n, t in enumerate(trials[:finished])])
    storage.close()


def _record(n: int, trial: Trial) -> Record:
    if n % 10 == 9:
        return Record(trial.trial_id, "DIVERGED" if n % 20 == 9 else "FAILED", 1.0, "cpu")
    scores = {"score": 0.1 + n % 14, "inception_score": 2.0, "coverage": 7.0, "entropy": 1.0, "frechet": 3.0}
    return Record(
        trial.trial_id,
        "COMPLETE",
        1.0,
        "cpu",
        trial.training.steps,
        {_SCORING: {trial.training.steps: scores}},
        sheet(),
    )


@cache
def _trials() -> list[Trial]:
    return expand([load_space(name) for name in GRIDS])


def _settings(trial: Trial) -> dict[str, Any]:
    return {name: value for name, value in trial.columns.items() if name not in trial.training.columns}
