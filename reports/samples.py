"""Which trials' samples are shown: the best of each family (figure 4) and one per margin (figure 9)."""

import io

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from reports.grids import DIVERGED, SCORED
from reports.labels import AXES, in_order

SHEET_ROWS, SHEET_COLUMNS = 8, 12
_SCORES = ["score", "score_fraction", "inception_score", "coverage", "entropy", "frechet"]


def best_trials(cells: pd.DataFrame) -> pd.DataFrame:
    """Figure 4: the highest-scoring trial of each family, one row each; the earlier one of equals."""
    scored = cells[cells["outcome"] == SCORED].sort_values(["score", "position"], ascending=[False, True])
    best = scored.drop_duplicates("family").set_index("family", drop=False)
    best = best.loc[in_order(best["family"])]
    return best[["family", "trial_id", *AXES, "seed", *_SCORES]].reset_index(drop=True)


def margin_trials(trials: pd.DataFrame) -> pd.DataFrame:
    """Figure 9: the finished trials of the margin study in order of their margin."""
    chosen = trials[trials["outcome"].isin([SCORED, DIVERGED])].sort_values("margin")
    return chosen[["margin", "trial_id", "outcome", *_SCORES]].reset_index(drop=True)


def read_sheet(png: bytes) -> NDArray[np.uint8] | None:
    """Gray pixels of a sample sheet, [8 side, 12 side]; None where the bytes are no such picture."""
    try:
        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("L"))
    except (OSError, SyntaxError):  # what Pillow raises for bytes that are no picture, or half of one
        return None
    side = pixels.shape[0] // SHEET_ROWS
    return pixels if side and pixels.shape == (SHEET_ROWS * side, SHEET_COLUMNS * side) else None


def strip(sheet: NDArray[np.uint8], n: int) -> NDArray[np.uint8]:
    """The first n samples of a sheet of 8 x 12 in one row, [side, n side]."""
    side = sheet.shape[0] // SHEET_ROWS
    tiles = sheet.reshape(SHEET_ROWS, side, SHEET_COLUMNS, side).swapaxes(1, 2).reshape(-1, side, side)
    return np.concatenate(list(tiles[:n]), axis=1)
