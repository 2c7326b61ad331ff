"""Which cells may share a figure: those of one grid, trained one way and scored one way."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from reports.names import family_label, short

TRAINING = ["data", "steps", "batch_size", "z_dim", "beta1", "beta2", "dropout_rate", "precision"]
IDENTITY = ["formula", "classifier", "n_samples", "z_seed"]
MARGIN_STUDY = "mnist_margin"

SCORED, DIVERGED, UNSCORED, FAILED, WAITING = "scored", "diverged", "unscored", "failed", "waiting"


@dataclass(frozen=True)
class Identity:
    """How the drawn scores were made, and what real digits score the same way (nats)."""

    formula: str
    classifier: str
    n_samples: int
    z_seed: int
    real_score: float


@dataclass(frozen=True)
class Grid:
    """Results that may be compared with each other.

    Attributes:
        folder: folder part of the spaces' names, such as "laptop".
        training: what all cells share, by column name.
        identity: None while nothing is scored.
        declared: every trial of this grid, one row each, drawn or not.
        cells: the drawn spaces' trials, one space per family, with a column `outcome`.
        margins: the trials of the margin study, with a column `outcome`.
        notes: what is left out of the figures, one sentence each.
    """

    folder: str
    training: dict[str, Any]
    identity: Identity | None
    declared: pd.DataFrame
    cells: pd.DataFrame
    margins: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def real_score(self) -> float | None:
        return self.identity.real_score if self.identity else None


def split_grids(results: pd.DataFrame) -> list[Grid]:
    """The grids among the rows of the view `results`, the one with most finished trials first."""
    folders = _by_name(results["space"], _folder)
    keys = [folders.rename("folder"), *(results[name] for name in TRAINING)]
    grids = [_grid(str(key[0]), rows) for key, rows in results.groupby(keys, sort=True)]
    return sorted(grids, key=lambda grid: -int(grid.declared["state"].isin(["COMPLETE", "DIVERGED"]).sum()))


def count_states(declared: pd.DataFrame) -> pd.DataFrame:
    """Trials by space, family and state; a column per state and their sum, `declared`."""
    states = ["COMPLETE", "DIVERGED", "FAILED", "RUNNING", "WAITING"]
    counts = pd.crosstab([declared["space"], declared["family"]], declared["state"])
    counts = counts.reindex(columns=states, fill_value=0)
    counts.insert(0, "declared", counts.sum(axis=1))
    return counts.reset_index().rename_axis(columns=None)


def _by_name(spaces: pd.Series, of: Callable[[str], str]) -> pd.Series:
    """A function of names, asked once a name: there are few, on many rows."""
    return spaces.map({name: of(name) for name in spaces.unique()})


def _folder(space: str) -> str:
    """ "laptop" of laptop/mnist_gan; a file that lies in no named folder stands for itself."""
    path = PurePosixPath(space)
    return path.parent.name or path.stem


def _grid(folder: str, declared: pd.DataFrame) -> Grid:
    identity = _commonest_identity(declared)
    marked = declared.assign(outcome=_outcomes(declared, identity))
    is_margin = _by_name(declared["space"], _stem) == MARGIN_STUDY
    drawn, undrawn = _one_space_each(marked[~is_margin])
    shown = pd.concat([drawn, marked[is_margin]])
    return Grid(
        folder=short(folder),
        training={name: declared[name].iloc[0] for name in TRAINING},
        identity=identity,
        declared=declared,
        cells=drawn,
        margins=marked[is_margin],
        notes=(*_space_notes(undrawn), *_score_notes(shown)),
    )


def _stem(space: str) -> str:
    return re.sub(r"\.ya?ml$", "", PurePosixPath(space).name)


def _commonest_identity(trials: pd.DataFrame) -> Identity | None:
    is_known = trials[["score", *IDENTITY, "real_score"]].notna().all(axis=1)
    scored = trials[(trials["state"] == "COMPLETE") & is_known]
    if scored.empty:
        return None
    groups = scored.groupby(IDENTITY)
    key: Any = groups.size().idxmax()
    first = groups.get_group(key).iloc[0]
    return Identity(
        formula=str(first["formula"]),
        classifier=str(first["classifier"]),
        n_samples=int(first["n_samples"]),
        z_seed=int(first["z_seed"]),
        real_score=float(first["real_score"]),
    )


def _outcomes(trials: pd.DataFrame, identity: Identity | None) -> pd.Series:
    """Per trial, one of the outcomes above. A score that is not finite counts as diverged."""
    outcome = trials["state"].map({"DIVERGED": DIVERGED, "FAILED": FAILED, "COMPLETE": UNSCORED}).fillna(WAITING)
    if identity is None:
        return outcome
    same = (trials[IDENTITY] == [getattr(identity, name) for name in IDENTITY]).all(axis=1)
    comparable = (trials["state"] == "COMPLETE") & same
    outcome = outcome.mask(comparable & trials["score"].notna(), SCORED)
    return outcome.mask(comparable & trials["score"].isna(), DIVERGED)


def _one_space_each(trials: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trials of each family's largest space, and the others."""
    sizes = trials.groupby(["family", "space"]).size().sort_index().sort_values(ascending=False, kind="stable")
    largest = set(sizes.reset_index().drop_duplicates("family")[["family", "space"]].itertuples(index=False, name=None))
    drawn = pd.Series(
        [pair in largest for pair in zip(trials["family"], trials["space"], strict=True)], trials.index, dtype=bool
    )
    return trials[drawn], trials[~drawn]


def _space_notes(undrawn: pd.DataFrame) -> Iterator[str]:
    for row in undrawn.groupby(["space", "family"]).size().reset_index(name="n").to_dict("records"):
        cells = f"{row['n']:,} cells of {family_label(row['family'])}"
        yield f"{short(row['space'])} ({cells}) is left out: a larger space holds the same family."


def _score_notes(shown: pd.DataFrame) -> Iterator[str]:
    unscored = shown[shown["outcome"] == UNSCORED]
    for row in unscored.groupby(IDENTITY, dropna=False).size().reset_index(name="n").to_dict("records"):
        if any(pd.isna(row[name]) for name in IDENTITY):
            yield f"{row['n']:,} complete cells have no score of their last step and are left out."
            continue
        how = f"formula {row['formula']}, classifier {row['classifier'][:12]}, {row['n_samples']:,.0f} samples"
        how += f", z seed {row['z_seed']:.0f}"
        yield f"{row['n']:,} cells were scored another way ({how}) and are left out: such scores are not comparable."
