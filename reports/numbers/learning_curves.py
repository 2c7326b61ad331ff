"""How scores change in training."""

import numpy as np
import pandas as pd

from reports.names import in_order
from reports.numbers.values import SCORED, no_worse
from search_spaces.experiment import Score


def learning_curves(prefix: pd.DataFrame, steps: pd.DataFrame, score: Score) -> pd.DataFrame:
    """Scores of each family by step. A trial counts as the worst score from where it diverged.

    Trials that were scored only at the end are left out, and so are steps at which some other trial was not scored.

    Args:
        prefix: the finished prefix.
        steps: the score that ranks trials, by trial_id and step, in a column `score`; of one classifier.
        score: says what is worst.

    Returns:
        Rows by family and step: family, step, cells (trials), mean, and the quantiles low (10 %) and high (90 %).
    """
    counted = prefix[prefix["value"].notna()]
    scores = no_worse(_by_step(counted["trial_id"], steps), score)
    rows = []
    for family in in_order(counted["family"]):
        is_scored = (counted["outcome"] == SCORED)[counted["family"] == family]
        own = scores.loc[is_scored.index]
        own = own[~is_scored | own.iloc[:, :-1].notna().any(axis=1)]  # without those scored only at the end
        complete = own[is_scored[own.index]]
        whole = complete.notna().all()
        if whole.sum() < 2 or complete.empty:
            continue
        worst = np.nan if score.worst is None else score.worst
        for step, values in own.loc[:, whole].fillna(worst).items():
            sizes = {"family": family, "step": step, "cells": len(values)}
            low, high = values.quantile(0.1), values.quantile(0.9)
            rows.append(sizes | {"mean": values.mean(), "low": low, "high": high})
    return pd.DataFrame(rows, columns=["family", "step", "cells", "mean", "low", "high"])


def _by_step(trial_ids: pd.Series, steps: pd.DataFrame) -> pd.DataFrame:
    """Scores of these trials, one row each, a column per step; empty where a trial was not scored."""
    row = pd.Index(trial_ids).get_indexer(steps["trial_id"])
    values, column = np.unique(steps["step"].to_numpy(), return_inverse=True)
    scores = np.full((len(trial_ids), len(values)), np.nan)
    scores[row[row >= 0], column[row >= 0]] = steps["score"].to_numpy(float)[row >= 0]
    found = pd.DataFrame(scores, trial_ids.index, values)
    return found.loc[:, found.notna().any()]
