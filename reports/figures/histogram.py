"""Draws figures 2 and 3: histograms of scores, together with those of Zhao et al. (2016).

Each panel has two halves on one axis: bars that rise are the sweep's, bars that hang are the paper's.
"""

import math
from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Patch

from reports.figures.figure import Figure, Sources
from reports.figures.sample_sizes import sample_sizes, unfinished
from reports.figures.style import EMPTY, INK, MUTED, RULE, SMALL, STYLE, encode, score_label, symbol
from reports.names import family_label, in_order
from reports.numbers.histogram import LAYER_PANELS, OPTIMIZERS, RATES, layer_histograms, optimizer_histograms
from reports.numbers.study import Study
from reports.palette import LIGHT, hue
from search_spaces.experiment import Score

_LINES = (
    "Diverged trials count as the worst score, in the lowest bin. The dashed line is the score of real test "
    "digits; the light lines are a third and two thirds of it."
)

_WARNINGS = (
    (
        "Scores depend on the classifier.",
        "For the same images, the score grows with the classifier's confidence. Scores of two classifiers never share "
        "a histogram here, and the paper's bars are placed only roughly.",
    ),
    (
        "The score hardly sees lost modes.",
        "Real digits of five classes score about the same as all ten. Read it with the inception score, the classes "
        "seen and the entropy.",
    ),
)


def layers_figure(study: Study, sources: Sources) -> Iterator[Figure]:
    """Figure 2: scores by the number of layers."""
    if study.trials.empty:
        return
    table = layer_histograms(study.prefix, study.trials)
    bins = "Percent of each family's trials by score, in 25 equal bins from 0 to the panel's largest score."
    caption = (
        f"{bins} {_halves(study.score)} {_LINES}",
        sample_sizes(study.prefix, study.trials),
        *unfinished(study.trials),
    )
    title = "Scores of each family, over all trials and over the shallower ones"
    picture = encode(draw_layers(table, study.score, study.real_score))
    yield Figure("figure2", title, caption, table, picture, number=2, warnings=_WARNINGS)


def optimizers_figure(study: Study, sources: Sources) -> Iterator[Figure]:
    """Figure 3: GANs by learning rate and optimisers."""
    if not (study.trials["family"] == "gan").any():
        return
    table = optimizer_histograms(study.prefix, study.trials)
    prefix, trials = (rows[rows["family"].isin(["gan", "ebgan"])] for rows in (study.prefix, study.trials))
    shown = int(table.loc[(table["source"] == "sweep") & (table["family"] == "gan"), "cells"].sum())
    elsewhere = int((prefix["value"].notna() & (prefix["family"] == "gan")).sum()) - shown
    bins = "GANs by learning rate (rows) and optimisers (columns); every panel repeats the same EBGANs."
    caption = (
        f"{bins} {_halves(study.score)} {_LINES}",
        sample_sizes(prefix, trials),
        *([f"{elsewhere:,} GANs with other rates or optimisers are in no panel."] if elsewhere else []),
        *unfinished(trials),
    )
    title = "GANs by learning rate and optimisers, with all EBGANs for comparison"
    picture = encode(draw_optimizers(table, study.score, study.real_score))
    yield Figure("figure3", title, caption, table, picture, number=3)


def _halves(score: Score) -> str:
    return (
        f"Rising bars are this sweep's. Fainter, hanging bars are the paper's, with its axis ({symbol(score)}/10) "
        "multiplied by 10; its classifier was another one, so compare shapes, not positions."
    )


@mpl.rc_context(STYLE)
def draw_layers(table: pd.DataFrame, score: Score, real_score: float | None) -> Drawing:
    """Draws `layer_histograms`: three panels by number of layers."""
    drawing = Drawing(figsize=(11, 4.7))
    panels = drawing.subplots(1, len(LAYER_PANELS), sharex=True, sharey=True)
    for axes, letter, panel in zip(panels, "abc", LAYER_PANELS, strict=True):
        rows = table[table["panel"] == panel]
        _two_halves(axes, rows, real_score)
        limit = panel.replace("layers <=", "nLayerG, nLayerD ≤")
        axes.set_title(f"({letter}) {limit}", pad=21)
        _above(axes, _sizes(rows))
        axes.set_xlabel(score_label(score))
    _name_halves(panels[0], offset=-33)
    _finish_halves(panels[0], table, real_score)
    _legend(drawing, table)
    drawing.subplots_adjust(left=0.06, right=0.99, bottom=0.11, top=0.8, wspace=0.08)
    return drawing


@mpl.rc_context(STYLE)
def draw_optimizers(table: pd.DataFrame, score: Score, real_score: float | None) -> Drawing:
    """Draws `optimizer_histograms`: rows by learning rate, columns by optimisers."""
    drawing = Drawing(figsize=(11, 8.2))
    panels = drawing.subplots(len(RATES), len(OPTIMIZERS), sharex=True, sharey=True)
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
        axes.set_xlabel(score_label(score))
    _finish_halves(panels[0, 0], table, real_score)
    _legend(drawing, table)
    drawing.subplots_adjust(left=0.085, right=0.99, bottom=0.06, top=0.905, wspace=0.07, hspace=0.16)
    return drawing


def _two_halves(axes: Axes, rows: pd.DataFrame, real_score: float | None, expected: str | None = None) -> None:
    """Draws the sweep's bars upwards and the paper's downwards; says where the sweep has none."""
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
        open_ = drawn[drawn["high"] > drawn["low"]]  # only an unfinished grid has intervals, and the paper has none
        middle = left.loc[open_.index] + width.loc[open_.index] / 2
        axes.vlines(middle, open_["low"], open_["high"], color=MUTED, linewidth=0.7)


def _finish_halves(axes: Axes, table: pd.DataFrame, real_score: float | None) -> None:
    """Scales all panels, which share their axes with this one, and marks the score of real digits in each."""
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
    """Labels the two halves of the plot at the zero line with their families; `offset` is in points from the axis."""
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
    """How many of the sweep's trials each family has in a panel."""
    sizes = rows[rows["source"] == "sweep"].groupby("family")["cells"].sum()
    return " · ".join(f"{family_label(family)} {sizes[family]:,}" for family in in_order(sizes.index)) or " "


def _legend(drawing: Drawing, table: pd.DataFrame) -> None:
    families = in_order(table["family"])
    handles = [Patch(color=LIGHT[hue(family)], label=family_label(family)) for family in families]
    middle = 1 - 0.18 / drawing.get_figheight()  # height of the legend's line
    drawing.text(0.995, middle, "percent of a family's trials in each bin", ha="right", va="center", fontsize=9.5)
    drawing.legend(handles=handles, loc="upper left", ncols=len(handles), handlelength=1, handleheight=1)
