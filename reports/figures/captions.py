"""What stands under the figures: how to read them, which cells they rest on and which are missing."""

import pandas as pd

from reports.names import SCORE, family_label, in_order
from reports.numbers.prefix import known
from reports.numbers.study import DIVERGED, FAILED, SCORED, UNSCORED, WAITING, Grid

_HALVES = (
    f"Rising bars are this sweep's. Fainter, hanging bars are the paper's, its axis ({SCORE}/10) multiplied by 10; its "
    "classifier was another one, so compare shapes, not positions."
)
_LINES = (
    "Diverged and failed cells count in the lowest bin. The dashed line is the score of real test digits; the light "
    "lines are its thirds."
)
_UNFINISHED = (
    "The sweep is unfinished. Its cells run in a random order, whole shapes at a time; drawn is the first part of that "
    "order in which every cell has ended, a fair sample of the grid. What ended after it waits for the slower ones. "
    "Each bar's thin line is a 95 % interval for the whole grid that holds at every moment of the sweep."
)

BEST = (
    "The cell with the highest score of each family, 96 of its samples, not selected. One run with one seed each: "
    "the best of many cells is partly luck.",
)


def layers(grid: Grid) -> tuple[str, ...]:
    """Caption of figure 2, one paragraph each."""
    bins = "Percent of each family's known cells by score, in 25 equal bins from 0 to the panel's largest score."
    return (f"{bins} {_HALVES} {_LINES}", sizes(grid.cells), *_warning(grid.cells))


def optimizers(grid: Grid, table: pd.DataFrame) -> tuple[str, ...]:
    """Caption of figure 3, one paragraph each."""
    bins = "GAN cells by learning rate (rows) and optimisers (columns); every panel repeats the same EBGAN cells."
    drawn = grid.cells[grid.cells["family"].isin(["gan", "ebgan"])]
    shown = int(table.loc[(table["source"] == "sweep") & (table["family"] == "gan"), "cells"].sum())
    elsewhere = len(known(drawn[drawn["family"] == "gan"])) - shown
    other = [f"{elsewhere:,} GAN cells with other rates or optimisers are in no panel."] if elsewhere else []
    return (f"{bins} {_HALVES} {_LINES}", sizes(drawn), *other, *_warning(drawn))


def margins(grid: Grid) -> tuple[str, ...]:
    """Caption of figure 9, one paragraph each."""
    reading = f"The first 16 samples per margin m, not selected, with the score {SCORE} and the number of classes seen."
    return (reading, sizes(grid.margins))


def equilibrium(table: pd.DataFrame) -> tuple[str, ...]:
    """Caption of the equilibrium gap, one paragraph each."""
    theory = (
        "V is the discriminator's loss at the end of training: the mean of D(x) + [m - D(G(z))]+ over 1,024 training "
        "images x and as many samples. At any equilibrium of networks without limits the samples are distributed as "
        "the data and V = m (theorem 1). Against a given generator the best discriminator of all has V = m (1 - TV), "
        "with TV the total variation distance from the data, so never above m; V above m is a discriminator that does "
        "not rebuild real digits well."
    )
    numbers = []
    for family in in_order(table["family"]):
        ratio = (table["d_loss"] / table["margin"])[(table["family"] == family) & (table["study"] == "grid")]
        if len(ratio):
            low, middle, high = ratio.quantile([0.1, 0.5, 0.9])
            numbers.append(f"{family_label(family)}: V/m {middle:.2f} in the middle, {low:.2f} to {high:.2f} for 80 %.")
    return (theory, " ".join(numbers)) if numbers else (theory,)


def sizes(cells: pd.DataFrame) -> str:
    """Per family how many cells are drawn, what became of these, and why the others are missing."""
    drawn = known(cells)
    return " ".join(
        _family(family, cells[cells["family"] == family], drawn[drawn["family"] == family])
        for family in in_order(cells["family"])
    )


def _warning(cells: pd.DataFrame) -> tuple[str, ...]:
    return (_UNFINISHED,) if (cells["outcome"] == WAITING).any() else ()


def _family(family: str, cells: pd.DataFrame, drawn: pd.DataFrame) -> str:
    ends = [(drawn, DIVERGED, "diverged"), (drawn, FAILED, "failed")]
    of_them = [f"{n:,} {words}" for rows, outcome, words in ends if (n := int((rows["outcome"] == outcome).sum()))]
    later = int(cells["outcome"].isin([SCORED, DIVERGED, FAILED]).sum()) - len(drawn)
    waiting, unscored = (int((cells["outcome"] == outcome).sum()) for outcome in (WAITING, UNSCORED))
    reasons = (
        (later, "ended after the first unfinished shape"),
        (waiting, "waiting"),
        (unscored, "without a comparable score"),
    )
    missing = [f"{n:,} {words}" for n, words in reasons if n]
    ended = f" ({', '.join(of_them)})" if of_them else ""
    absent = f" Missing: {', '.join(missing)}." if missing else ""
    return f"{family_label(family)}: {len(drawn):,} of {len(cells):,} cells{ended}.{absent}"
