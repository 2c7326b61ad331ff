"""The part of a caption about the trials of a figure: how many are drawn, how many diverged, which are missing."""

import pandas as pd

from reports.names import family_label, in_order
from reports.numbers.values import DIVERGED, ENDED, FAILED, UNSCORED, WAITING

_UNFINISHED = (
    "The sweep is unfinished. Its trials run in a random order, whole shapes at a time. This figure counts the trials "
    "before the first unfinished shape of that order, which are a random sample of the grid. Trials that ended later "
    "are not counted yet, since too many of them are fast ones. Each bar's grey box is a 95 % interval for the whole "
    "grid that holds at every moment of the sweep."
)


def sample_sizes(prefix: pd.DataFrame, trials: pd.DataFrame) -> str:
    """Per family how many trials are drawn, how many of these diverged, and why the others are missing."""
    return " ".join(
        _family(family, prefix[prefix["family"] == family], trials[trials["family"] == family])
        for family in in_order(trials["family"])
    )


def unfinished(trials: pd.DataFrame) -> tuple[str, ...]:
    """A paragraph about the prefix where trials are waiting; nothing for a finished sweep."""
    return (_UNFINISHED,) if (trials["outcome"] == WAITING).any() else ()


def _family(family: str, prefix: pd.DataFrame, trials: pd.DataFrame) -> str:
    drawn = prefix[prefix["value"].notna()]
    diverged, failed = int((drawn["outcome"] == DIVERGED).sum()), int((prefix["outcome"] == FAILED).sum())
    later = int(trials["outcome"].isin(ENDED).sum()) - len(prefix)
    waiting, unscored = (int((trials["outcome"] == outcome).sum()) for outcome in (WAITING, UNSCORED))
    reasons = (
        (failed, "failed"),
        (later, "ended after the first unfinished shape"),
        (waiting, "waiting"),
        (unscored, "without a comparable score"),
    )
    missing = [f"{n:,} {words}" for n, words in reasons if n]
    ended = f" ({diverged:,} diverged)" if diverged else ""
    absent = f" Missing: {', '.join(missing)}." if missing else ""
    return f"{family_label(family)}: {len(drawn):,} of {len(trials):,} trials{ended}.{absent}"
