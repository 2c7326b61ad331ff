"""How figures look, and how they become SVG, PNG and PDF."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.transforms import Bbox, BboxBase

from reports.palette import LIGHT, hue
from search_spaces.experiment import Score

INK, MUTED, RULE = LIGHT["ink"], LIGHT["muted"], LIGHT["rule"]
EMPTY = "no trials"
PNG_DPI = 160
SMALL = 8.5  # points
HALF = 4.8  # inches: the width of figures of one panel, two of which stand side by side on a wide screen
COLOUR_BAR = "colour bar"  # label of its axes
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.edgecolor": RULE,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "text.parse_math": False,  # names come from the database and may hold a $
    "svg.fonttype": "none",  # text stays text
    "pdf.fonttype": 42,  # whole fonts: text stays text in PDF files too
    "svg.hashsalt": "reports",  # the same numbers give the same bytes
}


THIRD = "The line at ⅓, where scores reach it, is a third of the real-data score."
OVER_LINES: Any = {"facecolor": LIGHT["surface"], "edgecolor": "none", "pad": 0.8}  # behind words that a line crosses


@dataclass(frozen=True)
class Part:
    """A panel of a drawing, or an entry of its legend; a narrow screen shows them below one another.

    Attributes:
        groups: ids of its elements in the SVG.
        box: left, top, width and height, in units of the SVG.
        is_key: whether it is an entry of the legend.
    """

    groups: tuple[str, ...]
    box: tuple[float, float, float, float]
    is_key: bool = False


@dataclass(frozen=True)
class Picture:
    """A drawing in three formats, and its parts."""

    svg: bytes
    png: bytes
    pdf: bytes
    parts: tuple[Part, ...] = ()


@mpl.rc_context(STYLE)
def encode(drawing: Drawing) -> Picture:
    svg, png, pdf = io.BytesIO(), io.BytesIO(), io.BytesIO()
    drawing.savefig(svg, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    drawing.savefig(png, format="png", dpi=PNG_DPI, metadata={"Software": None})
    drawing.savefig(pdf, format="pdf", metadata=dict.fromkeys(("CreationDate", "Creator", "Producer")))
    return Picture(svg.getvalue(), png.getvalue(), pdf.getvalue(), tuple(_parts(drawing)))


def _parts(drawing: Drawing) -> Iterator[Part]:
    """The entries of the legend, then the panels; panels with one horizontal axis, and a colour bar, stay together."""
    drawing.draw_without_rendering()  # legends are placed by it
    for legend in drawing.legends:
        for handle, words in zip(legend.legend_handles, legend.get_texts(), strict=True):
            ends = [artist.get_window_extent() for artist in (handle, words) if artist]
            left, top, width, height = _box(drawing, ends)
            yield Part(("figure_1",), (left, top, 1.04 * width + 2, height), is_key=True)  # a browser has its own fonts
    columns: list[dict[str, Axes]] = []
    for n, axes in enumerate(drawing.axes, start=1):  # the backend numbers its groups in this order
        if not axes.axison:
            continue
        above = [column for column in columns if _is_below(axes, next(iter(column.values())))]
        column = columns[-1] if axes.get_label() == COLOUR_BAR else next(iter(above), None)
        if column is None:
            column = {}
            columns.append(column)
        column[f"axes_{n}"] = axes
    for column in columns:
        yield Part(tuple(column), _box(drawing, [axes.get_tightbbox() for axes in column.values()]))


def _box(drawing: Drawing, ends: Sequence[BboxBase | None]) -> tuple[float, float, float, float]:
    """The box around these, from pixels to units of the SVG, with a margin."""
    around = Bbox.union([one for one in ends if one is not None]).padded(3)
    unit = 72 / drawing.dpi
    top = drawing.get_figheight() * drawing.dpi - around.y1
    return around.x0 * unit, top * unit, around.width * unit, around.height * unit


def _is_below(axes: Axes, other: Axes) -> bool:
    is_shared = bool(axes.get_shared_x_axes().joined(axes, other))
    return is_shared and abs(axes.get_position().x0 - other.get_position().x0) < 0.001


def dash(family: str) -> Literal["-", "--"]:
    """How lines of a family are drawn: those with the pull-away term are dashed, since their hue is near another's."""
    return "--" if hue(family) == "ebgan-pt" else "-"


def score_label(score: Score) -> str:
    """What an axis of scores is called."""
    return f"score {score.label}"


def symbol(score: Score) -> str:
    """The score's name without its unit."""
    return score.label.partition(",")[0]


def mark_third(axes: Axes, real_score: float | None) -> None:
    """Draws a line at a third of the real-data score where the axis of scores, y, reaches so far."""
    if real_score is not None and real_score / 3 < axes.get_ylim()[1]:
        axes.axhline(real_score / 3, color=RULE, linewidth=0.8, zorder=0)
        place: Any = {"xytext": (3, 0), "textcoords": "offset points", "va": "center", "fontsize": SMALL}
        axes.annotate("⅓", (1, real_score / 3), xycoords=("axes fraction", "data"), color=MUTED, **place)


def finish(drawing: Drawing, axes: Axes, table: pd.DataFrame) -> None:
    """Adds legend and margins to a drawing of one panel; an empty one says so."""
    if table.empty:
        axes.text(0.5, 0.5, EMPTY, ha="center", color=MUTED, transform=axes.transAxes)
    else:
        handles, labels = axes.get_legend_handles_labels()
        drawing.legend(handles, labels, loc="upper left", ncols=len(labels))
    drawing.subplots_adjust(left=0.12, right=0.955, bottom=0.135, top=0.86)
