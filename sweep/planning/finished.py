"""Which trials need no more work, and the identity of the scores that trials would get now."""

from collections.abc import Iterable, Sequence
from pkgutil import resolve_name
from typing import Any

from metrics.identity import Reference, ScoreIdentity
from search_spaces.trial import Trial
from sweep.storage import Storage


def finished_trials(trials: Sequence[Trial], storage: Storage) -> set[str]:
    """Identities of the finished trials among these, each judged by its own scoring settings."""
    found = {scoring: storage.finished(identity) for scoring, identity in identities(trials).items()}
    return {trial.trial_id for trial in trials if trial.trial_id in found[trial.scoring]}


def identities(trials: Iterable[Trial]) -> dict[Any, ScoreIdentity]:
    """The identity of the scores that trials would get now, by their scoring settings."""
    one_of = {trial.scoring: trial for trial in trials}
    return {scoring: resolve_name(trial.kind.identity)(scoring) for scoring, trial in one_of.items()}


def reference_of(trial: Trial) -> Reference | None:
    """Scores of real images under a trial's scoring; None if its experiment has none."""
    place = trial.kind.reference
    found: Reference | None = resolve_name(place)() if place else None
    return found
