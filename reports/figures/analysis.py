"""The plates that the paper did not have: curves without bins, families compared, and what matters."""

from collections.abc import Iterator

import pandas as pd

from reports.figures.effects import draw_main_effects, draw_pairs, draw_shares
from reports.figures.figure import Plate
from reports.figures.histogram import encode
from reports.figures.survival import draw_best_of, draw_comparisons, draw_course, draw_survival
from reports.names import in_order
from reports.numbers.comparisons import compare
from reports.numbers.effects import EXACT, main_effects, pair_means, variance_shares
from reports.numbers.learning_curves import course
from reports.numbers.prefix import known
from reports.numbers.study import Grid
from reports.numbers.survival import best_of, survival

_PAIRS = 3  # heat maps
_SURVIVAL = (
    "Percent of each family's grid that scores above s. While the sweep is unfinished the bands, 95 %, hold for all s "
    "and at all moments together; once it is finished they have no width.",
)
_BEST_OF = (
    "Score of the best of n trials drawn at random from the known cells, none twice: mean, and the middle 80 % of "
    "draws. It says what a search with n trials would have found.",
)
_COURSE = (
    "Scores of the known cells on the way: mean, and the middle 80 % of cells. A cell counts 0 from where it diverged "
    "or failed; cells that were scored at their end alone are left out.",
)
_COMPARISONS = (
    "Positive values, and more than 50 %, speak for the family named first. EBGAN-PT and EBGAN are paired cell by "
    "cell; GANs are compared as a whole, and restricted to the optimisers that EBGANs had. Intervals, 95 %, are from "
    "resampling whole shapes and stay when the grid is finished: other shapes and seeds would give other numbers.",
)
_SHARES = (
    "Part of the variance of a family's scores that each axis explains alone, and each pair of axes beyond its two. In "
    "a whole grid these shares are exact; what is missing to 100 % needs three axes or more, or is chance.",
)
_ESTIMATED = (
    "At least one grid is unfinished: its bars are estimates by PED-ANOVA, relative to one another and without pairs."
)
_EFFECTS = (
    "Mean score of the known cells by the value of each axis, over all other axes. Intervals, 95 %, are over shapes.",
)
_HEAT = ("Mean score by two axes: for each family the pair that explains most together.",)


def analysis_plates(grid: Grid, suffix: str, steps: pd.DataFrame) -> Iterator[Plate]:
    """Every plate for which there are cells enough.

    Args:
        steps: as in `course`.
    """
    chosen = known(grid.cells)
    if chosen.empty:
        return
    table = survival(chosen, grid.cells)
    picture = encode(draw_survival(table, grid.real_score))
    yield Plate(f"survival{suffix}", None, "Share of the grid above a score", _SURVIVAL, table, picture, {})
    table = best_of(chosen)
    picture = encode(draw_best_of(table, grid.real_score))
    yield Plate(f"best-of-n{suffix}", None, "The best of n trials", _BEST_OF, table, picture, {})
    table = course(chosen, steps)
    if len(table):
        picture = encode(draw_course(table, grid.real_score))
        yield Plate(f"course{suffix}", None, "Scores in training", _COURSE, table, picture, {})
    if grid.real_score is not None:
        table = compare(chosen, grid.real_score)
        if len(table):
            picture = encode(draw_comparisons(table))
            yield Plate(f"comparisons{suffix}", None, "Families compared", _COMPARISONS, table, picture, {})
    yield from _factors(grid, chosen, suffix)


def _factors(grid: Grid, chosen: pd.DataFrame, suffix: str) -> Iterator[Plate]:
    cells = {family: chosen[chosen["family"] == family] for family in in_order(chosen["family"])}
    tables = {family: variance_shares(own, grid.cells[grid.cells["family"] == family]) for family, own in cells.items()}
    tables = {family: table for family, table in tables.items() if len(table)}
    if not tables:
        return
    table = pd.concat([table.assign(family=family) for family, table in tables.items()], ignore_index=True)
    caption = _SHARES if (table["basis"] == EXACT).all() else (*_SHARES, _ESTIMATED)
    yield Plate(f"what-matters{suffix}", None, "What matters", caption, table, encode(draw_shares(tables)), {})
    effects = [main_effects(own).assign(family=family) for family, own in cells.items()]
    table = pd.concat(effects, ignore_index=True)
    picture = encode(draw_main_effects(table))
    yield Plate(f"main-effects{suffix}", None, "Mean score by axis", _EFFECTS, table, picture, {})
    pairs = [(family, pair_means(cells[family], *_pair(table))) for family, table in tables.items() if len(table) > 1]
    if pairs:
        flat = [
            means.melt(ignore_index=False, value_name="mean")
            .reset_index()
            .set_axis(["value", "other_value", "mean"], axis=1)
            .assign(family=family, axis=str(means.index.name), other=str(means.columns.name))
            for family, means in pairs
        ]
        table = pd.concat(flat, ignore_index=True)
        picture = encode(draw_pairs(pairs[:_PAIRS]))
        yield Plate(f"pairs{suffix}", None, "Mean score by two axes", _HEAT, table, picture, {})


def _pair(shares: pd.DataFrame) -> tuple[str, str]:
    """The pair of axes that explains most, with what each of them explains alone; of an estimate the two first axes."""
    alone = shares[shares["other"].isna()].set_index("axis")["share"]
    pairs = shares[shares["other"].notna()]
    if pairs.empty:
        return str(alone.index[0]), str(alone.index[1])
    together = pairs["share"] + pairs["axis"].map(alone) + pairs["other"].map(alone)
    best = int(together.to_numpy().argmax())
    return str(pairs["axis"].iloc[best]), str(pairs["other"].iloc[best])
