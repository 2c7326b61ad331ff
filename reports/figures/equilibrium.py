"""Draws EBGANs against the equilibrium of their theory."""

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing

from reports.figures.figure import Figure, Sources
from reports.figures.style import HALF, INK, MUTED, STYLE, dash, encode, score_label
from reports.names import family_label, in_order
from reports.numbers.equilibrium import equilibrium
from reports.numbers.study import Study
from reports.palette import LIGHT, hue
from search_spaces.experiment import Score

_THEORY = (
    "V is the discriminator's loss at the end of training: the mean of D(x) + [m - D(G(z))]+ over 1,024 training "
    "images x and as many samples. At any equilibrium of networks without limits the samples are distributed as the "
    "data and V = m (theorem 1). Against a given generator the best discriminator of all has V = m (1 - TV), with TV "
    "the total variation distance from the data, which is never above m; V above m means that the discriminator does "
    "not reconstruct real digits well."
)


def equilibrium_figure(study: Study, sources: Sources) -> Iterator[Figure]:
    table = equilibrium(study.prefix, study.margins)
    if len(table):
        picture = encode(draw_equilibrium(table, study.score))
        title = "Distance from the equilibrium"
        is_half = len(set(table["study"])) == 1
        yield Figure("equilibrium", title, caption_of(table), table, picture, is_half=is_half)


def caption_of(table: pd.DataFrame) -> tuple[str, ...]:
    """The theory, and how far each family is from it."""
    numbers = []
    for family in in_order(table["family"]):
        ratio = (table["d_loss"] / table["margin"])[(table["family"] == family) & (table["study"] == "grid")]
        if len(ratio):
            low, middle, high = ratio.quantile([0.1, 0.5, 0.9])
            spread = f"the middle 80 % from {low:.2f} to {high:.2f}"
            numbers.append(f"{family_label(family)}: the median of V/m is {middle:.2f}, {spread}.")
    return (_THEORY, " ".join(numbers)) if numbers else (_THEORY,)


@mpl.rc_context(STYLE)
def draw_equilibrium(table: pd.DataFrame, score: Score) -> Drawing:
    """Draws `equilibrium`: score against V in units of the margin, and V and energies against the margin."""
    grid, study = table[table["study"] == "grid"], table[table["study"] == "margins"]
    parts = [part for part in (grid, study) if len(part)]
    drawing = Drawing(figsize=(11 if len(parts) > 1 else HALF, 4.2))
    panels = iter(np.atleast_1d(drawing.subplots(1, len(parts))))
    if len(grid):
        axes = next(panels)
        for family in in_order(grid["family"]):
            rows = grid[grid["family"] == family]
            label = f"{family_label(family)}, {len(rows):,} trials"
            marker = "^" if dash(family) == "--" else "o"
            axes.plot(rows["d_loss"] / rows["margin"], rows["score"], marker, color=LIGHT[hue(family)], label=label)
        for line in axes.lines:
            line.set(markersize=5, linestyle="none", markeredgewidth=0.5, markeredgecolor=LIGHT["surface"])
        axes.axvline(1, color=MUTED, linewidth=0.8)
        axes.set_xlabel("V / m at the end of training; 1 at the equilibrium")
        axes.set_ylabel(score_label(score))
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper right")
    if len(study):
        axes = next(panels)
        marks = (("d_loss", "V", INK, "o-"), ("energy_real", "energy of real digits", MUTED, "s--"))
        for name, label, colour, line in (*marks, ("energy_fake", "energy of samples", MUTED, "^:")):
            axes.plot(study["margin"], study[name], line, color=colour, markersize=4, linewidth=1, label=label)
        ends = [study["margin"].min(), study["margin"].max()]
        axes.plot(ends, ends, color=MUTED, linewidth=0.8, label="V = m")
        axes.set(xscale="log", yscale="log")
        axes.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:g}")
            axis.set_minor_formatter(mpl.ticker.NullFormatter())
        axes.set_xticks(study["margin"].unique())
        axes.set_xlabel("margin m of the margin study")
        axes.set_ylabel("loss and energies")
        axes.legend(loc="upper left")
    drawing.subplots_adjust(left=0.06 if len(parts) > 1 else 0.12, right=0.985, bottom=0.13, top=0.97, wspace=0.16)
    return drawing
