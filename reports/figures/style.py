"""How figures look, and how they become SVG, PNG and PDF."""

import io
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from reports.palette import LIGHT, hue
from search_spaces.experiment import Score

INK, MUTED, RULE = LIGHT["ink"], LIGHT["muted"], LIGHT["rule"]
EMPTY = "no trials"
PNG_DPI = 160
SMALL = 8.5  # points
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


@dataclass(frozen=True)
class Picture:
    """A drawing in three formats."""

    svg: bytes
    png: bytes
    pdf: bytes


@mpl.rc_context(STYLE)
def encode(drawing: Drawing) -> Picture:
    svg, png, pdf = io.BytesIO(), io.BytesIO(), io.BytesIO()
    drawing.savefig(svg, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    drawing.savefig(png, format="png", dpi=PNG_DPI, metadata={"Software": None})
    drawing.savefig(pdf, format="pdf", metadata=dict.fromkeys(("CreationDate", "Creator", "Producer")))
    return Picture(svg.getvalue(), png.getvalue(), pdf.getvalue())


def dash(family: str) -> Literal["-", "--"]:
    """How lines of a family are drawn: those with the pull-away term are dashed, since their hue is near another's."""
    return "--" if hue(family) == "ebgan-pt" else "-"


def score_label(score: Score) -> str:
    """What an axis of scores is called."""
    return f"score {score.label}"


def symbol(score: Score) -> str:
    """The score's name without its unit."""
    return score.label.partition(",")[0]


def finish(drawing: Drawing, axes: Axes, table: pd.DataFrame) -> None:
    """Adds legend and margins to a drawing of one panel; an empty one says so."""
    if table.empty:
        axes.text(0.5, 0.5, EMPTY, ha="center", color=MUTED, transform=axes.transAxes)
    else:
        handles, labels = axes.get_legend_handles_labels()
        drawing.legend(handles, labels, loc="upper left", ncols=len(labels))
    drawing.subplots_adjust(left=0.06, right=0.99, bottom=0.13, top=0.91)
