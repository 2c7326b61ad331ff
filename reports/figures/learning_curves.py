"""Draws learning curves: each family's scores over training."""

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing

from reports.figures.figure import Figure, Sources
from reports.figures.style import STYLE, THIRD, encode, mark_third, score_label
from reports.names import family_label, in_order
from reports.numbers.learning_curves import learning_curves
from reports.numbers.scorings import of_identity
from reports.numbers.study import Study
from reports.palette import LIGHT, hue
from search_spaces.experiment import Score

_CAPTION = (
    "Lines show the mean score of the trials counted so far during training, and bands the middle 80 % of them. A "
    "trial counts as the worst score from the step at which it diverged. Failed trials, and those that were "
    "scored only at their end, are left out.",
)


def learning_curves_figure(study: Study, sources: Sources) -> Iterator[Figure]:
    table = learning_curves(study.prefix, of_identity(sources.steps, study.identity), study.score)
    if len(table):
        picture = encode(draw_learning_curves(table, study.score, study.real_score))
        caption = _CAPTION if study.real_score is None else (f"{_CAPTION[0]} {THIRD}",)
        yield Figure("course", "Scores during training", caption, table, picture)


@mpl.rc_context(STYLE)
def draw_learning_curves(table: pd.DataFrame, score: Score, real_score: float | None) -> Drawing:
    """Draws `learning_curves`: mean and middle 80 % of each family's scores by step, a panel per family."""
    families = in_order(table["family"])
    drawing = Drawing(figsize=(11, 3.4))
    panels = np.atleast_1d(drawing.subplots(1, len(families), sharex=True, sharey=True))
    for axes, family in zip(panels, families, strict=True):
        rows = table[table["family"] == family]
        colour = LIGHT[hue(family)]
        axes.plot(rows["step"], rows["mean"], "o-", color=colour, markersize=4)
        axes.fill_between(rows["step"], rows["low"], rows["high"], color=colour, alpha=0.18, linewidth=0)
        axes.set_title(f"{family_label(family)}, {rows['cells'].iloc[0]:,} trials")
        axes.set_xlabel("training steps")
        axes.tick_params(labelleft=True)
    panels[0].set_xticks(sorted(table["step"].unique()))
    panels[0].xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    panels[0].set_ylabel(score_label(score))
    panels[0].set_xlim(left=0)
    panels[0].set_ylim(bottom=0)
    for axes in panels:
        mark_third(axes, real_score)
    drawing.subplots_adjust(left=0.06, right=0.985, bottom=0.16, top=0.91, wspace=0.15)
    return drawing
