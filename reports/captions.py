"""What stands under the figures: how to read them, which cells they rest on and which are missing."""

import pandas as pd

from reports.grids import WAITING, Grid, count_outcomes, finished
from reports.labels import SCORE, family_label

_HALVES = (
    f"Rising bars are this sweep's. Fainter, hanging bars are the paper's, its axis ({SCORE}/10) multiplied by 10; its "
    "classifier was another one, so compare shapes, not positions."
)
_LINES = (
    "Diverged cells count in the lowest bin. The dashed line is the score of real test digits; the light lines are "
    "its thirds."
)
_UNFINISHED = (
    "The sweep is unfinished. Its cells run in a random order, whole shapes at a time, so these bars are a sample of "
    "the grid; only the cohorts still running are left out, and slow ones among them more often."
)

BEST = (
    "The cell with the highest score of each family, 96 of its samples, not selected. One run with one seed each: "
    "the best of many cells is partly luck.",
)


def layers(grid: Grid) -> tuple[str, ...]:
    """Caption of figure 2, one paragraph each."""
    bins = "Percent of each family's finished cells by score, in 25 equal bins from 0 to the panel's largest score."
    return (f"{bins} {_HALVES} {_LINES}", sizes(grid.cells), *_warning(grid.cells))


def optimizers(grid: Grid, table: pd.DataFrame) -> tuple[str, ...]:
    """Caption of figure 3, one paragraph each."""
    bins = "GAN cells by learning rate (rows) and optimisers (columns); every panel repeats the same EBGAN cells."
    drawn = grid.cells[grid.cells["family"].isin(["gan", "ebgan"])]
    shown = int(table.loc[(table["source"] == "sweep") & (table["family"] == "gan"), "cells"].sum())
    elsewhere = len(finished(drawn[drawn["family"] == "gan"])) - shown
    other = [f"{elsewhere:,} GAN cells with other rates or optimisers are in no panel."] if elsewhere else []
    return (f"{bins} {_HALVES} {_LINES}", sizes(drawn), *other, *_warning(drawn))


def margins(grid: Grid) -> tuple[str, ...]:
    """Caption of figure 9, one paragraph each."""
    reading = f"The first 16 samples per margin m, not selected, with the score {SCORE} and the number of classes seen."
    return (reading, sizes(grid.margins))


def sizes(cells: pd.DataFrame) -> str:
    """Per family how many cells are drawn, how many of these diverged, and how many are missing and why."""
    counts = count_outcomes(cells)
    drawn = finished(cells)["family"].value_counts()
    return " ".join(_family(family, counts.loc[family], drawn.get(family, 0)) for family in counts.index)


def _warning(cells: pd.DataFrame) -> tuple[str, ...]:
    return (_UNFINISHED,) if (cells["outcome"] == WAITING).any() else ()


def _family(family: str, counts: pd.Series, n: int) -> str:
    diverged = f", {counts['diverged']:,} of them diverged" if counts["diverged"] else ""
    reasons = (("failed", "failed"), ("waiting", "waiting"), ("unscored", "without a comparable score"))
    missing = [f"{counts[outcome]:,} {words}" for outcome, words in reasons if counts[outcome]]
    absent = f" Missing: {', '.join(missing)}." if missing else ""
    return f"{family_label(family)}: {n:,} of {counts['declared']:,} cells{diverged}.{absent}"
