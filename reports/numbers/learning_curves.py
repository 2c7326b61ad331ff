"""How scores grow in training, and how near EBGANs come to the equilibrium of their theory."""

import numpy as np
import pandas as pd

from reports.names import in_order
from reports.numbers.study import SCORED

NO_STEPS = pd.DataFrame(columns=["trial_id", "step", "score"])
POINTS = 400  # cells of each family that are drawn against their equilibrium
SAMPLE_SEED = 0
ENERGIES = ["d_loss", "energy_real", "energy_fake"]


def course(chosen: pd.DataFrame, steps: pd.DataFrame) -> pd.DataFrame:
    """Scores of each family by step. A cell counts 0 from where it diverged or failed.

    Cells that were scored at their end alone are left out, and so are steps at which not all the others were scored.

    Args:
        chosen: known cells, with `value`.
        steps: scores in nats by trial_id and step.

    Returns:
        Rows by family and step: family, step, cells, mean (nats), and the quantiles low (10 %) and high (90 %).
    """
    scores = _by_step(chosen["trial_id"], steps)
    rows = []
    for family in in_order(chosen["family"]):
        is_scored = (chosen["outcome"] == SCORED)[chosen["family"] == family]
        own = scores.loc[is_scored.index]
        own = own[~is_scored | own.iloc[:, :-1].notna().any(axis=1)]  # without those scored at their end alone
        complete = own[is_scored[own.index]]
        whole = complete.notna().all()
        if whole.sum() < 2 or complete.empty:
            continue
        for step, values in own.loc[:, whole].fillna(0.0).items():
            sizes = {"family": family, "step": step, "cells": len(values)}
            low, high = values.quantile(0.1), values.quantile(0.9)
            rows.append(sizes | {"mean": values.mean(), "low": low, "high": high})
    return pd.DataFrame(rows, columns=["family", "step", "cells", "mean", "low", "high"])


def _by_step(trial_ids: pd.Series, steps: pd.DataFrame) -> pd.DataFrame:
    """Scores of these trials, one row each, a column a step; empty where a trial was not scored."""
    row = pd.Index(trial_ids).get_indexer(steps["trial_id"])
    values, column = np.unique(steps["step"].to_numpy(), return_inverse=True)
    scores = np.full((len(trial_ids), len(values)), np.nan)
    scores[row[row >= 0], column[row >= 0]] = steps["score"].to_numpy(float)[row >= 0]
    found = pd.DataFrame(scores, trial_ids.index, values).clip(lower=0.0)
    return found.loc[:, found.notna().any()]


def equilibrium(chosen: pd.DataFrame, margins: pd.DataFrame) -> pd.DataFrame:
    """Of EBGANs at the end of training: the discriminator's loss V, mean energies, and the margin that V should reach.

    Args:
        chosen: known cells of the grid; of each family a seeded random sample of 400 if there are more.
        margins: trials of the margin study.

    Returns:
        Rows: study ("grid" or "margins"), family, trial_id, margin, d_loss, energy_real, energy_fake, score (nats).
    """
    rng = np.random.default_rng(SAMPLE_SEED)
    parts = []
    for family in in_order(chosen["family"]):
        cells = _measured(chosen[chosen["family"] == family])
        if len(cells) > POINTS:
            cells = cells.iloc[np.sort(rng.choice(len(cells), POINTS, replace=False))]
        parts.append(cells.assign(study="grid"))
    parts.append(_measured(margins).sort_values("margin").assign(study="margins"))
    return pd.concat(parts, ignore_index=True)[["study", "family", "trial_id", "margin", *ENERGIES, "score"]]


def _measured(cells: pd.DataFrame) -> pd.DataFrame:
    numbers = cells[["margin", *ENERGIES]].to_numpy(float)
    return cells[(cells["outcome"] == SCORED) & np.isfinite(numbers).all(axis=1)]
