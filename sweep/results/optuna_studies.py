"""The results as Optuna studies, one per search space and training, for Optuna's dashboard and its other tools."""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal

import optuna
import pandas as pd
from optuna.storages.journal import JournalFileBackend

from search_spaces.experiment import Experiment, Score, experiment, experiments
from sweep.storage import Storage

BATCH = 1000  # trials between two lines about the progress
_MEASURED = ("score_fraction", "duration_s", "device")
_IDENTITY = re.compile("[0-9a-f]{16}")  # an id of another form was not written by a sweep and can't name an artifact
_STATES = {
    "COMPLETE": optuna.trial.TrialState.COMPLETE,
    "DIVERGED": optuna.trial.TrialState.PRUNED,
    "FAILED": optuna.trial.TrialState.FAIL,
}


def fill_studies(
    results: pd.DataFrame,
    storage: optuna.storages.BaseStorage,
    sheets: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Copy trials that have ended into studies named after their search spaces.

    Scores after different training are not compared: where a space holds trials of several trainings, each has a study,
    whose name adds the settings in which they differ. The study's attribute "training" holds all settings.

    A diverged trial becomes a pruned one: Optuna has no other state without a value that is not a failure.

    Args:
        results: as `Storage.results_by_space` gives them.
        storage: Optuna storage of the studies. The paper's grid takes seconds in memory, and minutes in SQLite.
        sheets: whether each trial names its sample sheet as an artifact, see `SheetStore`.
        tell: receives lines about the progress.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    known = results[results["experiment"].isin(list(experiments()))]
    for (space, name), declared in known.groupby(["space", "experiment"], observed=True):
        kind = experiment(str(name))
        for title, training, rows in _by_training(str(space), kind, declared):
            ended = rows[rows["state"].isin(list(_STATES))]
            if ended.empty:
                continue
            trials, direction = _trials(kind, ended, sheets)
            study = optuna.create_study(study_name=title, storage=storage, direction=direction)
            study.set_user_attr("training", training)
            for at in range(0, len(trials), BATCH):
                study.add_trials(trials[at : at + BATCH])
                tell(f"{title}: {min(at + BATCH, len(trials)):,} of {len(trials):,} trials")


def _by_training(
    space: str, kind: Experiment, declared: pd.DataFrame
) -> Iterator[tuple[str, dict[str, Any], pd.DataFrame]]:
    """For each way in which a space was trained: the name of its study, the settings, and the trials."""
    names = list(kind.training_columns)
    settings = declared[names].convert_dtypes()  # a column that is NULL in other rows holds integers as floats
    differing = [name for name in names if len(settings[name].unique()) > 1]
    for _, own in settings.groupby(names, dropna=False):
        training = {name: _plain(own[name].iloc[0]) for name in names if own[name].notna().all()}
        title = ", ".join([space, *(f"{name} {training.get(name, 'none')}" for name in differing)])
        yield title, training, declared.loc[own.index]


def _trials(
    kind: Experiment, ended: pd.DataFrame, sheets: bool
) -> tuple[list[optuna.trial.FrozenTrial], Literal["maximize", "minimize"]]:
    """Optuna's trials, and the direction of their score."""
    score, *others = (one for one in kind.scores if one.higher_is_better is not None)
    axes = [axis for axis in kind.axes if ended[axis].notna().all()]
    choices = {axis: sorted(ended[axis].unique().tolist()) for axis in axes}
    distributions: dict[str, Any] = {
        axis: optuna.distributions.CategoricalDistribution(values) for axis, values in choices.items()
    }
    trials = [_trial(row, score, others, axes, distributions, sheets) for row in ended.to_dict("records")]
    return trials, "maximize" if score.higher_is_better else "minimize"


def _trial(
    row: dict[Any, Any], score: Score, others: list[Score], axes: list[str], distributions: dict[str, Any], sheets: bool
) -> optuna.trial.FrozenTrial:
    complete = row["state"] == "COMPLETE" and pd.notna(row[score.name])
    state = _STATES[row["state"]] if complete or row["state"] != "COMPLETE" else optuna.trial.TrialState.FAIL
    user_attrs = {"trial_id": row["trial_id"], "state": row["state"]}
    measured = [*(other.name for other in others), *_MEASURED]
    user_attrs |= {name: row[name] for name in measured if pd.notna(row[name])}
    return optuna.trial.create_trial(
        state=state,
        value=float(row[score.name]) if complete else None,
        params={axis: _plain(row[axis]) for axis in axes},
        distributions=distributions,
        user_attrs={name: _plain(value) for name, value in user_attrs.items()},
        system_attrs=_sheet(row["trial_id"]) if sheets and _IDENTITY.fullmatch(row["trial_id"]) else {},
    )


def _sheet(trial_id: str) -> dict[str, str]:
    """The system attribute that names a trial's sample sheet as an artifact."""
    name = sheet_id(trial_id)
    sheet = {"artifact_id": name, "filename": f"{trial_id}.png", "mimetype": "image/png", "encoding": None}
    return {f"artifacts:{name}": json.dumps(sheet)}


def sheet_id(trial_id: str) -> str:
    """Name of a trial's sample sheet as an artifact: hexadecimal digits and dashes, which the dashboard expects."""
    return str(uuid.UUID(trial_id.rjust(32, "0")))


class SheetStore:
    """Sample sheets of a results database, as Optuna's dashboard reads artifacts."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """The PNG of a sample sheet.

        Raises:
            optuna.artifacts.exceptions.ArtifactNotFound: there is none.
        """
        trial_id = artifact_id.replace("-", "")[-16:]
        png = self._storage.sheets([trial_id]).get(trial_id)
        if png is None:
            raise optuna.artifacts.exceptions.ArtifactNotFound(artifact_id)
        return BytesIO(png)

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        raise PermissionError("the dashboard does not change results")

    def remove(self, artifact_id: str) -> None:
        raise PermissionError("the dashboard does not change results")


def journal_file(path: Path) -> optuna.storages.BaseStorage:
    """An Optuna storage in one file; it takes thousands of trials in seconds."""
    return optuna.storages.JournalStorage(JournalFileBackend(str(path)))


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
