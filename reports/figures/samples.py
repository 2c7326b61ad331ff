"""Draws samples: of each family's best trial (figure 4), and of one EBGAN under different margins (figure 9)."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from numpy.typing import NDArray

from data.sample_sheet import read_sheet, strip
from reports.figures.figure import Figure, Sources
from reports.figures.sample_sizes import sample_sizes
from reports.figures.style import INK, MUTED, RULE, SMALL, STYLE, encode, score_label, symbol
from reports.names import configuration, family_label, fixed
from reports.numbers.prefix import finished_prefix
from reports.numbers.samples import best_trials, margin_trials
from reports.numbers.study import Study
from reports.numbers.values import DIVERGED
from reports.palette import LIGHT
from search_spaces.experiment import Score

_BEST = (
    "Each sheet shows 96 samples, not selected, of the family's best trial without a mark. A mark says that a "
    "trial is not what its score suggests. Each sheet is of one run with one seed, and the best of many trials is "
    "partly luck.",
)
Sheets = Mapping[str, NDArray[np.uint8]]


def best_samples_figure(study: Study, sources: Sources) -> Iterator[Figure]:
    """Figure 4: samples of each family's best trial."""
    table = best_trials(study.trials, study.experiment)
    if table.empty:
        return
    sheets, pixels = _readable(sources.read_sheets(list(table["trial_id"])))
    picture = encode(draw_best(table, pixels, study.score))
    title = "Samples of each family's best trial"
    words = {trial["trial_id"]: _measures(trial, study.score) for trial in table.to_dict("records")}
    yield Figure("figure4", title, _BEST, table, picture, number=4, sheets=sheets, sheet_words=words)


def _measures(trial: Mapping[Any, Any], score: Score) -> str:
    name, _, unit = score.label.partition(",")
    return (
        f"{name} {fixed(trial['score'])}{unit}, {fixed(100 * trial['score_fraction'], 0)} % of real digits. Inception "
        f"score {fixed(trial['inception_score'])}, {fixed(trial['coverage'], 0)} of 10 classes, entropy "
        f"{fixed(trial['entropy'])} nats, Fréchet distance {fixed(trial['frechet'])}.{_marks(trial)}"
    )


def _marks(trial: Mapping[Any, Any]) -> str:
    """The trial's marks, or how many marked trials score better."""
    if isinstance(trial["marks"], str):
        return f" Marked: {trial['marks']}."
    n = trial["better"]
    return f" {n:,} marked {'trial scores' if n == 1 else 'trials score'} better." if n else ""


def margins_figure(study: Study, sources: Sources) -> Iterator[Figure]:
    """Figure 9: samples of one EBGAN under different margins."""
    table = margin_trials(study.margins, study.experiment)
    if table.empty:
        return
    sheets, pixels = _readable(sources.read_sheets(list(table["trial_id"])))
    reading = (
        f"The first 16 samples per margin m, not selected, with the score {symbol(study.score)} and the number of "
        "classes seen."
    )
    caption = (reading, sample_sizes(finished_prefix(study.margins), study.margins))
    picture = encode(draw_margins(table, pixels, study.score, study.real_score))
    yield Figure("figure9", "One EBGAN under different margins", caption, table, picture, number=9, sheets=sheets)


def _readable(sheets: Mapping[str, bytes]) -> tuple[dict[str, bytes], dict[str, NDArray[np.uint8]]]:
    """The sheets that are pictures, as PNG and as pixels."""
    read = {trial_id: read_sheet(png) for trial_id, png in sheets.items()}
    pixels = {trial_id: sheet for trial_id, sheet in read.items() if sheet is not None}
    return {trial_id: sheets[trial_id] for trial_id in pixels}, pixels


@mpl.rc_context(STYLE)
def draw_best(table: pd.DataFrame, sheets: Sheets, score: Score) -> Drawing:
    """Draws `best_trials`: one sheet of 8 x 12 samples per family, sheets [256, 384] by trial id."""
    drawing = Drawing(figsize=(11, 3.6))
    panels = drawing.subplots(1, max(len(table), 3), squeeze=False)[0]
    for axes in panels:
        axes.set_axis_off()
    for axes, trial in zip(panels, table.to_dict("records"), strict=False):
        sheet = sheets.get(trial["trial_id"])
        if sheet is None:
            axes.text(0.5, 0.5, "no sample sheet in the database", ha="center", color=MUTED, transform=axes.transAxes)
        else:
            axes.imshow(sheet, cmap="gray", vmin=0, vmax=255, interpolation="none")
        axes.set_title(f"{family_label(trial['family'])}  {symbol(score)} {trial['score']:.2f}", color=INK)
        words = textwrap.fill(f"{configuration(trial)}; {trial['coverage']:.0f} of 10 classes.{_marks(trial)}", 50)
        axes.text(0, -0.04, words, va="top", color=MUTED, fontsize=SMALL, transform=axes.transAxes)
    drawing.subplots_adjust(left=0.005, right=0.995, bottom=0.24, top=0.93, wspace=0.05)
    return drawing


@mpl.rc_context(STYLE)
def draw_margins(table: pd.DataFrame, sheets: Sheets, score: Score, real_score: float | None) -> Drawing:
    """Draws `margin_trials`: per margin a row of 16 samples and its score."""
    n = len(table)
    drawing = Drawing(figsize=(11, 0.44 * n + 0.9))
    images, scores = drawing.subplots(1, 2, sharey=True, width_ratios=[7, 3])
    longest = max([real_score or 1.0, *table["score"].dropna()])
    for row, trial in enumerate(table.to_dict("records")):
        sheet = sheets.get(trial["trial_id"])
        if sheet is not None:
            images.imshow(
                strip(sheet, 16),
                extent=(0, 16, row + 0.46, row - 0.46),
                cmap="gray",
                vmin=0,
                vmax=255,
                interpolation="none",
            )
        _margin_bar(scores, row, trial, longest)
    images.set(xlim=(0, 16), ylim=(n - 0.5, -0.5), aspect="auto", xticks=[])
    images.set_yticks(range(n), [f"m = {margin:g}" for margin in table["margin"]])
    images.spines[:].set_visible(False)
    images.tick_params(left=False, labelcolor=INK, labelsize=11)  # on a narrow screen they are half as large
    scores.tick_params(left=False, labelleft=True, labelcolor=INK)
    scores.spines["left"].set_color(RULE)
    scores.set_xlabel(score_label(score), loc="left")
    scores.set_xlim(0, longest * 1.7)
    ticks = mpl.ticker.MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(0, longest)
    scores.set_xticks(ticks[ticks <= longest])
    scores.spines["bottom"].set_bounds(0, longest)
    if real_score is not None:
        scores.axvline(real_score, color=INK, linestyle=(0, (4, 3)), linewidth=0.8)
        scores.text(real_score, -0.6, "real digits ", ha="right", va="bottom", color=MUTED, fontsize=SMALL)
    for place, words in ((1.25, symbol(score)), (1.6, "classes")):
        scores.text(place * longest, -0.6, words, ha="right", va="bottom", color=MUTED, fontsize=SMALL)
    drawing.subplots_adjust(
        left=0.07, right=0.995, bottom=0.5 / drawing.get_figheight(), top=1 - 0.3 / drawing.get_figheight(), wspace=0.14
    )
    return drawing


def _margin_bar(axes: Axes, row: int, trial: Mapping[Any, Any], longest: float) -> None:
    """Draws one score as a bar, and writes its numbers in columns to the right of the longest bar."""
    if trial["outcome"] == DIVERGED:
        axes.text(1.25 * longest, row, "diverged", ha="right", va="center", fontsize=SMALL)
        return
    axes.barh(row, trial["score"], height=0.5, color=LIGHT["ebgan"])
    axes.text(1.25 * longest, row, f"{trial['score']:.2f}", ha="right", va="center", fontsize=SMALL)
    axes.text(1.6 * longest, row, f"{trial['coverage']:.0f}", ha="right", va="center", fontsize=SMALL)
