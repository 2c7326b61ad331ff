"""Draws what has no bins: survival and best-of-n curves, scores in training, EBGANs against their equilibrium, and
comparisons of families as a forest of intervals.
"""

import math

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures.histogram import EMPTY, INK, MUTED, RULE, SCORE_LABEL, SMALL, STYLE
from reports.names import family_label, in_order
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
        for x, words in ((real_score / 3, "⅓"), (2 * real_score / 3, "⅔"), (real_score, "real")):
            axes.axvline(x, color=RULE, linewidth=0.8, zorder=0)
            axes.annotate(
                words, (x, 0), xytext=(3, 3), textcoords="offset points", va="bottom", color=MUTED, fontsize=SMALL
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
def draw_course(table: pd.DataFrame, real_score: float | None) -> Figure:
    """From `course`: mean and middle 80 % of each family's scores by step, a panel a family."""
    families = in_order(table["family"])
    figure = Figure(figsize=(11, 3.4))
    panels = np.atleast_1d(figure.subplots(1, len(families), sharex=True, sharey=True))
    for axes, family in zip(panels, families, strict=True):
        rows = table[table["family"] == family]
        colour = LIGHT[hue(family)]
        axes.plot(rows["step"], rows["mean"], "o-", color=colour, markersize=4)
        axes.fill_between(rows["step"], rows["low"], rows["high"], color=colour, alpha=0.18, linewidth=0)
        axes.set_title(f"{family_label(family)}, {rows['cells'].iloc[0]:,} cells")
        axes.set_xlabel("training steps")
    panels[0].set_xticks(sorted(table["step"].unique()))
    panels[0].xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    panels[0].set_ylabel(SCORE_LABEL)
    panels[0].set_xlim(left=0)
    panels[0].set_ylim(bottom=0)
    if real_score is not None and real_score / 3 < panels[0].get_ylim()[1]:
        for axes in panels:
            axes.axhline(real_score / 3, color=RULE, linewidth=0.8, zorder=0)
        place = {"xytext": (2, 2), "textcoords": "offset points"}
        panels[0].annotate("⅓ of real", (0, real_score / 3), color=MUTED, fontsize=SMALL, **place)
    figure.subplots_adjust(left=0.06, right=0.985, bottom=0.16, top=0.91, wspace=0.08)
    return figure


@mpl.rc_context(STYLE)
def draw_equilibrium(table: pd.DataFrame) -> Figure:
    """From `equilibrium`: score against V in units of the margin, and V and energies against the margin."""
    grid, study = table[table["study"] == "grid"], table[table["study"] == "margins"]
    parts = [part for part in (grid, study) if len(part)]
    figure = Figure(figsize=(11, 4.2))
    panels = iter(np.atleast_1d(figure.subplots(1, len(parts))))
    if len(grid):
        axes = next(panels)
        for family in in_order(grid["family"]):
            rows = grid[grid["family"] == family]
            label = f"{family_label(family)}, {len(rows):,} cells"
            axes.plot(rows["d_loss"] / rows["margin"], rows["score"], "o", color=LIGHT[hue(family)], label=label)
        for line in axes.lines:
            line.set(markersize=5, alpha=0.7, markeredgewidth=0)
        axes.axvline(1, color=MUTED, linewidth=0.8)
        axes.set_xlabel("V / m at the end of training; 1 at the equilibrium")
        axes.set_ylabel(SCORE_LABEL)
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper right")
    if len(study):
        axes = next(panels)
        marks = (("d_loss", "V", INK, "o-"), ("energy_real", "energy of real digits", LIGHT["gan"], "s--"))
        for name, label, colour, line in (*marks, ("energy_fake", "energy of samples", LIGHT["ebgan"], "^--")):
            axes.plot(study["margin"], study[name], line, color=colour, markersize=4, linewidth=1, label=label)
        ends = [study["margin"].min(), study["margin"].max()]
        axes.plot(ends, ends, color=MUTED, linewidth=0.8, label="V = m")
        axes.set(xscale="log", yscale="log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:g}")
            axis.set_minor_formatter(mpl.ticker.NullFormatter())
        axes.set_xticks(study["margin"].unique())
        axes.set_xlabel("margin m of the margin study")
        axes.legend(loc="upper left")
    figure.subplots_adjust(left=0.06, right=0.99, bottom=0.13, top=0.97, wspace=0.12)
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
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5, prune="both"))
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
