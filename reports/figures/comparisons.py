"""Draws the comparisons of families as a forest plot."""

import math
from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from reports.figures.figure import Figure, Sources
from reports.figures.style import INK, MUTED, SMALL, STYLE, encode
from reports.numbers.comparisons import compare
from reports.numbers.study import Study

_CAPTION = (
    "Positive values, and more than 50 %, speak for the family named first. EBGAN-PT and EBGAN are paired by their "
    "settings; GANs are compared as a whole, and restricted to the optimisers that EBGANs had. The intervals (95 %) "
    "come from resampling whole shapes. They stay when the grid is finished, since other shapes and seeds would "
    "give other numbers.",
)


def comparisons_figure(study: Study, sources: Sources) -> Iterator[Figure]:
    if study.real_score is None:
        return
    table = compare(study.prefix, study.trials, study.real_score, study.score.worst)
    if len(table):
        yield Figure("comparisons", "Families compared", _CAPTION, table, encode(draw_comparisons(table)))


@mpl.rc_context(STYLE)
def draw_comparisons(table: pd.DataFrame) -> Drawing:
    """Draws `compare`: a row per comparison, with differences of shares and the probability of winning."""
    pairs = table[["one", "other"]].drop_duplicates().to_records(index=False).tolist()
    drawing = Drawing(figsize=(11, 1.0 + 0.62 * max(1, len(pairs))))
    panels = drawing.subplots(1, 3, sharey=True)
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
    names = [f"{one}\nvs. {other}" for one, other in pairs]
    panels[0].set_yticks(range(len(pairs)), names)
    panels[0].tick_params(axis="y", labelcolor=INK)
    panels[0].set_ylim(len(pairs) - 0.4, -0.6)
    drawing.subplots_adjust(left=0.2, right=0.985, bottom=0.5 / drawing.get_figheight(), top=0.97, wspace=0.08)
    return drawing


def _interval(axes: Axes, y: int, row: dict[object, float], scale: float) -> None:
    low, middle, high = (scale * row[name] for name in ("low", "estimate", "high"))
    axes.hlines(y, low, high, color=INK, linewidth=1.6)
    axes.plot([middle], [y], "o", color=INK, markersize=5)
    words = f"{middle:.1f}" if np.isnan(low) else f"{middle:.1f} [{low:.1f}, {high:.1f}]"
    axes.annotate(
        words, (middle, y), xytext=(0, 7), textcoords="offset points", ha="center", color=MUTED, fontsize=SMALL
    )
