"""Draws the figures: from a table of numbers to a picture, and from a picture to SVG, PNG and PDF.

Each panel of figures 2 and 3 has two halves on one axis: bars that rise are the sweep's, bars that hang are those of
Zhao et al. (2016).
"""

import io
import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from reports.names import SCORE, configuration, family_label, in_order
from reports.numbers.histogram import LAYER_PANELS, OPTIMIZERS, RATES
from reports.numbers.samples import strip
from reports.numbers.study import DIVERGED
from reports.palette import LIGHT, hue

INK, MUTED, RULE = LIGHT["ink"], LIGHT["muted"], LIGHT["rule"]
SCORE_LABEL = f"score {SCORE}, nats"
EMPTY = "no known cells"
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
    "text.parse_math": False,  # names come from the database
    "svg.fonttype": "none",  # text stays text
    "pdf.fonttype": 42,  # whole fonts, so that text stays text here too
    "svg.hashsalt": "reports",  # the same numbers give the same bytes
}

Sheets = Mapping[str, NDArray[np.uint8]]


@dataclass(frozen=True)
class Picture:
    """A figure, encoded."""

    svg: bytes
    png: bytes
    pdf: bytes


@mpl.rc_context(STYLE)
def encode(figure: Figure) -> Picture:
    svg, png, pdf = io.BytesIO(), io.BytesIO(), io.BytesIO()
    figure.savefig(svg, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    figure.savefig(png, format="png", dpi=PNG_DPI, metadata={"Software": None})
    figure.savefig(pdf, format="pdf", metadata=dict.fromkeys(("CreationDate", "Creator", "Producer")))
    return Picture(svg.getvalue(), png.getvalue(), pdf.getvalue())


@mpl.rc_context(STYLE)
def draw_layers(table: pd.DataFrame, real_score: float | None) -> Figure:
    """Figure 2, from `layer_histograms`: three panels by number of layers."""
    figure = Figure(figsize=(11, 4.7))
    panels = figure.subplots(1, len(LAYER_PANELS), sharex=True, sharey=True)
    for axes, letter, panel in zip(panels, "abc", LAYER_PANELS, strict=True):
        rows = table[table["panel"] == panel]
        _two_halves(axes, rows, real_score)
        limit = panel.replace("layers <=", "nLayerG, nLayerD ≤")
        axes.set_title(f"({letter}) {limit}", pad=21)
        _above(axes, _sizes(rows))
        axes.set_xlabel(SCORE_LABEL)
    _name_halves(panels[0], offset=-33)
    _finish_halves(panels[0], table, real_score)
    _legend(figure, table)
    figure.subplots_adjust(left=0.06, right=0.99, bottom=0.11, top=0.8, wspace=0.08)
    return figure


@mpl.rc_context(STYLE)
def draw_optimizers(table: pd.DataFrame, real_score: float | None) -> Figure:
    """Figure 3, from `optimizer_histograms`: rows by learning rate, columns by optimisers."""
    figure = Figure(figsize=(11, 8.2))
    panels = figure.subplots(len(RATES), len(OPTIMIZERS), sharex=True, sharey=True)
    for row, lr in zip(panels, RATES, strict=True):
        for axes, (optim_d, optim_g) in zip(row, OPTIMIZERS, strict=True):
            same = np.isclose(table["lr"], lr) & (table["optim_d"] == optim_d) & (table["optim_g"] == optim_g)
            _two_halves(axes, table[same], real_score, expected="gan")
            _above(axes, _sizes(table[same & (table["family"] == "gan")]))
        row[0].set_ylabel(f"lr {lr:g}", labelpad=23, fontsize=9.5)
        _name_halves(row[0], offset=-33)
    for axes, (optim_d, optim_g) in zip(panels[0], OPTIMIZERS, strict=True):
        axes.set_title(f"optimD {optim_d}, optimG {optim_g}", pad=21)
    for axes in panels[-1]:
        axes.set_xlabel(SCORE_LABEL)
    _finish_halves(panels[0, 0], table, real_score)
    _legend(figure, table)
    figure.subplots_adjust(left=0.085, right=0.99, bottom=0.06, top=0.905, wspace=0.07, hspace=0.16)
    return figure


@mpl.rc_context(STYLE)
def draw_best(table: pd.DataFrame, sheets: Sheets) -> Figure:
    """Figure 4, from `best_trials`: one sheet of 8 x 12 samples per family, sheets [256, 384] by trial id."""
    figure = Figure(figsize=(11, 3.3))
    panels = figure.subplots(1, max(len(table), 3), squeeze=False)[0]
    for axes in panels:
        axes.set_axis_off()
    for axes, cell in zip(panels, table.to_dict("records"), strict=False):
        sheet = sheets.get(cell["trial_id"])
        if sheet is None:
            axes.text(0.5, 0.5, "no sample sheet", ha="center", color=MUTED, transform=axes.transAxes)
        else:
            axes.imshow(sheet, cmap="gray", vmin=0, vmax=255, interpolation="none")
        axes.set_title(f"{family_label(cell['family'])}  {SCORE} {cell['score']:.2f}", color=INK)
        words = textwrap.fill(f"{configuration(cell)}; {cell['coverage']:.0f} of 10 classes", 56)
        axes.text(0, -0.04, words, va="top", color=MUTED, fontsize=SMALL, transform=axes.transAxes)
    figure.subplots_adjust(left=0.005, right=0.995, bottom=0.17, top=0.93, wspace=0.05)
    return figure


@mpl.rc_context(STYLE)
def draw_margins(table: pd.DataFrame, sheets: Sheets, real_score: float | None) -> Figure:
    """Figure 9, from `margin_trials`: per margin a row of 16 samples and its score."""
    n = len(table)
    figure = Figure(figsize=(11, 0.44 * n + 0.9))
    images, scores = figure.subplots(1, 2, sharey=True, width_ratios=[7, 3])
    longest = max([real_score or 1.0, *table["score"].dropna()])
    for row, cell in enumerate(table.to_dict("records")):
        sheet = sheets.get(cell["trial_id"])
        if sheet is not None:
            images.imshow(
                strip(sheet, 16),
                extent=(0, 16, row + 0.46, row - 0.46),
                cmap="gray",
                vmin=0,
                vmax=255,
                interpolation="none",
            )
        _margin_bar(scores, row, cell, longest)
    images.set(xlim=(0, 16), ylim=(n - 0.5, -0.5), aspect="auto", xticks=[])
    images.set_yticks(range(n), [f"m = {margin:g}" for margin in table["margin"]])
    images.spines[:].set_visible(False)
    images.tick_params(left=False, labelcolor=INK)
    scores.tick_params(left=False, labelleft=False)
    scores.spines["left"].set_color(RULE)
    scores.set_xlabel(SCORE_LABEL, loc="left")
    scores.set_xlim(0, longest * 1.7)
    scores.set_xticks(mpl.ticker.MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(0, longest))
    scores.spines["bottom"].set_bounds(0, longest)
    if real_score is not None:
        scores.axvline(real_score, color=INK, linestyle=(0, (4, 3)), linewidth=0.8)
        scores.text(real_score, -0.6, "real digits ", ha="right", va="bottom", color=MUTED, fontsize=SMALL)
    for place, words in ((1.25, SCORE), (1.6, "classes")):
        scores.text(place * longest, -0.6, words, ha="right", va="bottom", color=MUTED, fontsize=SMALL)
    figure.subplots_adjust(
        left=0.06, right=0.995, bottom=0.5 / figure.get_figheight(), top=1 - 0.3 / figure.get_figheight(), wspace=0.04
    )
    return figure


def _margin_bar(axes: Axes, row: int, cell: Mapping[Any, Any], longest: float) -> None:
    """One score as a bar, and its numbers in columns to the right of the longest bar."""
    if cell["outcome"] == DIVERGED:
        axes.text(1.25 * longest, row, "diverged", ha="right", va="center", fontsize=SMALL)
        return
    axes.barh(row, cell["score"], height=0.5, color=LIGHT["ebgan"])
    axes.text(1.25 * longest, row, f"{cell['score']:.2f}", ha="right", va="center", fontsize=SMALL)
    axes.text(1.6 * longest, row, f"{cell['coverage']:.0f}", ha="right", va="center", fontsize=SMALL)


def _two_halves(axes: Axes, rows: pd.DataFrame, real_score: float | None, expected: str | None = None) -> None:
    """The sweep's bars upwards, the paper's downwards; says so where the sweep has none (of the expected family)."""
    ours, published = rows[rows["source"] == "sweep"], rows[rows["source"] == "paper"]
    _bars(axes, ours, direction=1, alpha=1.0)
    _bars(axes, published, direction=-1, alpha=0.5)
    axes.axhline(0, color=MUTED, linewidth=0.8)
    if ours.empty or (expected is not None and expected not in set(ours["family"])):
        text = EMPTY if ours.empty or expected is None else f"{family_label(expected)}: {EMPTY}"
        axes.text(0.5, 0.75, text, ha="center", color=MUTED, transform=axes.transAxes)


def _bars(axes: Axes, rows: pd.DataFrame, direction: int, alpha: float) -> None:
    families = in_order(rows["family"])
    for place, family in enumerate(families):
        drawn = rows[(rows["family"] == family) & (rows["percent"] > 0)]
        width = 0.84 * (drawn["right"] - drawn["left"]) / len(families)
        left = drawn["left"] + 0.08 * (drawn["right"] - drawn["left"]) + place * width
        heights = direction * drawn["percent"]
        axes.bar(left, heights, width, align="edge", color=LIGHT[hue(family)], alpha=alpha, linewidth=0)
        open_ = drawn[drawn["high"] > drawn["low"]]  # of an unfinished grid; never of the paper's
        middle = left.loc[open_.index] + width.loc[open_.index] / 2
        axes.vlines(middle, open_["low"], open_["high"], color=MUTED, linewidth=0.7)


def _finish_halves(axes: Axes, table: pd.DataFrame, real_score: float | None) -> None:
    """Scale all panels, which share their axes with this one, and mark the score of real digits in each."""
    heights = table.groupby("source")["percent"].max()
    top, bottom = (10 * math.ceil(heights.get(source, 0) / 10 + 0.3) for source in ("sweep", "paper"))
    top = max(top, 40)  # room for words where there are no bars
    axes.set_ylim(-bottom, top)
    axes.set_xlim(0, max(1.03 * table["right"].max(), 1.3 * (real_score or 0.0)))
    axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(mpl.ticker.MultipleLocator(20))
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    if real_score is None:
        return
    for panel in axes.figure.axes:
        thirds = [real_score / 3, 2 * real_score / 3]
        panel.vlines(thirds, 0, top, color=RULE, linewidth=0.8, zorder=0)
        panel.vlines(real_score, 0, top, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    for x, words in zip((*thirds, real_score), ("⅓", "⅔", "real\ndigits"), strict=True):
        axes.annotate(words, (x, top), xytext=(3, 0), textcoords="offset points", va="top", color=MUTED, fontsize=SMALL)


def _name_halves(axes: Axes, offset: float) -> None:
    """Say beside the zero line whose bars rise and whose hang; offset in points from the axis."""
    for words, shift, va in (("this sweep →", 5, "bottom"), ("← the paper", -5, "top")):
        axes.annotate(
            words,
            (0, 0),
            xytext=(offset, shift),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            rotation=90,
            ha="center",
            va=va,
            color=MUTED,
            fontsize=SMALL,
        )


def _above(axes: Axes, words: str) -> None:
    axes.annotate(words, (0, 1), xytext=(0, 6), xycoords="axes fraction", textcoords="offset points", color=MUTED)


def _sizes(rows: pd.DataFrame) -> str:
    """How many of the sweep's cells each family has in a panel."""
    sizes = rows[rows["source"] == "sweep"].groupby("family")["cells"].sum()
    return " · ".join(f"{family_label(family)} {sizes[family]:,}" for family in in_order(sizes.index)) or " "


def _legend(figure: Figure, table: pd.DataFrame) -> None:
    families = in_order(table["family"])
    handles = [Patch(color=LIGHT[hue(family)], label=family_label(family)) for family in families]
    middle = 1 - 0.18 / figure.get_figheight()  # of the legend's line
    figure.text(0.995, middle, "percent of a family's cells in each bin", ha="right", va="center", fontsize=9.5)
    figure.legend(handles=handles, loc="upper left", ncols=len(handles), handlelength=1, handleheight=1)
