"""How near EBGANs come to the equilibrium of their theory (Zhao et al., 2016, theorems 1 and 2)."""

import numpy as np
import pandas as pd

from reports.names import in_order
from reports.numbers.values import SCORED

POINTS = 400  # trials per family in the drawing
SAMPLE_SEED = 0
ENERGIES = ["d_loss", "energy_real", "energy_fake"]


def equilibrium(prefix: pd.DataFrame, margins: pd.DataFrame) -> pd.DataFrame:
    """Measurements of EBGANs at the end of training: the discriminator's loss V, mean energies, and the margin.

    Args:
        prefix: the finished prefix of the grid; a family of more than 400 trials is a seeded random sample.
        margins: trials of the margin study.

    Returns:
        Rows: study ("grid" or "margins"), family, trial_id, margin, d_loss, energy_real, energy_fake, score (nats).
    """
    rng = np.random.default_rng(SAMPLE_SEED)
    parts = []
    for family in in_order(prefix["family"]):
        trials = _measured(prefix[prefix["family"] == family])
        if len(trials) > POINTS:
            trials = trials.iloc[np.sort(rng.choice(len(trials), POINTS, replace=False))]
        parts.append(trials.assign(study="grid"))
    parts.append(_measured(margins).sort_values("margin").assign(study="margins"))
    return pd.concat(parts, ignore_index=True)[["study", "family", "trial_id", "margin", *ENERGIES, "score"]]


def _measured(trials: pd.DataFrame) -> pd.DataFrame:
    numbers = trials[["margin", *ENERGIES]].to_numpy(float)
    return trials[(trials["outcome"] == SCORED) & np.isfinite(numbers).all(axis=1)]
