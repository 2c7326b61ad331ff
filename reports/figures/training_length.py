"""Draws the finding against the length of the training."""

from collections.abc import Iterator, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing

from reports.figures.figure import Figure, Sources
from reports.figures.style import INK, MUTED, SMALL, STYLE, dash, encode
from reports.names import family_label
from reports.numbers.study import Study
from reports.numbers.training_length import by_step
from reports.palette import LIGHT, hue

_CAPTION = (
    "What the finding would have been if every training had ended at that step: left, how often a random trial of the "
    "first family scores above a random one of the second; right, the share of each family above a third of the "
    "real-data score. Thick lines are those of the first classifier, thin lines those of the others. A trial counts as "
    "the worst score from where it diverged.",
)
_DASHES = ("-", "--", ":", "-.")


def training_length_figure(study: Study, sources: Sources) -> Iterator[Figure]:
    if len(study.scored_steps) < 2 or study.real_score is None:
        return
    table = by_step(study)
    if table.groupby("classifier")["step"].nunique().max() < 2 or table.empty:
        return
    looks = {
        family_label(name): {"color": LIGHT[hue(name)], "linestyle": dash(name)}
        for name in study.trials["family"].unique()
    }
    picture = encode(draw_by_step(table, looks))
    yield Figure("training-length", "The finding against the length of the training", _CAPTION, table, picture)


@mpl.rc_context(STYLE)
def draw_by_step(table: pd.DataFrame, looks: Mapping[str, Mapping[str, Any]]) -> Drawing:
    """Draws `by_step`: a panel for each measure, a line for each family or pair and each classifier.

    Args:
        looks: how lines of families are drawn, by label.
    """
    measures = list(dict.fromkeys(table["measure"]))
    drawing = Drawing(figsize=(11, 3.6))
    panels = np.atleast_1d(drawing.subplots(1, len(measures)))
    first = table["classifier"].iloc[0]
    for axes, measure in zip(panels, measures, strict=True):
        own = table[table["measure"] == measure].fillna({"other": ""})
        for n, ((family, other), rows) in enumerate(own.groupby(["family", "other"], sort=False)):
            look: Any = {"color": INK, "linestyle": _DASHES[n % 4]} if other else looks[family]
            for classifier, line in rows.groupby("classifier", sort=False):
                is_first = classifier == first
                label = (f"{family} vs. {other}" if other else family) if is_first else None
                axes.plot(line["step"], 100 * line["estimate"], linewidth=2.0 if is_first else 0.8, label=label, **look)
        if measure == "probability of winning":
            axes.axhline(50, color=MUTED, linewidth=0.8, zorder=0)
        axes.set(xlim=(0, None), ylim=(-2, 102), xlabel="training steps", ylabel="percent")
        axes.set_xticks(sorted(table["step"].unique()))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.tick_params(axis="x", labelsize=SMALL)
        axes.set_title(measure, pad=22)
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=3, fontsize=SMALL, borderpad=0)
    drawing.subplots_adjust(left=0.06, right=0.985, bottom=0.14, top=0.85, wspace=0.14)
    return drawing
