"""Draws what a search with n trials would have found."""

from collections.abc import Iterator

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure as Drawing

from reports.figures.figure import Figure, Sources
from reports.figures.style import HALF, STYLE, THIRD, dash, encode, finish, mark_third, score_label
from reports.names import family_label, in_order
from reports.numbers.best_of_n import best_of_n
from reports.numbers.study import Study
from reports.palette import LIGHT, hue
from search_spaces.experiment import Score


def best_of_n_figure(study: Study, sources: Sources) -> Iterator[Figure]:
    if study.prefix["value"].isna().all():
        return
    table = best_of_n(study.prefix, study.score)
    picture = encode(draw_best_of_n(table, study.score, study.real_score))
    words = (
        "What the best of n randomly chosen trials scores: the mean, and the middle 80 % of draws without replacement "
        "from the trials counted so far."
    )
    caption = (words if study.real_score is None else f"{words} {THIRD}",)
    yield Figure("best-of-n", "The best of n trials", caption, table, picture, is_half=True)


@mpl.rc_context(STYLE)
def draw_best_of_n(table: pd.DataFrame, score: Score, real_score: float | None) -> Drawing:
    """Draws `best_of_n`: mean and middle 80 % of the best score of n random trials."""
    drawing = Drawing(figsize=(HALF, 3.7))
    axes = drawing.subplots()
    for family in in_order(table["family"]):
        rows = table[table["family"] == family]
        colour = LIGHT[hue(family)]
        axes.plot(rows["n"], rows["mean"], color=colour, linestyle=dash(family), label=family_label(family))
        axes.fill_between(rows["n"], rows["low"], rows["high"], color=colour, alpha=0.18, linewidth=0)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("n, random trials of the family")
    axes.set_ylabel(f"best {score_label(score)}")
    axes.set_ylim(bottom=0)
    mark_third(axes, real_score)
    finish(drawing, axes, table)
    return drawing
