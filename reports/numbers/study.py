"""Studies: trials that may share a figure, since they are of one grid, trained one way and scored one way."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from reports.names import family_label, short
from reports.numbers.prefix import finished_prefix
from reports.numbers.scorings import IDENTITY, Identity, Scorings, scorings
from reports.numbers.values import DIVERGED, FAILED, SCORED, UNSCORED, WAITING, values_of
from search_spaces.experiment import FIRST, Experiment, Score, UnknownExperimentError, experiment


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
        scorings: the scores of all classifiers and steps.
        step: the step of the training at which trials have their outcomes and values.
        whole: the study of which this one is a view (`seen`); None if it is none.
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
    scorings: Scorings
    step: int
    whole: "Study | None" = None

    @property
    def classifiers(self) -> tuple[Identity, ...]:
        """Every classifier that scored these trials, the one of `identity` first; none if nothing is scored."""
        return self.scorings.classifiers

    @property
    def scored_steps(self) -> tuple[int, ...]:
        """The steps at which trials were scored, rising; the last is the end of their training."""
        return self.scorings.steps

    def seen(self, classifier: Identity | None = None, step: int | None = None) -> "Study":
        """The same study as another classifier, or another step, shows it.

        Outcomes, values, the ranking score, its fraction of `real_score` and `real_score` itself are those of the
        classifier at the step. A trial that diverged later counts as complete. One without a score there is
        `UNSCORED`, unless it had diverged. The prefix holds the same trials. All other scores stay those of the first
        classifier at the last step.

        Args:
            classifier: one of `classifiers`; None for the one of this study.
            step: one of `scored_steps`; None for the one of this study.
        """
        whole = self.whole or self
        identity, step = classifier or self.identity, step or self.step
        if (identity, step) == (whole.identity, whole.step):
            return whole
        assert identity is not None  # else there is one step
        place = self.classifiers.index(identity), self.scored_steps.index(step)
        trials, prefix, margins = (
            whole._rescored(rows, *place) for rows in (whole.trials, whole.prefix, whole.margins)
        )
        return replace(whole, identity=identity, step=step, trials=trials, prefix=prefix, margins=margins, whole=whole)

    def _rescored(self, trials: pd.DataFrame, classifier: int, step: int) -> pd.DataFrame:
        """These trials with the outcomes and scores of a classifier and a step, by their numbers."""
        score = self.scorings.of(trials, classifier, step)
        there, finite = ~np.isnan(score), np.isfinite(score)
        # Without a score here, a diverged trial has one at a later step only if this classifier's scores are missing.
        had_diverged = (trials["state"] == "DIVERGED").to_numpy() & ~self.scorings.went_on(trials, step)
        ended = trials["state"].isin(["COMPLETE", "DIVERGED"]).to_numpy()
        outcome = trials["outcome"].mask(ended, UNSCORED)
        outcome = outcome.mask(ended & (had_diverged | (there & ~finite)), DIVERGED).mask(ended & finite, SCORED)
        real_score = self.classifiers[classifier].real_score or np.nan
        shown = trials.assign(
            outcome=outcome, real_score=real_score, score_fraction=np.where(finite, score, np.nan) / real_score
        )
        shown[self.score.name] = np.where(finite, score, np.nan)
        return shown.assign(value=values_of(shown, self.score))

    @property
    def label(self) -> str:
        """The study in print: its name, or the whole name of its search space if it has only one."""
        spaces = self.declared["space"].unique()
        return short(spaces[0]) if len(spaces) == 1 else self.name

    @property
    def real_score(self) -> float | None:
        return self.identity.real_score if self.identity else None

    @property
    def score(self) -> Score:
        """The score that ranks trials."""
        return self.experiment.scores[0]


def split_studies(
    results: pd.DataFrame, steps: pd.DataFrame | None = None, identities: pd.DataFrame | None = None
) -> list[Study]:
    """The studies among rows of the view `results`, the one with most finished trials first.

    A trial of several spaces has a row for each, see `Storage.results_by_space`. Trials of an experiment that is not
    installed are left out, see `left_out`.

    Args:
        steps, identities: as `Storage.steps` and `Storage.identities` give them; without them, each study has one
            classifier and one scored step.
    """
    if steps is not None:
        steps = steps.assign(trial_id=steps["trial_id"].astype("category"))  # coded once, for all studies
    found: list[Study] = []
    for kind, _, rows in _by_kind(results):
        if kind is not None:
            found.extend(_of_one_kind(kind, rows, steps, identities))
    return sorted(found, key=lambda study: -int(study.declared["state"].isin(["COMPLETE", "DIVERGED"]).sum()))


def left_out(results: pd.DataFrame) -> list[str]:
    """A sentence for each experiment whose trials no study holds, because it is not installed."""
    notes = []
    for kind, name, rows in _by_kind(results):
        if kind is None:
            n = rows["trial_id"].nunique()
            trials = f"{n:,} {'trial' if n == 1 else 'trials'} of the experiment {short(name)}"
            notes.append(f"{trials} {'is' if n == 1 else 'are'} left out: it is not installed here.")
    return notes


def _by_kind(results: pd.DataFrame) -> Iterator[tuple[Experiment | None, str, pd.DataFrame]]:
    """Each experiment, its name and its rows; None for one that is not installed."""
    kinds = results["experiment"] if "experiment" in results else pd.Series(FIRST, results.index, dtype=object)
    for name, rows in results.groupby(kinds):
        try:
            kind = experiment(str(name))
        except UnknownExperimentError:
            yield None, str(name), rows
        else:
            yield kind, str(name), rows


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


def _of_one_kind(
    kind: Experiment, rows: pd.DataFrame, steps: pd.DataFrame | None, identities: pd.DataFrame | None
) -> Iterator[Study]:
    keys = [_names(rows).rename("name"), *(rows[name] for name in kind.training_columns)]
    for key, own in rows.groupby(keys, sort=True, dropna=False):  # a setting may be NULL: the trial still counts
        yield _study(kind, str(key[0]), own, steps, identities)


def _names(rows: pd.DataFrame) -> pd.Series:
    """The name of each row's study.

    Spaces of one folder are of one study, such as laptop/mnist_gan and laptop/mnist_ebgan. Spaces in no folder are of
    one study if one sweep was the first to declare them.
    """
    names: dict[str, str] = {space: PurePosixPath(space).parent.name for space in rows["space"].unique()}
    alone = rows[rows["space"].isin([space for space, folder in names.items() if not folder])]
    sweeps = alone.groupby("space")["sweep_id"].min()
    for spaces in sweeps.groupby(sweeps).groups.values():
        names |= dict.fromkeys(spaces, ", ".join(space.removesuffix(".yaml") for space in spaces))
    return rows["space"].map(names)


def _study(
    kind: Experiment,
    folder: str,
    declared: pd.DataFrame,
    steps: pd.DataFrame | None,
    identities: pd.DataFrame | None,
) -> Study:
    identity = _commonest_identity(declared, kind.scores[0])
    marked = declared.assign(outcome=_outcomes(declared, identity, kind.scores[0]), shape=_shapes(declared, kind))
    marked = marked.assign(value=values_of(marked, kind.scores[0]))
    is_margin = declared["space"].isin([space for space, own in marked.groupby("space") if _varies_margin(own, kind)])
    drawn, undrawn = _one_space_each(marked[~is_margin])
    shown = pd.concat([drawn, marked[is_margin]])
    shared = {name: declared[name].iloc[0] for name in kind.training_columns}
    found = scorings(declared, identity, int(shared["steps"]), steps, identities)
    return Study(
        name=short(folder),
        experiment=kind,
        training={name: value for name, value in shared.items() if pd.notna(value)},
        identity=next(iter(found.classifiers), None),
        declared=declared,
        trials=drawn,
        prefix=finished_prefix(drawn),
        margins=marked[is_margin],
        notes=(*_space_notes(undrawn), *_score_notes(shown)),
        scorings=found,
        step=int(shared["steps"]),
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
    known: Any = {name: None if v is None else kinds.get(name, str)(v) for name, v in facts.items()}
    return Identity(**known)


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
