"""What matters: which axes, and which pairs of them, make a family's scores differ.

A whole grid is a balanced factorial, in which the variance of the scores splits exactly into what each axis explains
alone, each pair beyond its two, and the rest (R. A. Fisher's analysis of variance; docs/statistics.md). For a part of
a grid it does not; there it is estimated by PED-ANOVA (Watanabe, Bansal and Hutter, 2023), as Optuna computes it.
"""

import itertools
import math
from collections.abc import Sequence

import pandas as pd
from scipy.stats import sem, t

from reports.names import AXES
from reports.numbers.prefix import CONFIDENCE, SHAPE

MOST_ESTIMATED = 10_000  # cells that an estimate rests on; of more, a seeded random sample
EXACT, ESTIMATE = "exact", "estimate (PED-ANOVA)"


def varied(cells: pd.DataFrame) -> list[str]:
    """Axes on which these cells differ."""
    return [axis for axis in [*AXES, "seed"] if len(cells[axis].dropna().unique()) > 1]


def is_whole(cells: pd.DataFrame, declared: pd.DataFrame) -> bool:
    """Whether these are all cells of a full factorial: every combination of values, equally often."""
    if len(cells) != len(declared) or cells.empty:
        return False
    axes = varied(cells)
    if not axes:
        return False
    sizes = cells.groupby(axes).size()
    return len(sizes) == math.prod(cells[axis].nunique() for axis in axes) and sizes.min() == sizes.max()


def variance_shares(cells: pd.DataFrame, declared: pd.DataFrame) -> pd.DataFrame:
    """What each axis and each pair of axes explains of the variance of one family's scores.

    Args:
        cells: known cells of one family, with `value`.
        declared: all of its cells.

    Returns:
        One row per axis and, if the grid is whole, per pair: axis, other (empty for an axis alone), share, basis
        (`EXACT` or `ESTIMATE`). Largest first. Shares are of the variance; estimates are only relative to one another.
    """
    axes = varied(declared)
    if not axes or cells["value"].nunique() < 2:
        return pd.DataFrame(columns=["axis", "other", "share", "basis"])
    rows = _exact(cells, axes) if is_whole(cells, declared) else _estimated(cells, axes)
    return pd.DataFrame(rows).sort_values("share", ascending=False, ignore_index=True)


def main_effects(cells: pd.DataFrame) -> pd.DataFrame:
    """Mean score by value of each axis, in nats.

    Returns:
        Rows by axis and value: axis, value, cells, mean, low, high. The interval, 95 %, is Student's over the means of
        shapes, as if the shapes were drawn from more of their kind; empty where there are fewer than two.
    """
    columns = ["axis", "value", "cells", "mean", "low", "high"]
    rows = [
        {"axis": axis, "value": value} | _mean(group)
        for axis in varied(cells)
        for value, group in cells.groupby(axis, sort=True)
    ]
    return pd.DataFrame(rows, columns=columns)


def pair_means(cells: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """Mean score, nats, by the values of two axes: one row per value of the one, one column per value of the other."""
    return cells.pivot_table(index=one, columns=other, values="value", aggfunc="mean")


def _mean(group: pd.DataFrame) -> dict[str, float]:
    shapes = group.groupby(SHAPE)["value"].mean()
    half = float(t.ppf(0.5 + CONFIDENCE / 2, len(shapes) - 1) * sem(shapes)) if len(shapes) > 1 else math.nan
    mean = float(group["value"].mean())
    return {"cells": len(group), "mean": mean, "low": mean - half, "high": mean + half}


def _exact(cells: pd.DataFrame, axes: Sequence[str]) -> list[dict[str, object]]:
    value = cells["value"]
    grand, total = value.mean(), value.var(ddof=0)

    def explained(by: list[str]) -> float:
        return float((cells.groupby(by)["value"].transform("mean") - grand).pow(2).mean() / total)

    alone = {axis: explained([axis]) for axis in axes}
    rows: list[dict[str, object]] = [
        {"axis": axis, "other": None, "share": share, "basis": EXACT} for axis, share in alone.items()
    ]
    for one, two in itertools.combinations(axes, 2):
        share = max(0.0, explained([one, two]) - alone[one] - alone[two])
        rows.append({"axis": one, "other": two, "share": share, "basis": EXACT})
    return rows


def _estimated(cells: pd.DataFrame, axes: Sequence[str]) -> list[dict[str, object]]:
    import optuna  # a second of loading that whole grids do without

    if len(cells) > MOST_ESTIMATED:
        cells = cells.sample(MOST_ESTIMATED, random_state=0)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    choices = {axis: sorted(cells[axis].unique().tolist()) for axis in axes}
    space: dict[str, optuna.distributions.BaseDistribution]
    space = {axis: optuna.distributions.CategoricalDistribution(values) for axis, values in choices.items()}
    study = optuna.create_study(direction="maximize")
    study.add_trials(
        [
            optuna.trial.create_trial(params=dict(zip(axes, row[:-1], strict=True)), distributions=space, value=row[-1])
            for row in cells[[*axes, "value"]].itertuples(index=False, name=None)
        ]
    )
    found = optuna.importance.get_param_importances(
        study, evaluator=optuna.importance.PedAnovaImportanceEvaluator(), normalize=True
    )
    return [{"axis": axis, "other": None, "share": float(found.get(axis, 0.0)), "basis": ESTIMATE} for axis in axes]
