"""Studies: trials that may share a figure, since they are of one grid, trained one way and scored one way."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from reports.names import family_label, short
from reports.numbers.prefix import finished_prefix
from reports.numbers.values import DIVERGED, FAILED, SCORED, UNSCORED, WAITING, values_of
from search_spaces.experiment import FIRST, Experiment, Score, UnknownExperimentError, experiment

IDENTITY = ["formula", "classifier", "n_samples", "z_seed"]


@dataclass(frozen=True)
class Identity:
    """How the drawn scores were made, and what real images score the same way; None is what does not apply."""

    formula: str | None
    classifier: str | None
    n_samples: int | None
    z_seed: int | None
    real_score: float | None


@dataclass(frozen=True)
class Study:
    """Results that may be compared with each other.

    `trials`, `prefix` and `margins` have the columns of the view `results` and three more: `outcome`, `value` (what the
    trial counts as in the score that ranks, nan for nothing) and `shape` (a number for each shape of networks).

    Attributes:
        name: folder part of the spaces' names, such as "laptop", or the names of those in no folder.
        experiment: the kind of work.
        training: what all trials share, by column name; settings that they do not have are left out.
        identity: None while nothing is scored.
        declared: every trial of this study, one row each, drawn or not.
        trials: those of the drawn spaces, one space per family.
        prefix: those on which statistics rest, as `finished_prefix` gives them.
        margins: the trials of spaces that vary the margin alone (figure 9).
        notes: what is left out of the figures, one sentence each.
    """

    name: str
    experiment: Experiment
    training: dict[str, Any]
    identity: Identity | None
    declared: pd.DataFrame
    trials: pd.DataFrame
    prefix: pd.DataFrame
    margins: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def real_score(self) -> float | None:
        return self.identity.real_score if self.identity else None

    @property
    def score(self) -> Score:
        """The score that ranks trials."""
        return self.experiment.scores[0]


def split_studies(results: pd.DataFrame) -> list[Study]:
    """The studies among rows of the view `results`, the one with most finished trials first.

    A trial of several spaces has a row for each, see `Storage.results_by_space`. Trials of an experiment that is not
    installed are left out, and the first study has a note that says so.
    """
    kinds = results["experiment"] if "experiment" in results else pd.Series(FIRST, results.index, dtype=object)
    found: list[Study] = []
    notes: list[str] = []
    for name, rows in results.groupby(kinds):
        try:
            found.extend(_of_one_kind(experiment(str(name)), rows))
        except UnknownExperimentError:
            trials = f"{len(rows):,} {'trial' if len(rows) == 1 else 'trials'} of the experiment {short(str(name))}"
            notes.append(f"{trials} left out: that experiment is not installed here.")
    found.sort(key=lambda study: -int(study.declared["state"].isin(["COMPLETE", "DIVERGED"]).sum()))
    return [replace(study, notes=(*study.notes, *notes)) for study in found[:1]] + found[1:]


def count_states(declared: pd.DataFrame) -> pd.DataFrame:
    """Trials by space, family and state; a column per state and their sum, `declared`."""
    states = ["COMPLETE", "DIVERGED", "FAILED", "RUNNING", "WAITING"]
    counts = pd.crosstab([declared["space"], declared["family"]], declared["state"])
    counts = counts.reindex(columns=states, fill_value=0)
    counts.insert(0, "declared", counts.sum(axis=1))
    return counts.reset_index().rename_axis(columns=None)


def recipe(study: Study) -> str:
    """How the trials were trained, in a few words; what the experiment does not have is left out."""
    training = study.training
    steps = f"{training['steps']:,} steps"
    if "batch_size" in training:
        steps += f" of {training['batch_size']} images"
    return f"{training['data']}, {steps}" if "data" in training else steps


def _of_one_kind(kind: Experiment, rows: pd.DataFrame) -> Iterator[Study]:
    keys = [_names(rows).rename("name"), *(rows[name] for name in kind.training_columns)]
    for key, own in rows.groupby(keys, sort=True, dropna=False):  # a setting may be NULL: the trial still counts
        yield _study(kind, str(key[0]), own)


def _names(rows: pd.DataFrame) -> pd.Series:
    """The name of each row's study.

    Spaces of one folder are of one study, such as laptop/mnist_gan and laptop/mnist_ebgan. Spaces in no folder are of
    one study if one sweep was the first to declare them.
    """
    names: dict[str, str] = {space: PurePosixPath(space).parent.name for space in rows["space"].unique()}
    alone = rows[rows["space"].isin([space for space, folder in names.items() if not folder])]
    sweeps = alone.groupby("space")["sweep_id"].min()
    for spaces in sweeps.groupby(sweeps).groups.values():
        names |= dict.fromkeys(spaces, ", ".join(PurePosixPath(space).stem for space in spaces))
    return rows["space"].map(names)


def _study(kind: Experiment, folder: str, declared: pd.DataFrame) -> Study:
    identity = _commonest_identity(declared, kind.scores[0])
    marked = declared.assign(outcome=_outcomes(declared, identity, kind.scores[0]), shape=_shapes(declared, kind))
    marked = marked.assign(value=values_of(marked, kind.scores[0]))
    is_margin = declared["space"].isin([space for space, own in marked.groupby("space") if _varies_margin(own, kind)])
    drawn, undrawn = _one_space_each(marked[~is_margin])
    shown = pd.concat([drawn, marked[is_margin]])
    shared = {name: declared[name].iloc[0] for name in kind.training_columns}
    return Study(
        name=short(folder),
        experiment=kind,
        training={name: value for name, value in shared.items() if pd.notna(value)},
        identity=identity,
        declared=declared,
        trials=drawn,
        prefix=finished_prefix(drawn),
        margins=marked[is_margin],
        notes=(*_space_notes(undrawn), *_score_notes(shown)),
    )


def _shapes(trials: pd.DataFrame, kind: Experiment) -> pd.Series:
    if not kind.shape_axes:
        return pd.Series(0, trials.index)
    return trials.groupby(list(kind.shape_axes), sort=False, dropna=False).ngroup()


def _varies_margin(trials: pd.DataFrame, kind: Experiment) -> bool:
    """Whether trials differ in their margin, perhaps in their seed, and in nothing else."""
    if "margin" not in kind.axes or trials["margin"].nunique() < 2:
        return False
    others = ["family", *(axis for axis in kind.axes if axis not in ("margin", "seed"))]
    return all(len(trials[axis].unique()) == 1 for axis in others)


def _commonest_identity(trials: pd.DataFrame, score: Score) -> Identity | None:
    scored = trials[(trials["state"] == "COMPLETE") & trials[score.name].notna() & _is_identified(trials)]
    if scored.empty:
        return None
    groups = scored.groupby(IDENTITY, dropna=False)
    first = scored[groups.ngroup() == int(groups.size().to_numpy().argmax())].iloc[0]
    facts: dict[str, Any] = {name: None if pd.isna(first[name]) else first[name] for name in [*IDENTITY, "real_score"]}
    kinds: dict[str, Callable[[Any], Any]] = {"n_samples": int, "z_seed": int, "real_score": float}
    return Identity(**{name: None if v is None else kinds.get(name, str)(v) for name, v in facts.items()})


def _is_identified(trials: pd.DataFrame) -> pd.Series:
    """Whether anything is known of how a trial was scored; a trial that was not scored has no identity at all."""
    return trials[IDENTITY].notna().any(axis=1)


def _outcomes(trials: pd.DataFrame, identity: Identity | None, score: Score) -> pd.Series:
    """One outcome per trial. A score that is not finite counts as diverged."""
    outcome = trials["state"].map({"DIVERGED": DIVERGED, "FAILED": FAILED, "COMPLETE": UNSCORED}).fillna(WAITING)
    if identity is None:
        return outcome
    same = _is_identified(trials)
    for name in IDENTITY:
        value = getattr(identity, name)
        same &= trials[name].isna() if value is None else trials[name] == value
    comparable = (trials["state"] == "COMPLETE") & same
    outcome = outcome.mask(comparable & trials[score.name].notna(), SCORED)
    return outcome.mask(comparable & trials[score.name].isna(), DIVERGED)


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
        trials = f"{row['n']:,} {'trial' if row['n'] == 1 else 'trials'} of {family_label(row['family'])}"
        yield f"{short(row['space'])} ({trials}) is left out: a larger space holds the same family."


def _score_notes(shown: pd.DataFrame) -> Iterator[str]:
    unscored = shown[shown["outcome"] == UNSCORED]
    for row in unscored.groupby(IDENTITY, dropna=False).size().reset_index(name="n").to_dict("records"):
        n, one = f"{row['n']:,}", row["n"] == 1
        if any(pd.isna(row[name]) for name in IDENTITY):
            has = "trial has" if one else "trials have"
            yield f"{n} complete {has} no score of the last step and {'is' if one else 'are'} left out."
            continue
        how = f"formula {row['formula']}, classifier {row['classifier'][:12]}, {row['n_samples']:,.0f} samples"
        how += f", z seed {row['z_seed']:.0f}"
        were = "trial was" if one else "trials were"
        yield f"{n} {were} scored another way ({how}) and left out: such scores are not comparable."
