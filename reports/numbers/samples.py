"""Chooses the trials whose samples are shown: the best of each family (figure 4) and one per margin (figure 9)."""

import pandas as pd

from reports.names import in_order
from reports.numbers.marks import is_marked, marks_of
from reports.numbers.values import DIVERGED, SCORED
from search_spaces.experiment import Experiment


def best_trials(trials: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """The best unmarked trial of each family by the score that ranks, one row each; of equals, the earlier one.

    A family whose scored trials are all marked has its best one. `marks` are the labels of a trial's marks, joined, and
    empty if it has none; `better` is the number of marked trials of the family that score better and were passed over.
    """
    ranking = experiment.scores[0]
    scored = trials[trials["outcome"] == SCORED]
    scored = scored.assign(is_marked=is_marked(scored, experiment))
    scored = scored.sort_values([ranking.name, "position"], ascending=[not ranking.higher_is_better, True])
    scored["better"] = scored.groupby("family").cumcount().where(~scored["is_marked"], 0)
    best = scored.sort_values("is_marked", kind="stable").drop_duplicates("family").set_index("family", drop=False)
    best = best.loc[in_order(best["family"])].reset_index(drop=True)
    marks = marks_of(best, experiment)
    labels = pd.Series([", ".join(marks.columns[own]) for own in marks.to_numpy(bool)], best.index, dtype=str)
    best = best.assign(marks=labels.where(best["is_marked"]))
    return best[["family", "trial_id", *experiment.axes, *_measures(experiment), "marks", "better"]]


def margin_trials(trials: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """The finished trials of the margin study in order of their margin."""
    finished = trials[trials["outcome"].isin([SCORED, DIVERGED])].sort_values("margin")
    return finished[["margin", "trial_id", "outcome", *_measures(experiment)]].reset_index(drop=True)


def _measures(experiment: Experiment) -> list[str]:
    """Columns of the scores that have a direction, and of the first as a fraction of the real-data score."""
    first, *others = (score.name for score in experiment.scores if score.higher_is_better is not None)
    return [first, "score_fraction", *others]
