"""Which trials need no more work, and what the scores that they would get now are called."""

from collections.abc import Iterable, Sequence
from pkgutil import resolve_name
from typing import Any

from metrics.identity import Reference, ScoreIdentity
from search_spaces.trial import Trial
from sweep.storage import Storage


def finished_trials(trials: Sequence[Trial], storage: Storage) -> set[str]:
    """The ids of those that are finished, each by its own way of scoring."""
    found = {scoring: storage.finished(identity) for scoring, identity in identities(trials).items()}
    return {trial.trial_id for trial in trials if trial.trial_id in found[trial.scoring]}


def identities(trials: Iterable[Trial]) -> dict[Any, ScoreIdentity]:
    """The identity of the scores that trials would get now, by their scoring settings."""
    one_of = {trial.scoring: trial for trial in trials}
    return {scoring: resolve_name(trial.kind.identity)(scoring) for scoring, trial in one_of.items()}


def reference_of(trial: Trial) -> Reference | None:
    """What real images score in the way that a trial is scored; None where the experiment has no such number."""
    place = trial.kind.reference
    found: Reference | None = resolve_name(place)() if place else None
    return found
