"""Marked trials: those that are not what their score suggests, by the bounds that their experiment declares."""

import pandas as pd

from search_spaces.experiment import Experiment


def marks_of(trials: pd.DataFrame, kind: Experiment) -> pd.DataFrame:
    """Which marks each trial has: a column of booleans per mark, by its label.

    A trial is marked where the mark's number lies strictly between its bounds. A missing number is no mark.

    Args:
        trials: rows of the view `results`.
        kind: says which marks there are.
    """
    found = {}
    for mark in kind.marks:
        number = trials[mark.score] if mark.score in trials else pd.Series(float("nan"), trials.index)
        number = pd.to_numeric(number)
        found[mark.label] = (number > mark.above) & (number < mark.below)
        if mark.families:
            found[mark.label] &= trials["family"].isin(mark.families)
    return pd.DataFrame(found, index=trials.index, dtype=bool)


def is_marked(trials: pd.DataFrame, kind: Experiment) -> pd.Series:
    """Whether each trial has any mark."""
    return marks_of(trials, kind).any(axis=1)
