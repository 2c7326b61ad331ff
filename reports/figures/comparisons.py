"""Draws the comparisons of families as a forest plot."""

from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from reports.figures.figure import Figure, Sources
from reports.figures.style import INK, MUTED, OVER_LINES, SMALL, STYLE, encode
from reports.numbers.comparisons import compare
from reports.numbers.prefix import FEWEST_SHAPES
from reports.numbers.study import Study

_CAPTION = (
    "Positive values, and more than 50 %, speak for the family named first. EBGAN-PT and EBGAN are paired by their "
    "settings; GANs are compared as a whole, and restricted to the optimisers that EBGANs had. The intervals (95 %) "
    "come from resampling whole shapes. They stay when the grid is finished, since other shapes and seeds would "
    f"give other numbers. A side with fewer than {FEWEST_SHAPES} shapes has none.",
)


def comparisons_figure(study: Study, sources: Sources) -> Iterator[Figure]:
    if study.real_score is None:
        return
    table = compare(study.prefix, study.trials, study.real_score, study.score.worst)
    if len(table):
        yield Figure("comparisons", "Families compared", _CAPTION, table, encode(draw_comparisons(table)))


@mpl.rc_context(STYLE)
def draw_comparisons(table: pd.DataFrame) -> Drawing:
    """Draws `compare`: a row per comparison, with differences of shares and the probability of winning.

    A measure that is 0 for every comparison has no panel.
    """
    pairs = table[["one", "other"]].drop_duplicates().to_records(index=False).tolist()
    shown = [one for one in _MEASURES if (table.loc[table["measure"] == one[0], _ENDS].abs() > 0).any(axis=None)]
    height = 1.1 + 0.5 * len(pairs)
    drawing = Drawing(figsize=(11, height))
    grid = drawing.add_gridspec(
        1, len(_MEASURES), left=0.015, right=0.84, bottom=0.4 / height, top=1 - 0.35 / height, wspace=1.06
    )
    panels = [drawing.add_subplot(grid[0, n]) for n in range(len(shown))]
    for axes, (measure, words, neutral, limits) in zip(panels, shown, strict=True):
        rows = table[table["measure"] == measure]
        low, high = limits or _limits(rows)
        axes.axvline(neutral, color=MUTED, linewidth=0.8)
        for row in rows.to_dict("records"):
            y = pairs.index((row["one"], row["other"]))
            _interval(axes, y, row)
            name = f"{row['one']} vs. {row['other']}"
            axes.text(low, y - 0.32, name, va="center", fontsize=SMALL, bbox=OVER_LINES)
        axes.set_xlim(low, high)
        axes.set_title(words)
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4, prune=None if limits else "both"))
        axes.spines["left"].set_visible(False)
        axes.set_yticks([])
        axes.set_ylim(len(pairs) - 0.5, -0.6)
    return drawing


_ENDS = ["estimate", "low", "high"]
# The measure, its title, the value that speaks for neither side, and the ends of its axis, in percent.
_MEASURES: tuple[tuple[str, str, float, tuple[float, float] | None], ...] = (
    ("probability of winning", "probability of winning, %", 50.0, (0.0, 100.0)),
    ("difference of the share above 1/3", "share above ⅓ of real, points", 0.0, None),
    ("difference of the share above 2/3", "share above ⅔ of real, points", 0.0, None),
)


def _limits(rows: pd.DataFrame) -> tuple[float, float]:
    """Ends of an axis of differences, the same on both sides of 0."""
    reach = 100 * float(np.nanmax(rows[_ENDS].abs().to_numpy())) or 1.0
    return -1.1 * reach, 1.1 * reach


def _interval(axes: Axes, y: int, row: dict[object, Any]) -> None:
    """Draws an estimate and its interval, and writes them in a column to the right of the panel."""
    low, middle, high = (100 * row[name] for name in ("low", "estimate", "high"))
    axes.hlines(y, low, high, color=INK, linewidth=1.6)
    axes.plot([middle], [y], "o", color=INK, markersize=5, clip_on=False)
    few = min(row["shapes_one"], row["shapes_other"])
    if not np.isnan(low):
        words = f"{middle:.1f} [{low:.1f}, {high:.1f}]"
    else:
        words = f"{middle:.1f}" + (f" (too few shapes: {few})" if few < FEWEST_SHAPES else "")
    place: Any = {"xytext": (6, 0), "textcoords": "offset points", "va": "center", "fontsize": SMALL}
    axes.annotate(words, (1, y), xycoords=axes.get_yaxis_transform(), color=MUTED, annotation_clip=False, **place)
