"""Figures that are drawn for the page alone, in a third of the time."""

from typing import Any

import pytest
from matplotlib.figure import Figure


def draw_svg_alone(patch: pytest.MonkeyPatch) -> None:
    """Figures are drawn as SVG, which the page shows, and not in the other formats, to which it links."""
    save = Figure.savefig

    def save_svg(figure: Figure, file: Any, **options: Any) -> None:
        if options["format"] == "svg":
            save(figure, file, **options)

    patch.setattr(Figure, "savefig", save_svg)
