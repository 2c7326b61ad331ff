"""Draws the finding under each classifier side by side, how alike they rank trials, and what they give to others."""

from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from reports.figures.figure import Figure, Sources
from reports.figures.style import INK, MUTED, RULE, SMALL, STYLE, encode
from reports.names import family_label, fixed
from reports.numbers.by_classifier import ALL, by_classifier, rank_correlations, references
from reports.numbers.prefix import FEWEST_SHAPES
from reports.numbers.study import Study

_CAPTION = (
    "Every trial is scored by each of these classifiers. The left panel shows how often a random trial of the first "
    "family scores above a random one of the second; a tie counts as half. The others show the share of each family's "
    "grid above a third and above two thirds of what the same classifier gives real digits. A finding to rely on holds "
    f"under all of them. Lines are 95 % intervals; fewer than {FEWEST_SHAPES} shapes have none in the left panel, and "
    "the shares of a finished grid have none.",
)
_CORRELATIONS = (
    "Spearman's rank correlation between the scores of two classifiers: 1 where both rank the trials in the same "
    "order, 0 where one order says nothing about the other. A dash stands where a classifier gives all trials the "
    "same score.",
)
_REFERENCES = (
    "I\N{PRIME} in nats under each classifier, of real test digits and of images that no training has made. A score as "
    "high as that of an untrained generator says nothing.",
)
_MARKERS = "os^Dv"


def classifiers_figures(study: Study, sources: Sources) -> Iterator[Figure]:
    """The finding under each classifier, and rank correlations; nothing where there is one classifier."""
    if len(study.classifiers) < 2 or study.real_score is None or study.prefix["value"].isna().all():
        return
    table = by_classifier(study)
    yield Figure("classifiers", "The finding under each classifier", _CAPTION, table, encode(draw_by_classifier(table)))
    table = rank_correlations(study)
    rows = tuple(_correlation_rows(table))
    title = "How alike the classifiers rank the trials"
    yield Figure("rank-correlations", title, _CORRELATIONS, table, encode(draw_rows(rows)), rows=rows)
    table = references(study)
    rows = tuple(_reference_rows(table))
    title = "What the classifiers give to other images"
    yield Figure("references", title, _REFERENCES, table, encode(draw_rows(rows)), rows=rows)


@mpl.rc_context(STYLE)
def draw_by_classifier(table: pd.DataFrame) -> Drawing:
    """Draws `by_classifier`: a panel for each measure, a row for each family or pair, a marker for each classifier."""
    measures = list(dict.fromkeys(table["measure"]))
    n_rows = max(len(own[["family", "other"]].drop_duplicates()) for _, own in table.groupby("measure"))
    drawing = Drawing(figsize=(11, 0.7 * n_rows + 1.3))
    panels = np.atleast_1d(drawing.subplots(1, len(measures)))
    for axes, measure in zip(panels, measures, strict=True):
        _measure(axes, table[table["measure"] == measure])
        axes.set_title(measure)
    handles, labels = panels[0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="upper left", ncols=len(labels), handletextpad=0.3)
    height = drawing.get_figheight()
    drawing.subplots_adjust(left=0.11, right=0.985, bottom=0.5 / height, top=1 - 0.62 / height, wspace=0.34)
    return drawing


def _measure(axes: Axes, rows: pd.DataFrame) -> None:
    names = [
        f"{one}\nvs. {other}" if isinstance(other, str) else one
        for one, other in zip(rows["family"], rows["other"], strict=True)
    ]
    places = {name: y for y, name in enumerate(dict.fromkeys(names))}
    classifiers = list(dict.fromkeys(rows["classifier"]))
    for row, name in zip(rows.to_dict("records"), names, strict=True):
        n = classifiers.index(row["classifier"])
        y = places[name] + 0.22 * (n - (len(classifiers) - 1) / 2)
        if pd.notna(row["low"]):
            axes.hlines(y, 100 * row["low"], 100 * row["high"], color=MUTED, linewidth=1)
        label = row["classifier"] if places[name] == 0 else None
        filled = INK if n == 0 else "none"  # the first classifier ranks the trials
        axes.plot([100 * row["estimate"]], [y], _MARKERS[n % len(_MARKERS)], color=INK, mfc=filled, ms=5, label=label)
    if isinstance(rows["other"].iloc[0], str):
        axes.axvline(50, color=MUTED, linewidth=0.8, zorder=0)
    axes.set(xlim=(-2, 102), ylim=(len(places) - 0.5, -0.5), xlabel="percent")
    axes.set_yticks(list(places.values()), list(places))
    axes.tick_params(axis="y", left=False, labelcolor=INK)
    for y in range(1, len(places)):
        axes.axhline(y - 0.5, color=RULE, linewidth=0.6, zorder=0)


def _correlation_rows(table: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    """`rank_correlations` as text: a row for each pair of classifiers, a column for each family."""
    sizes = table.groupby("family", sort=False)["cells"].max()
    names = ("all trials" if family == ALL else family_label(str(family)) for family in sizes.index)
    yield ("classifiers", *(f"{name} ({n:,})" for name, n in zip(names, sizes, strict=True)))
    for (one, other), own in table.groupby(["one", "other"], sort=False):
        yield (f"{one} and {other}", *(fixed(value) for value in own["correlation"]))


def _reference_rows(table: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    """`references` as text: a row for each classifier."""
    yield tuple(table.columns)
    for name, accuracy, *nats in table.itertuples(index=False):
        yield (name, "" if pd.isna(accuracy) else f"{100 * accuracy:.2f} %", *(fixed(value) for value in nats))


@mpl.rc_context(STYLE)
def draw_rows(rows: Sequence[Sequence[str]]) -> Drawing:
    """Draws the rows of a table, the head first."""
    drawing = Drawing(figsize=(11, 0.32 * len(rows) + 0.1))
    axes = drawing.subplots()
    axes.set(xlim=(0, len(rows[0]) + 1), ylim=(len(rows) - 0.5, -0.5))
    axes.set_axis_off()
    for y, row in enumerate(rows):
        look: Any = {"va": "center"} if y else {"va": "center", "color": MUTED, "fontsize": SMALL}
        axes.text(0, y, row[0], **look)
        for x, words in enumerate(row[1:], start=2):
            axes.text(x, y, words, ha="right", **look)
    axes.axhline(0.45, color=RULE, linewidth=0.8)
    drawing.subplots_adjust(left=0.01, right=0.99, bottom=0.02, top=0.98)
    return drawing
