"""Which trials need no more work, and the identity of the scores that trials would get now."""

from collections.abc import Iterable, Sequence
from typing import Any

from metrics.identity import ScoreIdentity
from search_spaces.trial import Trial
from sweep.storage import Storage


def finished_trials(trials: Sequence[Trial], storage: Storage) -> set[str]:
    """Identities of the finished trials among these, each judged by its own scoring settings."""
    found = {scoring: storage.finished(identity) for scoring, identity in identities(trials).items()}
    return {trial.trial_id for trial in trials if trial.trial_id in found[trial.scoring]}


def identities(trials: Iterable[Trial]) -> dict[Any, ScoreIdentity]:
    """The identity that ranks trials, by their scoring settings."""
    one_of = {trial.scoring: trial for trial in trials}
    return {scoring: trial.kind.identities(scoring)[0] for scoring, trial in one_of.items()}
