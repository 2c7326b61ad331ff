"""Checkpoints of a cohort in training: written whole or not at all, and checked before they are used.

A file is written under another name, flushed to the disk, and renamed; its name then holds the digest of its content.
The two newest files are kept: if the last one is damaged, the one before is used. Files are safetensors, so that
reading one runs no code.
"""

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from models.cohort_training import Training
from sweep.command.console import shown
from sweep.planning.cohorts import Cohort
from sweep.worker.checkpoint_folder import digest_in, is_regular
from sweep.worker.evaluation import Scores

FORMAT = "3"  # change it when old files can no longer be used
N_KEPT = 2  # checkpoints of a cohort


@dataclass(frozen=True)
class Restored:
    """A training in the state of its newest usable checkpoint, or at its beginning.

    Attributes:
        seconds: how long it had taken until that step.
        scores: its scores until that step, by step.
        problem: why the newest unusable file can't be used, in one line; None if there is no such file.
    """

    training: Training
    seconds: float = 0.0
    scores: dict[int, Scores] = field(default_factory=dict)
    problem: str | None = None


class Checkpoints:
    """The checkpoints of one cohort on one kind of device.

    Args:
        folder: holds their files; it is made when the first one is written.
    """

    def __init__(self, folder: Path, cohort: Cohort, device: torch.device) -> None:
        self._folder, self._members = folder, len(cohort.trials)
        self._steps = cohort.trials[0].training.steps
        first = cohort.trials[0]
        self._score_names = {score.name for score in first.kind.scores}
        self._identities = first.kind.identities(first.scoring)
        self._metadata = {
            "format": FORMAT,
            "torch": torch.__version__,
            "device": device.type,
            "trials": " ".join(cohort.trial_ids),
            "scoring": " ".join(str(value) for one in self._identities for value in one.columns.values()),
        }

    def save(self, training: Training, seconds: float, scores: Mapping[int, Scores]) -> None:
        """Write the state of a training, the seconds that it took, and its scores by step until now.

        Raises:
            OSError: it can't be written; older checkpoints stay.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._folder / f"{os.getpid()}.unfinished"
        found = {"step": training.steps_done, "seconds": seconds, "scores": scores}
        metadata = self._metadata | {name: json.dumps(value) for name, value in found.items()}
        try:
            tensors = {name: tensor.cpu().contiguous() for name, tensor in training.state().items()}
            save_file(tensors, unfinished, metadata=metadata)
            with unfinished.open("rb+") as file:
                os.fsync(file.fileno())
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            newest = unfinished.rename(self._folder / f"{training.steps_done:012d}-{digest}.safetensors")
            _sync(self._folder)
        except SafetensorError as error:
            raise OSError(str(error)) from None
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
        # Names that sort after the new one belong to files that this training could not use, or that are not ours.
        older = [path for path in self._files() if digest_in(path) and path.name < newest.name]
        for old in older[N_KEPT - 1 :]:
            old.unlink(missing_ok=True)

    def restore(self, new_training: Callable[[], Training]) -> Restored:
        """A new training, with the state of the newest undamaged checkpoint if there is one.

        A file that is damaged in any way is ignored.

        Args:
            new_training: makes the training at its beginning. It is called for each file that is tried: half of a
                state may be loaded before the rest of it turns out to be wrong.
        """
        problem = None
        for path in self._files():
            try:
                return replace(self._load(path, new_training), problem=problem)
            except Exception as error:  # an error of the training itself is raised again below
                problem = problem or _one_line(f"{path.name}: {error or type(error).__name__}")
        return Restored(new_training(), problem=problem)

    def _load(self, path: Path, new_training: Callable[[], Training]) -> Restored:
        """Load one file. A damaged, foreign or forged one raises errors of many kinds."""
        if not is_regular(path):  # a pipe would make us wait
            raise ValueError("it is no regular file")
        if not digest_in(path):
            raise ValueError("it does not have the name of a checkpoint")
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest_in(path):
                raise ValueError("its content does not match the digest in its name")
        with safe_open(path, framework="pt") as opened:
            metadata = opened.metadata() or {}
            for name, value in self._metadata.items():
                if metadata.get(name) != value:
                    raise ValueError(f"it was made with other {name}" if name in metadata else f"it lacks {name}")
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (no mapping)
        step, seconds, scores = (json.loads(metadata[name]) for name in ("step", "seconds", "scores"))
        training = new_training()
        if type(step) is not int or not 0 <= step <= self._steps:
            raise ValueError(f"its step is {step}, allowed: 0 to {self._steps}")
        training.load_state(tensors, step)
        return Restored(training, _seconds(seconds), self._scores(scores, step))

    def _scores(self, value: Any, step: int) -> dict[int, Scores]:
        """Scores by step, each with a value for each member; NaN for a member that had diverged."""
        found: dict[int, Scores] = {}
        for at, by_identity in value.items():
            scores = [{name: [*map(_number, values)] for name, values in own.items()} for own in by_identity]
            if not 0 < int(at) <= step or not self._complete(scores):
                raise ValueError(f"its scores at step {at} are not those of this cohort")
            found[int(at)] = scores
        return found

    def _complete(self, scores: Scores) -> bool:
        """Whether they are those of every identity and every member; the first identity has all scores."""
        names = [own.keys() <= self._score_names for own in scores]
        members = [len(values) == self._members for own in scores for values in own.values()]
        first = bool(scores) and scores[0].keys() == self._score_names
        return first and len(scores) == len(self._identities) and all(names) and all(members)

    def _files(self) -> list[Path]:
        """All files with the name of a checkpoint, newest first."""
        with suppress(OSError):
            return sorted(self._folder.glob("*.safetensors"), reverse=True)
        return []


def _number(value: Any) -> float:
    if type(value) not in (int, float):
        raise ValueError(f"{value!r:.40} stands where a number belongs")
    return float(value)


def _seconds(value: Any) -> float:
    seconds = _number(value)
    if not 0 <= seconds < math.inf:
        raise ValueError(f"its seconds are {seconds}, allowed: a number from 0")
    return seconds


def _one_line(text: str) -> str:
    return shown(" ".join(text.split()))[:300]


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
