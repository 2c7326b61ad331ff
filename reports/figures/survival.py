"""Draws survival curves: the share of each family's grid that scores better than s."""

from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure as Drawing

from reports.figures.figure import Figure, Sources
from reports.figures.style import HALF, MUTED, RULE, SMALL, STYLE, dash, encode, finish, score_label
from reports.names import family_label, in_order
from reports.numbers.study import Study
from reports.numbers.survival import survival
from reports.palette import LIGHT, hue
from search_spaces.experiment import Score


def survival_figure(study: Study, sources: Sources) -> Iterator[Figure]:
    if study.prefix["value"].isna().all():
        return
    table = survival(study.prefix, study.trials, study.score)
    picture = encode(draw_survival(table, study.score, study.real_score))
    side = _side(study.score)
    caption = (
        f"Percent of each family's grid that scores {side} s. While the sweep is unfinished, the bands (95 %) hold for "
        "all s and at all moments together; once it is finished they have no width.",
    )
    yield Figure("survival", f"Share of the grid {side} a score", caption, table, picture, is_half=True)


def _side(score: Score) -> str:
    return "above" if score.higher_is_better else "below"


@mpl.rc_context(STYLE)
def draw_survival(table: pd.DataFrame, score: Score, real_score: float | None) -> Drawing:
    """Draws `survival`: the share of each family's trials better than every score, with its band."""
    drawing = Drawing(figsize=(HALF, 3.7))
    axes = drawing.subplots()
    for family in in_order(table["family"]):
        rows = table[table["family"] == family]
        colour = LIGHT[hue(family)]
        axes.step(
            rows["score"],
            100 * rows["share"],
            where="post",
            color=colour,
            linestyle=dash(family),
            label=family_label(family),
        )
        axes.fill_between(
            rows["score"], 100 * rows["low"], 100 * rows["high"], step="post", color=colour, alpha=0.18, linewidth=0
        )
    largest = table["score"].max() if len(table) else 1.0
    axes.set(xlim=(0, max(1.05 * largest, 1.05 * (real_score or 1.0))), ylim=(0, 100))
    axes.set_xlabel(f"s, {score_label(score)}")
    axes.set_ylabel(f"percent of the grid {_side(score)} s")
    if real_score is not None:
        for x, words in ((real_score / 3, "⅓"), (2 * real_score / 3, "⅔"), (real_score, "real")):
            axes.axvline(x, color=RULE, linewidth=0.8, zorder=0)
            place: Any = {"xytext": (0, 3), "textcoords": "offset points", "ha": "center", "fontsize": SMALL}
            axes.annotate(words, (x, 1), xycoords=axes.get_xaxis_transform(), color=MUTED, **place)
    finish(drawing, axes, table)
    return drawing
