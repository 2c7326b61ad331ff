"""What matters: which axes, and which pairs of axes, make a family's scores differ.

A whole grid is a balanced factorial design: the variance of its scores splits exactly into the share that each axis
explains alone, the share that each pair explains beyond its two axes, and the rest (R. A. Fisher's analysis of
variance; docs/statistics.md). For a part of a grid there is no exact split, and PED-ANOVA estimates the shares
(Watanabe, Bansal and Hutter, 2023), as Optuna computes it.
"""

import itertools
import math
from collections.abc import Sequence

import pandas as pd
from scipy.stats import sem, t

from reports.names import all_axes
from reports.numbers.prefix import CONFIDENCE, FEWEST_SHAPES
from search_spaces.experiment import Score

MOST_ESTIMATED = 10_000  # most trials of an estimate; of more than that, a seeded random sample is taken
EXACT, ESTIMATE = "exact", "estimate (PED-ANOVA)"


def varied(trials: pd.DataFrame) -> list[str]:
    """Axes on which these trials differ."""
    return [axis for axis in all_axes() if axis in trials and len(trials[axis].dropna().unique()) > 1]


def is_whole(known: pd.DataFrame, trials: pd.DataFrame) -> bool:
    """Whether the known trials are a full factorial design: every combination of values, equally often."""
    if len(known) != len(trials) or known.empty:
        return False
    axes = varied(known)
    if not axes:
        return False
    sizes = known.groupby(axes).size()
    return len(sizes) == math.prod(known[axis].nunique() for axis in axes) and sizes.min() == sizes.max()


def variance_shares(prefix: pd.DataFrame, trials: pd.DataFrame, score: Score) -> pd.DataFrame:
    """What each axis and each pair of axes explains of the variance of one family's scores.

    Args:
        prefix: the finished prefix of one family, with `value`.
        trials: every declared trial of the family.
        score: says what is better, which matters for estimates.

    Returns:
        One row per axis and, if the grid is whole, per pair: axis, other (empty for an axis alone), share, basis
        (`EXACT` or `ESTIMATE`). Largest first. Shares are of the variance; estimates are only relative to one another.
    """
    known = prefix[prefix["value"].notna()]
    axes = varied(trials)
    if not axes or known["value"].nunique() < 2:
        return pd.DataFrame(columns=["axis", "other", "share", "basis"])
    rows = _exact(known, axes) if is_whole(known, trials) else _estimated(known, axes, score)
    return pd.DataFrame(rows).sort_values("share", ascending=False, ignore_index=True)


def rest_of(shares: pd.DataFrame) -> float | None:
    """The part of the variance that no axis and no pair explains; None for an estimate, which has no such part."""
    return None if shares["basis"].iloc[0] != EXACT else max(0.0, 1 - float(shares["share"].sum()))


def main_effects(prefix: pd.DataFrame) -> pd.DataFrame:
    """Mean score by value of each axis.

    Returns:
        Rows by axis and value: axis, value, cells (trials), mean, low, high. The interval, 95 %, is Student's over the
        means of shapes, as if the shapes were drawn from more of their kind; empty where they are fewer than
        `FEWEST_SHAPES`.
    """
    known = prefix[prefix["value"].notna()]
    columns = ["axis", "value", "cells", "mean", "low", "high"]
    rows = [
        {"axis": axis, "value": value} | _mean(group)
        for axis in varied(known)
        for value, group in known[["shape", "value"]].groupby(known[axis], sort=True)
    ]
    return pd.DataFrame(rows, columns=columns)


def pair_means(prefix: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """Mean score by the values of two axes: a row per value of the one, a column per value of the other."""
    return prefix.pivot_table(index=one, columns=other, values="value", aggfunc="mean")


def strongest_pair(shares: pd.DataFrame) -> tuple[str, str]:
    """The pair of axes that explains most together with its axes alone; of an estimate, the two strongest axes."""
    alone = shares[shares["other"].isna()].set_index("axis")["share"]
    pairs = shares[shares["other"].notna()]
    if pairs.empty:
        return str(alone.index[0]), str(alone.index[1])
    together = pairs["share"] + pairs["axis"].map(alone) + pairs["other"].map(alone)
    best = int(together.to_numpy().argmax())
    return str(pairs["axis"].iloc[best]), str(pairs["other"].iloc[best])


def _mean(group: pd.DataFrame) -> dict[str, float]:
    shapes = group.groupby("shape")["value"].mean()
    half = (
        float(t.ppf(0.5 + CONFIDENCE / 2, len(shapes) - 1) * sem(shapes)) if len(shapes) >= FEWEST_SHAPES else math.nan
    )
    mean = float(group["value"].mean())
    return {"cells": len(group), "mean": mean, "low": mean - half, "high": mean + half}


def _exact(known: pd.DataFrame, axes: Sequence[str]) -> list[dict[str, object]]:
    value = known["value"]
    grand, total = value.mean(), value.var(ddof=0)

    def explained(by: list[str]) -> float:
        return float((known.groupby(by)["value"].transform("mean") - grand).pow(2).mean() / total)

    alone = {axis: explained([axis]) for axis in axes}
    rows: list[dict[str, object]] = [
        {"axis": axis, "other": None, "share": share, "basis": EXACT} for axis, share in alone.items()
    ]
    for one, two in itertools.combinations(axes, 2):
        share = max(0.0, explained([one, two]) - alone[one] - alone[two])
        rows.append({"axis": one, "other": two, "share": share, "basis": EXACT})
    return rows


def _estimated(known: pd.DataFrame, axes: Sequence[str], score: Score) -> list[dict[str, object]]:
    import optuna  # loading it takes a second, which whole grids do without

    if len(known) > MOST_ESTIMATED:
        known = known.sample(MOST_ESTIMATED, random_state=0)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    choices = {axis: sorted(known[axis].unique().tolist()) for axis in axes}
    space: dict[str, optuna.distributions.BaseDistribution]
    space = {axis: optuna.distributions.CategoricalDistribution(values) for axis, values in choices.items()}
    study = optuna.create_study(direction="maximize" if score.higher_is_better else "minimize")
    study.add_trials(
        [
            optuna.trial.create_trial(params=dict(zip(axes, row[:-1], strict=True)), distributions=space, value=row[-1])
            for row in known[[*axes, "value"]].itertuples(index=False, name=None)
        ]
    )
    found = optuna.importance.get_param_importances(
        study, evaluator=optuna.importance.PedAnovaImportanceEvaluator(), normalize=True
    )
    return [{"axis": axis, "other": None, "share": float(found.get(axis, 0.0)), "basis": ESTIMATE} for axis in axes]
