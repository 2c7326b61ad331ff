"""The axes of the explorer: those that vary, with their values as codes, and those that are fixed."""

from collections.abc import Collection, Iterator
from typing import Any

import pandas as pd

from reports.names import in_order, short, value_text
from reports.numbers.values import DIVERGED, FAILED, SCORED, UNSCORED, WAITING
from search_spaces.experiment import Experiment

MOST_VALUES = 12  # a numeric axis with more values is filtered by a range
_OUTCOMES = [SCORED, DIVERGED, FAILED, UNSCORED, WAITING]


def axes(
    experiment: Experiment, trials: pd.DataFrame, rows: pd.DataFrame, elsewhere: Collection[str] = ()
) -> list[dict[str, Any]]:
    """The axes on which some family varies, and the outcome.

    Each has name, `printed` (its name in print, if that is another one), `varies_in` (families) and the rows' values:
    `values` (text, in order) and `codes`, or plain `numbers` where there are many; -1 and None stand for no value.

    Args:
        trials: every trial; they say what there is.
        rows: those of them that the page lists.
        elsewhere: outcomes that trials have under other classifiers or at other steps.
    """
    found = [
        _axis(trials, rows, name, axis.meaning.label) for name, axis in experiment.axes.items() if varying(trials, name)
    ]
    outcomes = [name for name in _OUTCOMES if (trials["outcome"] == name).any() or name in elsewhere]
    codes = pd.Categorical(rows["outcome"], outcomes).codes.tolist()
    every = in_order(trials["family"].unique())
    return [*found, {"name": "outcome", "printed": "", "varies_in": every, "values": outcomes, "codes": codes}]


def varying(trials: pd.DataFrame, name: str) -> list[str]:
    """Families that have more than one value on an axis."""
    counts = trials.groupby("family")[name].nunique(dropna=False)
    return in_order(counts.index[counts > 1])


def fixed(experiment: Experiment, trials: pd.DataFrame) -> dict[str, dict[str, str]]:
    """The values that all trials of each family share, as text by name: their space and the axes that do not vary."""
    return {str(family): dict(_shared(experiment, trials, own)) for family, own in trials.groupby("family")}


def _axis(trials: pd.DataFrame, rows: pd.DataFrame, name: str, label: str) -> dict[str, Any]:
    axis = {"name": name, "printed": label if label != name else "", "varies_in": varying(trials, name)}
    values = sorted(trials[name].dropna().unique().tolist(), key=lambda value: (isinstance(value, str), value))
    if len(values) > MOST_VALUES and pd.api.types.is_numeric_dtype(trials[name]):
        return axis | {"numbers": [None if pd.isna(value) else value for value in rows[name].tolist()]}
    codes = pd.Categorical(rows[name], values).codes.tolist()
    return axis | {"values": [value_text(value) for value in values], "codes": codes}


def _shared(experiment: Experiment, trials: pd.DataFrame, own: pd.DataFrame) -> Iterator[tuple[str, str]]:
    yield "space", short(str(own["space"].iloc[0]))
    for name in experiment.axes:
        if not varying(trials, name) and pd.notna(own[name].iloc[0]):
            yield name, value_text(own[name].iloc[0])
