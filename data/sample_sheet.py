"""Sample sheets: a few generated images of a trial as one small PNG, and the images of a PNG."""

import io
import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ROWS, COLUMNS = 8, 12  # as in the paper's figure 4
GREYS = 16  # enough for digits, and a quarter of the bytes
LARGEST_SIDE = 64  # pixels of an image that is read; those of MNIST have 32
_MODES = ("L", "P")  # grey, or numbers of greys
_START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_HEAD = struct.Struct(f">{len(_START)}sII")  # with width and height


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


def read_sheet(png: bytes) -> NDArray[np.uint8] | None:
    """Grey pixels of a sample sheet, [8 side, 12 side]; None where the bytes are no such picture.

    A stranger may have made the database and chosen the bytes, so only PNG is tried: other readers of Pillow start
    programs. An image of another size is refused by its header, before anything is unpacked.
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
    side = height // ROWS
    return start == _START and 0 < side <= LARGEST_SIDE and (width, height) == (COLUMNS * side, ROWS * side)


def strip(sheet: NDArray[np.uint8], n: int) -> NDArray[np.uint8]:
    """The first n images of a sheet in one row, [side, n side]."""
    side = sheet.shape[0] // ROWS
    tiles = sheet.reshape(ROWS, side, COLUMNS, side).swapaxes(1, 2).reshape(-1, side, side)
    return np.concatenate(list(tiles[:n]), axis=1)
