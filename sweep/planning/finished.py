"""Which trials need no more work."""

from collections.abc import Iterable, Sequence

from metrics.classifier_card import classifier_card
from metrics.identity import FORMULA, ScoreIdentity
from search_spaces.axis import SharedSettings
from search_spaces.trial import Trial
from sweep.storage import Storage


def finished_trials(trials: Sequence[Trial], storage: Storage) -> set[str]:
    """Identities of those that are finished, each by its own way of scoring."""
    scorings = {trial.scoring for trial in trials}
    found = {scoring: storage.finished(identity) for scoring, identity in identities(scorings).items()}
    return {trial.trial_id for trial in trials if trial.trial_id in found[trial.scoring]}


def identities(scorings: Iterable[SharedSettings]) -> dict[SharedSettings, ScoreIdentity]:
    """What scores made in these ways are called."""
    classifier = classifier_card().sha256
    return {s: ScoreIdentity(FORMULA, classifier, s.columns["n_samples"], s.columns["z_seed"]) for s in scorings}
