"""Sample sheets as files in a folder next to the page, written a few at a time."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pandas as pd

from data.sample_sheet import read_sheet
from reports.numbers.values import SCORED, values_of
from search_spaces.experiment import Score

FOLDER = "sheets"
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)  # of each family's scores; the gallery shows them
AT_ONCE = 200  # sheets in memory, about 4 MB
# A name from a stranger's database must not lead out of the folder.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Sheets:
    """The trials whose sample sheets lie in the folder of the page.

    Attributes:
        written: ids of the trials that have one there.
        wanted: ids of the trials that were to have one; None for all trials of the database.
    """

    written: Collection[str] = ()
    wanted: Collection[str] | None = None

    def codes(self, rows: pd.DataFrame) -> list[int]:
        """Per trial: 1 if its sheet is in the folder, 2 if it was left out of it, 0 if it has none."""
        ids = rows["trial_id"]
        codes = ids.isin(set(self.written)).astype(int)
        if self.wanted is not None:
            codes = codes.mask((rows["outcome"] == SCORED) & ~ids.isin(set(self.wanted)), 2)
        return codes.tolist()


def best_and_gallery(trials: pd.DataFrame, prefix: pd.DataFrame, score: Score, most: int | None) -> list[str]:
    """Trials whose sheets are shown: all, or those of each family that the gallery shows, and then its best ones.

    Args:
        trials: the rows that the page lists, with trial_id, family, outcome and the score.
        prefix: the finished prefix; the gallery shows no other trials.
        most: trials per family; None for all.
    """
    if most is None:
        return list(trials["trial_id"])
    chosen: list[str] = []
    ranked = trials.assign(value=values_of(trials, score)).dropna(subset=["value"])
    for _, own in ranked.groupby("family"):
        shown = own[own.index.isin(prefix.index)].sort_values("value", kind="stable")["trial_id"]
        places = [int(share * (len(shown) - 1) + 0.5) for share in QUANTILES] if len(shown) else []
        best = own.sort_values("value", ascending=not score.higher_is_better, kind="stable")["trial_id"]
        chosen += list(dict.fromkeys([*shown.iloc[places], *best]))[:most]
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
