"""Draws what matters: variance shares of axes and pairs, mean scores by axis, and by pairs of axes."""

from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D

from reports.figures.figure import Figure, Sources
from reports.figures.style import COLOUR_BAR, INK, MUTED, SMALL, STYLE, dash, encode, symbol
from reports.names import all_axes, axis_label, family_label, in_order, value_text
from reports.numbers.effects import EXACT, main_effects, pair_means, rest_of, strongest_pair, variance_shares
from reports.numbers.prefix import FEWEST_SHAPES
from reports.numbers.study import Study
from reports.palette import LIGHT, hue
from search_spaces.experiment import Score

_SHARES = (
    "Bars show the part of the variance of a family's scores that each axis explains alone, and that each pair of axes "
    "explains beyond its two. In a whole grid these shares are exact; the grey bar is the rest up to 100 %, which is "
    "due to interactions of three axes or more, or to chance.",
)
_ESTIMATED = (
    "At least one grid is unfinished: its bars are estimates by PED-ANOVA, which say how much each axis matters for "
    "the best trials, in percent of the sum over the axes and without pairs. A family with fewer than "
    f"{FEWEST_SHAPES} shapes so far is left out."
)
_EFFECTS = (
    "Points show the mean score for each value of an axis, over all other axes. The intervals (95 %) are over shapes; "
    f"there is none for fewer than {FEWEST_SHAPES}. "
    "Each panel has a scale of its own.",
)
_PAIRS = (
    "Each panel shows the mean score of a family by the two axes that explain most together. All share one scale.",
)


def effects_figures(study: Study, sources: Sources) -> Iterator[Figure]:
    """What matters, mean scores by axis, and mean scores by the two axes that matter most."""
    known = study.prefix[study.prefix["value"].notna()]
    own = {family: known[known["family"] == family] for family in in_order(known["family"])}
    found = {
        family: variance_shares(rows, study.trials[study.trials["family"] == family], study.score)
        for family, rows in own.items()
    }
    found = {family: shares for family, shares in found.items() if len(shares) and _may_be_shown(shares, own[family])}
    if not found:
        return
    table = pd.concat([_with_rest(shares).assign(family=family) for family, shares in found.items()], ignore_index=True)
    caption = _SHARES if (table["basis"] == EXACT).all() else (*_SHARES, _ESTIMATED)
    yield Figure("what-matters", "What matters", caption, table, encode(draw_shares(found)))
    table = pd.concat([main_effects(rows).assign(family=family) for family, rows in own.items()], ignore_index=True)
    picture = encode(draw_main_effects(table, study.score))
    yield Figure("main-effects", "Mean score by axis", _EFFECTS, table, picture)
    pairs = [
        (family, pair_means(own[family], *strongest_pair(shares)))
        for family, shares in found.items()
        if len(shares) > 1
    ]
    if pairs:
        table = pd.concat([_flat(family, means) for family, means in pairs], ignore_index=True)
        picture = encode(draw_pairs(pairs[:PAIRS], study.score))
        yield Figure("pairs", "Mean score by two axes", _PAIRS, table, picture)


REST = "interactions of 3+ and chance"


def _may_be_shown(shares: pd.DataFrame, known: pd.DataFrame) -> bool:
    """Whether the shares are exact, or there are shapes enough for an estimate."""
    return bool(shares["basis"].iloc[0] == EXACT or known["shape"].nunique() >= FEWEST_SHAPES)


def _with_rest(shares: pd.DataFrame) -> pd.DataFrame:
    rest = rest_of(shares)
    if rest is None:
        return shares
    return pd.concat([shares, pd.DataFrame([{"axis": REST, "share": rest, "basis": EXACT}])], ignore_index=True)


def _flat(family: str, means: pd.DataFrame) -> pd.DataFrame:
    """The means of two axes as rows."""
    rows = means.melt(ignore_index=False, value_name="mean").reset_index()
    rows = rows.set_axis(["value", "other_value", "mean"], axis=1)
    return rows.assign(family=family, axis=str(means.index.name), other=str(means.columns.name))


MOST = 12  # bars
PAIRS = 3  # heat maps
MOST_TICKS = 16  # of an axis; a study may have thousands of seeds, and each tick is drawn for a millisecond
_ON_BRIGHT, _ON_DARK = "#000000", "#fefefe"  # words on a heat map, whose colours do not follow those of the page


@mpl.rc_context(STYLE)
def draw_shares(tables: dict[str, pd.DataFrame]) -> Drawing:
    """Draws `variance_shares` of each family: its largest shares as bars."""
    drawing = Drawing(figsize=(11, 4.2))
    panels = drawing.subplots(1, max(1, len(tables)), squeeze=False)[0]
    for axes, family in zip(panels, in_order(tables), strict=False):
        whole = _with_rest(tables[family])
        is_rest = whole["axis"] == REST
        rows = pd.concat([whole[~is_rest].head(MOST), whole[is_rest]])
        colours = [MUTED if axis == REST else LIGHT[hue(family)] for axis in rows["axis"]]
        axes.barh(range(len(rows)), 100 * rows["share"], height=0.62, color=colours)
        axes.set_yticks(range(len(rows)), [_name(row) for row in rows.to_dict("records")])
        axes.set_ylim(max(len(rows), 1) - 0.4, -0.6)
        axes.set_title(f"{family_label(family)}: {rows['basis'].iloc[0] if len(rows) else 'nothing varies'}")
        is_exact = (rows["basis"] == EXACT).all()
        axes.set_xlabel("percent of the variance" if is_exact else "importance, percent of the sum")
        axes.set_xlim(0, 112)
        axes.set_xticks(range(0, 101, 25))
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
    drawing.subplots_adjust(left=0.14, right=0.985, bottom=0.13, top=0.92, wspace=0.66)
    return drawing


@mpl.rc_context(STYLE)
def draw_main_effects(table: pd.DataFrame, score: Score) -> Drawing:
    """Draws `main_effects` of each family, with a column family: a panel per axis, a line per family."""
    shown = [axis for axis in all_axes() if axis in set(table["axis"])]
    columns = 4
    n_rows = max(1, -(-len(shown) // columns))
    drawing = Drawing(figsize=(11, 2.3 * n_rows + 0.6))
    panels = drawing.subplots(n_rows, columns, squeeze=False).ravel()
    families = in_order(table["family"])
    for panel, axis in zip(panels, shown, strict=False):
        rows = table[table["axis"] == axis]
        places = {value: i for i, value in enumerate(sorted(rows["value"].unique()))}
        own = in_order(rows["family"])
        for number, family in enumerate(own):
            _line(panel, rows[rows["family"] == family], places, family, 0.06 * (number - (len(own) - 1) / 2))
        panel.set_ylim(bottom=0)
        every = -(-len(places) // MOST_TICKS)
        panel.set_xticks(range(0, len(places), every), [value_text(value) for value in list(places)[::every]])
        panel.set_title(axis_label(axis))
    for panel in panels[len(shown) :]:
        panel.set_axis_off()
    if shown:
        handles = [Line2D([], [], color=LIGHT[hue(f)], linestyle=dash(f), label=family_label(f)) for f in families]
        drawing.legend(handles=handles, loc="upper left", ncols=len(handles), fontsize=SMALL)
    for row in range(n_rows):
        panels[row * columns].set_ylabel(f"mean {score.label}")
    drawing.subplots_adjust(left=0.06, right=0.99, bottom=0.3 / drawing.get_figheight(), hspace=0.42, wspace=0.16)
    drawing.subplots_adjust(top=1 - 0.6 / drawing.get_figheight())
    return drawing


@mpl.rc_context(STYLE)
def draw_pairs(tables: list[tuple[str, pd.DataFrame]], score: Score) -> Drawing:
    """Draws `pair_means`, each with its family, as heat maps."""
    drawing = Drawing(figsize=(11, 3.1))
    panels = drawing.subplots(1, max(3, len(tables)))
    largest = max(float(np.nanmax(means.to_numpy())) for _, means in tables) or 1.0
    shown = mpl.cm.ScalarMappable(mpl.colors.Normalize(0, largest), "cividis")
    for panel in panels[len(tables) :]:
        panel.set_axis_off()
    for panel, (family, means) in zip(panels, tables, strict=False):
        panel.imshow(means.to_numpy(), cmap="cividis", aspect="auto", vmin=0, vmax=largest)
        panel.set_xticks(range(means.shape[1]), [value_text(value) for value in means.columns])
        panel.set_yticks(range(means.shape[0]), [value_text(value) for value in means.index])
        panel.set_xlabel(axis_label(str(means.columns.name)))
        panel.set_ylabel(axis_label(str(means.index.name)))
        panel.set_title(f"{family_label(family)}: mean {symbol(score)}")
        for (i, j), value in np.ndenumerate(means.to_numpy()):
            ink = _ON_BRIGHT if value > 0.6 * largest else _ON_DARK
            panel.text(j, i, f"{value:.1f}", ha="center", va="center", color=ink, fontsize=SMALL)
    drawing.subplots_adjust(left=0.06, right=0.94, bottom=0.17, top=0.9, wspace=0.28)
    bar = drawing.colorbar(shown, cax=drawing.add_axes((0.955, 0.17, 0.012, 0.73), label=COLOUR_BAR))
    bar.outline.set_visible(False)
    return drawing


def _line(panel: Axes, rows: pd.DataFrame, places: dict[object, int], family: str, shift: float) -> None:
    x = rows["value"].map(places) + shift
    spread = [(rows["mean"] - rows["low"]).fillna(0), (rows["high"] - rows["mean"]).fillna(0)]
    look: Any = {
        "color": LIGHT[hue(family)],
        "linestyle": dash(family),
        "marker": "o",
        "markersize": 3,
        "linewidth": 1.2,
    }
    panel.errorbar(x, rows["mean"], yerr=spread, label=family_label(family), **look)


def _name(row: dict[object, str]) -> str:
    if row["axis"] == REST:
        return "the rest"
    return " \N{MULTIPLICATION SIGN} ".join(
        axis_label(name) for name in (row["axis"], row["other"]) if isinstance(name, str)
    )
