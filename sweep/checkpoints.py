"""Checkpoints of a cohort in training: written whole or not at all, and checked before they are used.

A file is written beside its place, flushed to the disk, and renamed; its name holds the digest of what is in it. The
two newest are kept, so that where the last one is damaged the one before is used. Files are safetensors: reading one
runs nothing.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.training import CohortTraining
from sweep.cohorts import Cohort
from sweep.scoring import Scores

FORMAT = "2"  # a new one whenever old files can't be used
KEPT = 2


class Checkpoints:
    """Of one cohort on one kind of device.

    Args:
        folder: where its files lie; made when the first is written.
    """

    def __init__(self, folder: Path, cohort: Cohort, device: torch.device) -> None:
        self._folder = folder
        self._facts = {
            "format": FORMAT,
            "torch": torch.__version__,
            "device": device.type,
            "trials": " ".join(cohort.trial_ids),
        }

    def save(self, training: CohortTraining, seconds: float, scores: Mapping[int, Scores]) -> None:
        """Keep the state of a training, how many seconds it took, and its scores by step until now.

        Raises:
            OSError: it can't be written; what was there before stays.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._folder / f"{os.getpid()}.unfinished"
        found = {"step": training.steps_done, "seconds": seconds, "scores": scores}
        facts = self._facts | {name: json.dumps(value) for name, value in found.items()}
        try:
            tensors = {name: tensor.cpu().contiguous() for name, tensor in training.state().items()}
            save_file(tensors, unfinished, metadata=facts)
            with unfinished.open("rb+") as file:
                os.fsync(file.fileno())
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            unfinished.rename(self._folder / f"{training.steps_done:012d}-{digest}.safetensors")
            _sync(self._folder)
        except SafetensorError as error:
            raise OSError(str(error)) from None
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
        for old in self._files()[KEPT:]:
            old.unlink(missing_ok=True)

    def restore(self, training: CohortTraining) -> tuple[float, dict[int, Scores]]:
        """Bring a new training to where the newest whole checkpoint left it, if there is one.

        Returns:
            Seconds that training had taken until then, and its scores by step.
        """
        for path in self._files():
            found = self._read(path)
            if found is not None:
                tensors, facts = found
                training.load_state(tensors, json.loads(facts["step"]))
                scores = {int(step): scores for step, scores in json.loads(facts["scores"]).items()}
                return json.loads(facts["seconds"]), scores
        return 0.0, {}

    def _read(self, path: Path) -> tuple[dict[str, Tensor], dict[str, str]] | None:
        """A checkpoint; None if it is damaged or of something else."""
        try:
            with path.open("rb") as file:
                whole = hashlib.file_digest(file, "sha256").hexdigest() == path.stem.partition("-")[2]
            if not whole:
                return None
            with safe_open(path, framework="pt") as opened:
                facts = opened.metadata()
                if any(facts.get(name) != value for name, value in self._facts.items()):
                    return None
                return {name: opened.get_tensor(name) for name in opened.keys()}, facts  # noqa: SIM118 (no mapping)
        except (OSError, SafetensorError):
            return None

    def _files(self) -> list[Path]:
        """Checkpoints, newest first."""
        return sorted(self._folder.glob("*.safetensors"), reverse=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
