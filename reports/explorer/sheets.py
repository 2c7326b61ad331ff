"""Sample sheets as files in a folder next to the page, written a few at a time."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from data.sample_sheet import read_sheet
from reports.numbers.values import values_of
from search_spaces.experiment import Score

FOLDER = "sheets"
AT_ONCE = 200  # sheets in memory, about 4 MB
# A name from a stranger's database must not lead out of the folder.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def evenly_by_rank(trials: pd.DataFrame, score: Score, most: int | None) -> list[str]:
    """Trials whose sheets are shown: all, or some of each family, evenly by the rank of their scores.

    Args:
        trials: rows with trial_id, family, outcome and the score.
        most: trials per family; None for all.
    """
    if most is None:
        return list(trials["trial_id"])
    chosen: list[str] = []
    ranked = trials.assign(value=values_of(trials, score)).dropna(subset=["value"])
    for _, own in ranked.sort_values("value", kind="stable").groupby("family"):
        places = np.floor(np.linspace(0, len(own) - 1, min(most, len(own))) + 0.5).astype(int)  # as the gallery does
        chosen += list(own["trial_id"].iloc[places])
    return chosen


def write_sheets(
    folder: Path, trial_ids: Iterable[str], read_sheets: Callable[[Sequence[str]], Mapping[str, bytes]]
) -> set[str]:
    """Writes `folder`/sheets/<trial_id>.png for each trial that has a sheet, and says which these are."""
    written: set[str] = set()
    (folder / FOLDER).mkdir()
    names = (trial_id for trial_id in dict.fromkeys(trial_ids) if _NAME.fullmatch(trial_id))
    while part := list(islice(names, AT_ONCE)):
        for trial_id, png in read_sheets(part).items():
            if read_sheet(png) is not None:
                (folder / FOLDER / f"{trial_id}.png").write_bytes(png)
                written.add(trial_id)
    return written
