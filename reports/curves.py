"""Draws what has no bins: survival and best-of-n curves, and comparisons of families as a forest of intervals."""

import math

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures import EMPTY, INK, MUTED, RULE, SCORE_LABEL, SMALL, STYLE
from reports.labels import family_label, in_order
from reports.palette import LIGHT, hue


@mpl.rc_context(STYLE)
def draw_survival(table: pd.DataFrame, real_score: float | None) -> Figure:
    """From `survival`: the share of each family's cells above every score, with its band."""
    figure = Figure(figsize=(11, 4.4))
    axes = figure.subplots()
    for family in in_order(table["family"]):
        rows = table[table["family"] == family]
        colour = LIGHT[hue(family)]
        axes.step(rows["score"], 100 * rows["share"], where="post", color=colour, label=family_label(family))
        axes.fill_between(
            rows["score"], 100 * rows["low"], 100 * rows["high"], step="post", color=colour, alpha=0.18, linewidth=0
        )
    largest = table["score"].max() if len(table) else 1.0
    axes.set(xlim=(0, max(1.05 * largest, 1.05 * (real_score or 1.0))), ylim=(0, 100))
    axes.set_xlabel(f"s, {SCORE_LABEL}")
    axes.set_ylabel("percent of the grid above s")
    if real_score is not None:
        for x, words in ((real_score / 3, "⅓"), (2 * real_score / 3, "⅔"), (real_score, "real digits")):
            axes.axvline(x, color=RULE, linewidth=0.8, zorder=0)
            axes.annotate(
                words, (x, 100), xytext=(3, -2), textcoords="offset points", va="top", color=MUTED, fontsize=SMALL
            )
    _close(figure, axes, table)
    return figure


@mpl.rc_context(STYLE)
def draw_best_of(table: pd.DataFrame, real_score: float | None) -> Figure:
    """From `best_of`: mean and middle 80 % of the best score of n random trials."""
    figure = Figure(figsize=(11, 4.0))
    axes = figure.subplots()
    for family in in_order(table["family"]):
        rows = table[table["family"] == family]
        colour = LIGHT[hue(family)]
        axes.plot(rows["n"], rows["mean"], color=colour, label=family_label(family))
        axes.fill_between(rows["n"], rows["low"], rows["high"], color=colour, alpha=0.18, linewidth=0)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("n, random trials of the family")
    axes.set_ylabel(f"best {SCORE_LABEL}")
    axes.set_ylim(bottom=0)
    if real_score is not None:
        axes.axhline(real_score / 3, color=RULE, linewidth=0.8, zorder=0)
        axes.annotate("⅓ of real", (1, real_score / 3), xytext=(2, 2), textcoords="offset points", color=MUTED)
    _close(figure, axes, table)
    return figure


@mpl.rc_context(STYLE)
def draw_comparisons(table: pd.DataFrame) -> Figure:
    """From `compare`: one row per comparison; differences of shares, and the probability of winning."""
    pairs = table[["one", "other"]].drop_duplicates().to_records(index=False).tolist()
    figure = Figure(figsize=(11, 1.0 + 0.62 * max(1, len(pairs))))
    panels = figure.subplots(1, 3, sharey=True)
    measures = (
        ("difference of the share above 1/3", "share above ⅓ of real: difference, points", 0.0, 100),
        ("difference of the share above 2/3", "share above ⅔ of real: difference, points", 0.0, 100),
        ("probability of winning", "probability of winning, percent", 0.5, 100),
    )
    for axes, (measure, words, neutral, scale) in zip(panels, measures, strict=True):
        rows = table[table["measure"] == measure]
        axes.axvline(scale * neutral, color=MUTED, linewidth=0.8)
        for row in rows.to_dict("records"):
            _interval(axes, pairs.index((row["one"], row["other"])), row, scale)
        axes.set_xlabel(words)
        reach = scale * (rows[["low", "high"]] - neutral).abs().max().max() if len(rows) else 1.0
        reach = 1.5 * (reach if math.isfinite(reach) and reach > 0 else 1.0)
        axes.set_xlim(scale * neutral - reach, scale * neutral + reach)
        axes.spines["left"].set_visible(False)
        axes.tick_params(left=False)
    names = [f"{one}\nbeside {other}" for one, other in pairs]
    panels[0].set_yticks(range(len(pairs)), names)
    panels[0].tick_params(axis="y", labelcolor=INK)
    panels[0].set_ylim(len(pairs) - 0.4, -0.6)
    figure.subplots_adjust(left=0.2, right=0.985, bottom=0.5 / figure.get_figheight(), top=0.97, wspace=0.08)
    return figure


def _interval(axes: Axes, y: int, row: dict[object, float], scale: float) -> None:
    low, middle, high = (scale * row[name] for name in ("low", "estimate", "high"))
    axes.hlines(y, low, high, color=INK, linewidth=1.6)
    axes.plot([middle], [y], "o", color=INK, markersize=5)
    words = f"{middle:.1f}" if np.isnan(low) else f"{middle:.1f} [{low:.1f}, {high:.1f}]"
    axes.annotate(
        words, (middle, y), xytext=(0, 7), textcoords="offset points", ha="center", color=MUTED, fontsize=SMALL
    )


def _close(figure: Figure, axes: Axes, table: pd.DataFrame) -> None:
    """Legend and margins; says so where there is nothing."""
    if table.empty:
        axes.text(0.5, 0.5, EMPTY, ha="center", color=MUTED, transform=axes.transAxes)
    else:
        axes.legend(loc="upper right" if axes.get_ylim()[1] == 100 else "upper left")
    figure.subplots_adjust(left=0.06, right=0.99, bottom=0.13, top=0.97)
