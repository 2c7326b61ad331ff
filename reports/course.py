"""How scores grow in training, and how near EBGANs come to the equilibrium of their theory."""

import numpy as np
import pandas as pd

from reports.grids import SCORED
from reports.labels import in_order

STEP_COLUMNS = ["trial_id", "step", "score", "inception_score", "coverage", "entropy", "frechet"]
NO_STEPS = pd.DataFrame(columns=STEP_COLUMNS)
POINTS = 400  # cells of each family that are drawn against their equilibrium
SAMPLE_SEED = 0
ENERGIES = ["d_loss", "energy_real", "energy_fake"]


def course(chosen: pd.DataFrame, steps: pd.DataFrame) -> pd.DataFrame:
    """Scores of each family by step. A cell counts 0 from where it diverged or failed.

    Cells that were scored at their end alone are left out, and so are steps at which not all the others were scored.

    Args:
        chosen: known cells, with `value`.
        steps: scores by step, with `STEP_COLUMNS`, of trials that were scored before their end too.

    Returns:
        Rows by family and step: family, step, cells, mean (nats), and the quantiles low (10 %) and high (90 %).
    """
    rows = []
    for family in in_order(chosen["family"]):
        scores = _by_step(chosen[chosen["family"] == family].set_index("trial_id"), steps)
        for step, values in scores.items():
            low, high = values.quantile(0.1), values.quantile(0.9)
            sizes = {"family": family, "step": step, "cells": len(values)}
            rows.append(sizes | {"mean": values.mean(), "low": low, "high": high})
    return pd.DataFrame(rows, columns=["family", "step", "cells", "mean", "low", "high"])


def _by_step(cells: pd.DataFrame, steps: pd.DataFrame) -> pd.DataFrame:
    """Scores of one family, trials by steps; none unless there are two steps at least."""
    own = steps[steps["trial_id"].isin(cells.index)].astype({"score": float})
    scores = own.pivot_table(index="trial_id", columns="step", values="score", aggfunc="first").clip(lower=0.0)
    lost = cells.index[cells["outcome"] != SCORED]
    scores = scores.reindex(scores.index.union(lost))
    whole = scores[~scores.index.isin(lost)].notna().all()
    return scores.loc[:, whole if whole.sum() > 1 else []].fillna(0.0)


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
