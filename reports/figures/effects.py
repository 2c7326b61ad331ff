"""Draws what matters: variance shares of axes and pairs, mean scores by axis, and by pairs of axes."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures.histogram import INK, MUTED, SMALL, STYLE
from reports.names import AXES, SCORE, family_label, in_order
from reports.palette import LIGHT, hue

MOST = 12  # bars


@mpl.rc_context(STYLE)
def draw_shares(tables: dict[str, pd.DataFrame]) -> Figure:
    """From `variance_shares` of each family: its largest shares as bars."""
    figure = Figure(figsize=(11, 4.2))
    panels = figure.subplots(1, max(1, len(tables)), squeeze=False)[0]
    for axes, family in zip(panels, in_order(tables), strict=False):
        rows = tables[family].head(MOST)
        axes.barh(range(len(rows)), 100 * rows["share"], height=0.62, color=LIGHT[hue(family)])
        axes.set_yticks(range(len(rows)), [_name(row) for row in rows.to_dict("records")])
        axes.set_ylim(max(len(rows), 1) - 0.4, -0.6)
        axes.set_title(f"{family_label(family)}: {rows['basis'].iloc[0] if len(rows) else 'nothing varies'}")
        axes.set_xlabel("percent of the variance of the score")
        axes.tick_params(axis="y", labelcolor=INK, left=False)
        for y, share in enumerate(rows["share"]):
            axes.annotate(
                f"{100 * share:.1f}",
                (100 * share, y),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                color=MUTED,
                fontsize=SMALL,
            )
        axes.margins(x=0.15)
    figure.subplots_adjust(left=0.13, right=0.99, bottom=0.13, top=0.92, wspace=0.62)
    return figure


@mpl.rc_context(STYLE)
def draw_main_effects(table: pd.DataFrame) -> Figure:
    """From `main_effects` of each family, with a column family: a panel per axis, a line per family."""
    axes_there = [axis for axis in [*AXES, "seed"] if axis in set(table["axis"])]
    columns = 4
    n_rows = max(1, -(-len(axes_there) // columns))
    figure = Figure(figsize=(11, 2.3 * n_rows + 0.3))
    panels = figure.subplots(n_rows, columns, sharey=True, squeeze=False).ravel()
    for panel, axis in zip(panels, axes_there, strict=False):
        rows = table[table["axis"] == axis]
        places = {value: i for i, value in enumerate(sorted(rows["value"].unique()))}
        for shift, family in enumerate(in_order(rows["family"])):
            _line(panel, rows[rows["family"] == family], places, family, 0.06 * (shift - 1))
        panel.set_xticks(range(len(places)), [_plain(value) for value in places])
        panel.set_title(AXES.get(axis, axis))
    for panel in panels[len(axes_there) :]:
        panel.set_axis_off()
    if axes_there:
        panels[0].set_ylim(bottom=0)  # of all panels, once all is drawn
        panels[0].legend(*panels[0].get_legend_handles_labels(), loc="best", fontsize=SMALL)
    for row in range(n_rows):
        panels[row * columns].set_ylabel(f"mean {SCORE}, nats")
    figure.subplots_adjust(left=0.06, right=0.99, bottom=0.3 / figure.get_figheight(), top=0.93, hspace=0.42)
    return figure


@mpl.rc_context(STYLE)
def draw_pairs(tables: list[tuple[str, pd.DataFrame]]) -> Figure:
    """From `pair_means`, each with its family: one heat map each."""
    figure = Figure(figsize=(11, 3.1))
    panels = figure.subplots(1, max(3, len(tables)))
    for panel in panels[len(tables) :]:
        panel.set_axis_off()
    for panel, (family, means) in zip(panels, tables, strict=False):
        panel.imshow(means.to_numpy(), cmap="cividis", aspect="auto", vmin=0)
        panel.set_xticks(range(means.shape[1]), [_plain(value) for value in means.columns])
        panel.set_yticks(range(means.shape[0]), [_plain(value) for value in means.index])
        panel.set_xlabel(AXES.get(str(means.columns.name), str(means.columns.name)))
        panel.set_ylabel(AXES.get(str(means.index.name), str(means.index.name)))
        panel.set_title(f"{family_label(family)}: mean {SCORE}")
        largest = np.nanmax(means.to_numpy())
        for (i, j), value in np.ndenumerate(means.to_numpy()):
            ink = INK if value > 0.6 * largest else LIGHT["surface"]
            panel.text(j, i, f"{value:.1f}", ha="center", va="center", color=ink, fontsize=SMALL)
    figure.subplots_adjust(left=0.06, right=0.99, bottom=0.17, top=0.9, wspace=0.28)
    return figure


def _line(panel: Axes, rows: pd.DataFrame, places: dict[object, int], family: str, shift: float) -> None:
    x = rows["value"].map(places) + shift
    spread = [(rows["mean"] - rows["low"]).fillna(0), (rows["high"] - rows["mean"]).fillna(0)]
    look: Any = {"color": LIGHT[hue(family)], "marker": "o", "markersize": 3, "linewidth": 1.2}
    panel.errorbar(x, rows["mean"], yerr=spread, label=family_label(family), **look)


def _name(row: dict[object, str]) -> str:
    return " \N{MULTIPLICATION SIGN} ".join(
        AXES.get(name, name) for name in (row["axis"], row["other"]) if isinstance(name, str)
    )


def _plain(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)
