"""Draws figures 2 and 3: histograms of scores, together with those of Zhao et al. (2016) in the same bins.

Bars are the sweep's, outlines the paper's. A bar that dwarfs all others is cut, and its height is written.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
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
    bins = "Percent of each family's trials by score, a row for each family, in the bins of the paper's panel."
    caption = (
        f"{bins} {_reading(study.score)} {_LINES}",
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
    bins = (
        "Percent of GANs by score, by learning rate (rows) and optimisers (columns); the green line is that of all "
        "EBGANs, the same in every panel."
    )
    caption = (
        f"{bins} {_reading(study.score)} {_LINES}",
        sample_sizes(prefix, trials),
        *([f"{elsewhere:,} GANs with other rates or optimisers are in no panel."] if elsewhere else []),
        *unfinished(trials),
    )
    title = "GANs by learning rate and optimisers, with all EBGANs for comparison"
    picture = encode(draw_optimizers(table, study.score, study.real_score))
    yield Figure("figure3", title, caption, table, picture, number=3)


def _reading(score: Score) -> str:
    return (
        f"Filled bars are this sweep's. Outlines are the paper's, with its axis ({symbol(score)}/10) multiplied by 10; "
        "its classifier was another one, so compare shapes, not positions. A number with an arrow is the height of a "
        "first bar that is cut."
    )


@mpl.rc_context(STYLE)
def draw_layers(table: pd.DataFrame, score: Score, real_score: float | None) -> Drawing:
    """Draws `layer_histograms`: a row for each family, three columns by number of layers."""
    families = in_order(table["family"])
    height = 1.55 * len(families) + 1.0
    drawing = Drawing(figsize=(11, height))
    panels = drawing.subplots(len(families), len(LAYER_PANELS), sharex=True, sharey="row", squeeze=False)
    for row, family in zip(panels, families, strict=True):
        own = table[table["family"] == family]
        top = _top(own)
        for axes, panel in zip(row, LAYER_PANELS, strict=True):
            _histogram(axes, own[own["panel"] == panel], family, top)
            _above(axes, f"{family_label(family)}{_sizes(own[own['panel'] == panel])}")
            axes.tick_params(labelleft=True, labelsize=SMALL)
        row[0].set_ylim(0, top)
        row[0].set_ylabel("percent per bin")
    for axes, letter, panel in zip(panels[0], "abc", LAYER_PANELS, strict=True):
        limit = panel.replace("layers <=", "nLayerG, nLayerD ≤")
        axes.set_title(f"({letter}) {limit}", pad=19)
    for axes in panels[-1]:
        axes.set_xlabel(score_label(score))
    _mark_real(panels[0, -1], table, real_score)
    _legend(drawing, families)
    drawing.subplots_adjust(left=0.06, right=0.99, bottom=0.5 / height, top=1 - 0.8 / height, wspace=0.12, hspace=0.3)
    return drawing


@mpl.rc_context(STYLE)
def draw_optimizers(table: pd.DataFrame, score: Score, real_score: float | None) -> Drawing:
    """Draws `optimizer_histograms`: rows by learning rate, columns by optimisers."""
    drawing = Drawing(figsize=(11, 7.4))
    panels = drawing.subplots(len(RATES), len(OPTIMIZERS), sharex=True, sharey=True)
    gans, ebgans = table[table["family"] == "gan"], table[(table["family"] == "ebgan") & (table["source"] == "sweep")]
    top = max(_top(gans), _top(ebgans))
    for row, lr in zip(panels, RATES, strict=True):
        for axes, (optim_d, optim_g) in zip(row, OPTIMIZERS, strict=True):
            own, reference = (_of_panel(rows, lr, optim_d, optim_g) for rows in (gans, ebgans))
            _histogram(axes, own, "gan", top)
            _outline(axes, reference, LIGHT[hue("ebgan")], 1.2)
            _above(axes, f"GAN{_sizes(own)}")
            axes.tick_params(labelleft=True, labelsize=SMALL)
        row[0].set_ylabel(f"lr {lr:g}", fontsize=9.5)
    panels[0, 0].set_ylim(0, top)
    for axes, (optim_d, optim_g) in zip(panels[0], OPTIMIZERS, strict=True):
        axes.set_title(f"optimD {optim_d}, optimG {optim_g}", pad=19)
    for axes in panels[-1]:
        axes.set_xlabel(score_label(score))
    _mark_real(panels[0, -1], table, real_score)
    _legend(drawing, ["gan"], ebgans=len(ebgans) > 0)
    drawing.subplots_adjust(left=0.06, right=0.99, bottom=0.065, top=0.885, wspace=0.14, hspace=0.22)
    return drawing


def _of_panel(table: pd.DataFrame, lr: float, optim_d: str, optim_g: str) -> pd.DataFrame:
    same = np.isclose(table["lr"], lr) & (table["optim_d"] == optim_d) & (table["optim_g"] == optim_g)
    return table[same]


def _top(rows: pd.DataFrame) -> float:
    """The end of the vertical axis: above every bar, or above all but the lowest bins' where those dwarf the others."""
    lowest, others = (rows.loc[(rows["bin"] == 0) == first, "percent"].max() for first in (True, False))
    lowest, others = np.nan_to_num(lowest), max(np.nan_to_num(others), 4.0)
    return float(1.3 * others if lowest > 2 * others else 1.15 * max(lowest, others))


def _histogram(axes: Axes, rows: pd.DataFrame, family: str, top: float) -> None:
    """Draws the sweep's bars and the paper's outline of one family; says where the sweep has none."""
    ours, published = rows[rows["source"] == "sweep"], rows[rows["source"] == "paper"]
    width = ours["right"] - ours["left"]
    open_ = ours[ours["high"] > ours["low"]]  # only an unfinished grid has intervals
    axes.bar(
        open_["left"],
        open_["high"] - open_["low"],
        width[open_.index],
        open_["low"],
        align="edge",
        color=RULE,
        alpha=0.5,
    )
    axes.bar(ours["left"] + 0.06 * width, ours["percent"], 0.88 * width, align="edge", color=LIGHT[hue(family)])
    _outline(axes, published, INK, 0.9)
    if ours.empty:
        axes.text(0.5, 0.6, f"{family_label(family)}: {EMPTY}", ha="center", color=MUTED, transform=axes.transAxes)
    cut = [
        f"{words}{row['percent']:.0f} %"
        for part, words in ((ours, ""), (published, "paper "))
        for row in part[part["percent"] > top].to_dict("records")
    ]
    if cut:
        place: Any = {"xytext": (14, -1), "textcoords": "offset points", "va": "top", "fontsize": SMALL}
        axes.annotate("↑ " + ", ".join(cut), (0, 1), xycoords="axes fraction", color=INK, **place)


def _outline(axes: Axes, rows: pd.DataFrame, colour: str, width: float) -> None:
    if len(rows):
        ordered = rows.sort_values("bin")
        edges = [*ordered["left"], ordered["right"].iloc[-1]]
        axes.stairs(ordered["percent"], edges, color=colour, linewidth=width)


def _mark_real(axes: Axes, table: pd.DataFrame, real_score: float | None) -> None:
    """Marks the score of real digits and its thirds in every panel, and names them in this one."""
    axes.set_xlim(0, max(table["right"].max(), 1.2 * (real_score or 0.0)))
    axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(6, steps=[1, 2, 5, 10]))
    if real_score is None:
        return
    for panel in axes.figure.axes:
        for x in (real_score / 3, 2 * real_score / 3):
            panel.axvline(x, color=RULE, linewidth=0.8, zorder=0)
        panel.axvline(real_score, color=INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    for x, words in ((real_score / 3, "⅓"), (2 * real_score / 3, "⅔"), (real_score, "real")):
        axes.annotate(
            words,
            (x, 1),
            xytext=(2, -12),  # below the words about a bar that is cut
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            va="top",
            color=MUTED,
            fontsize=SMALL,
        )


def _above(axes: Axes, words: str) -> None:
    axes.annotate(words, (0, 1), xytext=(0, 4), xycoords="axes fraction", textcoords="offset points", color=MUTED)


def _sizes(rows: pd.DataFrame) -> str:
    """How many of the sweep's trials stand in a panel."""
    ours = rows[rows["source"] == "sweep"]
    n = int(ours["cells"].sum())
    return f", {n:,} {'trial' if n == 1 else 'trials'}" if n else ""


def _legend(drawing: Drawing, families: Sequence[str], ebgans: bool = False) -> None:
    handles: list[Artist] = [
        Patch(color=LIGHT[hue(family)], label=f"{family_label(family)}, this sweep") for family in families
    ]
    if ebgans:
        handles.append(Line2D([], [], color=LIGHT[hue("ebgan")], label="all EBGANs, this sweep"))
    handles.append(Line2D([], [], color=INK, linewidth=0.9, label="the paper"))
    drawing.legend(handles=handles, loc="upper left", ncols=len(handles), handlelength=1, handleheight=1)
