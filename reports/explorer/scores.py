"""The scores that the explorer can draw, and what a trial counts as that ended without any."""

from dataclasses import dataclass

import pandas as pd

from reports.names import SCORE
from reports.numbers.study import DIVERGED, FAILED, SCORED


@dataclass(frozen=True)
class Score:
    """One column of results; `floor` is what a diverged or failed trial counts as, None where there is no worst."""

    label: str
    floor: float | None


SCORES = {
    "score": Score(f"{SCORE}, nats", 0.0),
    "inception_score": Score("inception score", 1.0),
    "coverage": Score("classes seen", 0.0),
    "frechet": Score("Fréchet distance", None),
}


def score_values(cells: pd.DataFrame, name: str) -> pd.Series:
    """A score per cell, at its floor where training diverged or failed; nan where there is none."""
    value = cells[name].where(cells["outcome"] == SCORED).astype(float).clip(lower=0.0)
    floor = SCORES[name].floor
    return value if floor is None else value.mask(cells["outcome"].isin([DIVERGED, FAILED]), floor)
