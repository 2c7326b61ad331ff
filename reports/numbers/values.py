"""What each trial counts as: its score, the worst value where training diverged, nothing where there is no result.

A trial that failed has no result: memory ran out or a worker died, which says nothing about its settings' score.
"""

from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from search_spaces.experiment import Score

Values = TypeVar("Values", pd.Series, pd.DataFrame)
# The outcomes of a trial that figures tell apart.
SCORED, DIVERGED, UNSCORED, FAILED, WAITING = "scored", "diverged", "unscored", "failed", "waiting"
ENDED = [SCORED, DIVERGED, FAILED]


def values_of(trials: pd.DataFrame, score: Score) -> pd.Series:
    """What each trial counts as in this score; nan where it counts as nothing.

    Args:
        trials: rows with a column `outcome` and one of the score's name.
    """
    value = no_worse(trials[score.name].where(trials["outcome"] == SCORED).astype(float), score)
    return value.mask(trials["outcome"] == DIVERGED, np.nan if score.worst is None else score.worst)


def no_worse(values: Values, score: Score) -> Values:
    """The values, of which rounding may have put some beyond the worst one."""
    if score.worst is None:
        return values
    return values.clip(lower=score.worst) if score.higher_is_better else values.clip(upper=score.worst)


def is_better(values: NDArray[np.float64], than: NDArray[np.float64], score: Score) -> NDArray[np.bool_]:
    """Whether values beat others in the direction of the score; those that are nan beat none."""
    return np.asarray(values > than if score.higher_is_better else values < than)
