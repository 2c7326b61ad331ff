"""Chooses the trials whose samples are shown: the best of each family (figure 4) and one per margin (figure 9)."""

import pandas as pd

from reports.names import in_order
from reports.numbers.values import DIVERGED, SCORED
from search_spaces.experiment import Experiment


def best_trials(trials: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """The best trial of each family by the score that ranks, one row each; of equals, the earlier one."""
    ranking = experiment.scores[0]
    scored = trials[trials["outcome"] == SCORED]
    scored = scored.sort_values([ranking.name, "position"], ascending=[not ranking.higher_is_better, True])
    best = scored.drop_duplicates("family").set_index("family", drop=False)
    best = best.loc[in_order(best["family"])]
    return best[["family", "trial_id", *experiment.axes, *_measures(experiment)]].reset_index(drop=True)


def margin_trials(trials: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """The finished trials of the margin study in order of their margin."""
    finished = trials[trials["outcome"].isin([SCORED, DIVERGED])].sort_values("margin")
    return finished[["margin", "trial_id", "outcome", *_measures(experiment)]].reset_index(drop=True)


def _measures(experiment: Experiment) -> list[str]:
    """Columns of the scores that have a direction, and of the first as a fraction of the real-data score."""
    first, *others = (score.name for score in experiment.scores if score.higher_is_better is not None)
    return [first, "score_fraction", *others]
