"""Sample sheets: a few generated images of a trial as one small PNG."""

import io

import numpy as np
from PIL import Image

ROWS, COLUMNS = 8, 12  # as in the paper's figure 4
GREYS = 16  # enough for digits, and a quarter of the bytes


def sheet(images: np.ndarray) -> bytes:
    """PNG of the first 96 images, 8 rows of 12.

    Args:
        images: [n >= 96, side * side] in [-1, 1].
    """
    side = round(images.shape[1] ** 0.5)
    tiles = images[: ROWS * COLUMNS].reshape(ROWS, COLUMNS, side, side)
    canvas = tiles.transpose(0, 2, 1, 3).reshape(ROWS * side, COLUMNS * side)
    levels = np.rint((canvas + 1) / 2 * (GREYS - 1)).clip(0, GREYS - 1).astype(np.uint8)
    image = Image.fromarray(levels, mode="P")
    image.putpalette([grey * 255 // (GREYS - 1) for grey in range(GREYS) for _ in "rgb"])
    buffer = io.BytesIO()
    image.save(buffer, "PNG", bits=4, optimize=True)
    return buffer.getvalue()
