"""How the trials of a study were scored: by which classifiers, at which steps, and what each of them gave."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

IDENTITY = ["formula", "classifier", "n_samples", "z_seed"]
NO_STEPS = pd.DataFrame(columns=["trial_id", "step", "identity_id", "score"])
_COMPARABLE = ["formula", "n_samples", "z_seed"]  # what the classifiers of one study share


@dataclass(frozen=True)
class Identity:
    """One way of scoring, and what real images score the same way; None is what does not apply.

    Attributes:
        network: name of the classifier; empty where the database does not name it.
        rank: place among the classifiers of the project; the first, 0, ranks the trials.
        identity_id: its number in the database; None where only the view `results` is known.
        accuracy: share of the test images that the classifier names correctly.
    """

    formula: str | None
    classifier: str | None
    n_samples: int | None
    z_seed: int | None
    real_score: float | None
    network: str = ""
    rank: int = 0
    identity_id: int | None = None
    accuracy: float | None = None

    @property
    def name(self) -> str:
        """The classifier in print."""
        return self.network or (self.classifier or "")[:8]


@dataclass(frozen=True, eq=False)
class Scorings:
    """The ranking scores of trials by classifier and step.

    Attributes:
        classifiers: C of them, the one of the study's own scores first, its companions by rank.
        steps: S of them, rising.
        values: [N, C, S]; nan where a trial was not scored, infinity where its score was not finite.
        rows: the row in `values` of every trial, by the label of its row in the table of trials.
    """

    classifiers: tuple[Identity, ...]
    steps: tuple[int, ...]
    values: NDArray[np.float64]
    rows: pd.Series

    def of(self, trials: pd.DataFrame, classifier: int, step: int) -> NDArray[np.float64]:
        """The scores of these trials by the number of a classifier and of a step, [len(trials)]."""
        found: NDArray[np.float64] = self.values[self.rows.loc[trials.index].to_numpy(), classifier, step]
        return found

    def went_on(self, trials: pd.DataFrame, step: int) -> NDArray[np.bool_]:
        """Whether these trials were scored at this step or a later one, by any classifier, [len(trials)]."""
        own = self.values[self.rows.loc[trials.index].to_numpy(), :, step:]
        return np.asarray((~np.isnan(own)).any(axis=(1, 2)))


def scorings(
    declared: pd.DataFrame,
    identity: Identity | None,
    last_step: int,
    steps: pd.DataFrame | None,
    identities: pd.DataFrame | None,
) -> Scorings:
    """How the trials of a study were scored.

    Args:
        declared: all its trials.
        identity: of the scores in the view `results`; None if nothing is scored.
        last_step: the last step of their training.
        steps, identities: as `Storage.steps` and `Storage.identities` give them; without them, there is one
            classifier, and one step.
    """
    rows = pd.Series(pd.factorize(declared["trial_id"])[0], declared.index)
    nothing = Scorings(() if identity is None else (identity,), (last_step,), np.empty((0, 0, 0)), rows)
    if identity is None or steps is None or identities is None or steps.empty:
        return nothing
    known = identities[_same(identities, identity, IDENTITY)]
    if known.empty:
        return nothing
    own = _rows_of(steps, declared["trial_id"].unique())
    first = _described(known.iloc[0])
    classifiers = (first, *_companions(first, identities, own, last_step))
    number = {one.identity_id: n for n, one in enumerate(classifiers)}
    place = own["identity_id"].map(number)
    own, of_classifier = own[place.notna()], place.dropna().to_numpy(int)
    marks, column = np.unique(np.append(own["step"].to_numpy(int), last_step), return_inverse=True)
    values = np.full((int(rows.max()) + 1, len(classifiers), len(marks)), np.nan)
    values[own["row"].to_numpy(), of_classifier, column[:-1]] = own["score"].fillna(np.inf).to_numpy(float)
    return Scorings(classifiers, tuple(map(int, marks)), values, rows)


def of_identity(steps: pd.DataFrame, identity: Identity | None) -> pd.DataFrame:
    """The rows of one way of scoring; all of them where the identities have no numbers."""
    if identity is None or identity.identity_id is None or "identity_id" not in steps:
        return steps
    return steps[steps["identity_id"] == identity.identity_id]


def _rows_of(steps: pd.DataFrame, trial_ids: Any) -> pd.DataFrame:
    """Rows of `steps` that are about these trials, with `row`, the number of each one's trial among them."""
    kinds = steps["trial_id"].astype("category").cat
    row = pd.Index(trial_ids).get_indexer(kinds.categories)[kinds.codes.to_numpy()]
    return steps.assign(row=row)[row >= 0]


def _companions(first: Identity, identities: pd.DataFrame, own: pd.DataFrame, last_step: int) -> tuple[Identity, ...]:
    """The other classifiers of these trials by rank; of several identities with one rank, the commonest."""
    sizes = own.loc[own["step"] == last_step, "identity_id"].value_counts()
    others = identities[_same(identities, first, _COMPARABLE) & (identities["rank"] != first.rank)]
    others = others.assign(size=others["identity_id"].map(sizes)).dropna(subset="size")
    others = others.sort_values(["rank", "size"], ascending=[True, False], kind="stable").drop_duplicates("rank")
    return tuple(_described(row) for _, row in others.iterrows())


def _same(identities: pd.DataFrame, identity: Identity, names: list[str]) -> pd.Series:
    same = pd.Series(True, identities.index)
    for name in names:
        value = getattr(identity, name)
        same &= identities[name].isna() if value is None else identities[name] == value
    return same


def _described(row: pd.Series) -> Identity:
    def number(name: str) -> float | None:
        return None if pd.isna(row[name]) else float(row[name])

    return Identity(
        formula=row["formula"],
        classifier=row["classifier"],
        n_samples=int(row["n_samples"]),
        z_seed=int(row["z_seed"]),
        real_score=number("real_score"),
        network=row["network"],
        rank=int(row["rank"]),
        identity_id=int(row["identity_id"]),
        accuracy=number("classifier_accuracy"),
    )
