"""A grid as other classifiers and other scored steps show it, in compact columns."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

from reports.explorer.bands import bands
from reports.explorer.columns import numbers
from reports.explorer.counts import Counter
from reports.numbers.study import Study

MOST_NUMBERS = 300_000  # scores of other classifiers and steps in a page, about 2 MB
DIGITS = 5  # significant ones of such a score
_NEEDED = {"family", "sweep_id", "shape", "unit", "state", "outcome", "value"}


def fits(study: Study, rows: pd.DataFrame) -> bool:
    """Whether a page can hold the scores of all classifiers and steps for the rows that it lists."""
    return len(rows) * (len(study.classifiers) * len(study.scored_steps) - 1) <= MOST_NUMBERS


def other_views(
    study: Study,
    trials: pd.DataFrame,
    prefix: pd.DataFrame,
    rows: pd.DataFrame,
    presets: list[dict[str, Any]],
    counter: Counter | None,
) -> Iterator[dict[str, Any]]:
    """One view for each classifier and step but those of the study itself.

    Each has `by` (the number of the classifier), `step`, `score` (of the rows), `changed` (the rows that have another
    outcome there, and that outcome), and the score's `bands` and `counts`, as the study itself has them. There are no
    bands where a page can't list all trials: they would take seconds for each view.

    Args:
        trials: every trial, and `prefix` its finished prefix.
        rows: those of them that the page lists.
        presets: as `reports.explorer.presets.presets` gives them.
        counter: of these trials; None where the page lists all of them.
    """
    slim = _slim(study, trials, prefix, presets)
    for number, classifier in enumerate(study.classifiers):
        for step in study.scored_steps:
            one = slim.seen(classifier, step)
            if one is slim:
                continue
            outcome = one.trials.loc[rows.index, "outcome"]
            changed = (outcome != rows["outcome"]).to_numpy().nonzero()[0]
            yield {
                "by": number,
                "step": step,
                "score": numbers(one.trials.loc[rows.index, study.score.name], DIGITS),
                "changed": {"row": changed.tolist(), "outcome": outcome.iloc[changed].tolist()},
                "bands": bands(one.trials, one.prefix, presets, study.experiment) if counter is None else None,
                "counts": counter and counter.counts(one.trials, [study.score]),
            }


def _slim(study: Study, trials: pd.DataFrame, prefix: pd.DataFrame, presets: list[dict[str, Any]]) -> Study:
    """The study with these trials and no column that is not needed, so that views of many trials take little memory."""
    needed = _NEEDED | {study.score.name} | {axis for preset in presets for axis in preset["filters"]}

    def own(rows: pd.DataFrame) -> pd.DataFrame:
        return rows[[name for name in rows if name in needed]]

    return replace(study, trials=own(trials), prefix=own(prefix), margins=own(trials.iloc[:0]))
