"""Which trials' samples are shown: the best of each family (figure 4) and one per margin (figure 9)."""

import io
import struct

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from reports.names import AXES, in_order
from reports.numbers.study import DIVERGED, SCORED

SHEET_ROWS, SHEET_COLUMNS = 8, 12
LARGEST_SIDE = 64  # pixels of a sample; those of MNIST have 32
_MODES = ("L", "P")  # gray, or numbers of grays
_START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_HEAD = struct.Struct(f">{len(_START)}sII")  # with width and height
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
    """Gray pixels of a sample sheet, [8 side, 12 side]; None where the bytes are no such picture.

    Whoever made the database chose the bytes, so nothing but PNG is tried: other readers of Pillow start programs. An
    image of another size is refused by its header, before anything is unpacked.
    """
    if not _has_size_of_sheet(png):
        return None
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            return np.asarray(image.convert("L")) if image.mode in _MODES else None
    except Exception:  # Pillow raises a dozen kinds for what is no picture, half of one, or a bomb
        return None


def _has_size_of_sheet(png: bytes) -> bool:
    head = png[: _HEAD.size] if isinstance(png, bytes) else b""
    if len(head) < _HEAD.size:
        return False
    start, width, height = _HEAD.unpack(head)
    side = height // SHEET_ROWS
    return start == _START and 0 < side <= LARGEST_SIDE and (width, height) == (SHEET_COLUMNS * side, SHEET_ROWS * side)


def strip(sheet: NDArray[np.uint8], n: int) -> NDArray[np.uint8]:
    """The first n samples of a sheet of 8 x 12 in one row, [side, n side]."""
    side = sheet.shape[0] // SHEET_ROWS
    tiles = sheet.reshape(SHEET_ROWS, side, SHEET_COLUMNS, side).swapaxes(1, 2).reshape(-1, side, side)
    return np.concatenate(list(tiles[:n]), axis=1)
