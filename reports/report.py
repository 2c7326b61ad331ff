"""A report: for each grid its numbers, its figures and its shares, and all of it as files."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.figures import captions
from reports.figures.analysis import analysis_plates
from reports.figures.figure import Plate
from reports.figures.histogram import draw_best, draw_layers, draw_margins, draw_optimizers, encode
from reports.figures.survival import draw_equilibrium
from reports.numbers.histogram import layer_histograms, optimizer_histograms
from reports.numbers.learning_curves import NO_STEPS, equilibrium
from reports.numbers.prefix import known
from reports.numbers.samples import best_trials, margin_trials, read_sheet
from reports.numbers.shares import shares_above
from reports.numbers.study import Grid, split_grids
from reports.page.output_folder import PAGE

ReadSheets = Callable[[Sequence[str]], Mapping[str, bytes]]
Convert = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Section:
    """What the report says about one grid; `shares` is None while nothing is scored."""

    grid: Grid
    shares: pd.DataFrame | None
    shares_name: str
    plates: tuple[Plate, ...]


def make_sections(results: pd.DataFrame, read_sheets: ReadSheets, steps: pd.DataFrame = NO_STEPS) -> list[Section]:
    """One section per grid in the rows of the view `results`.

    Args:
        read_sheets: gives the PNG bytes of sample sheets by trial id, as far as there are any.
        steps: as in `reports.numbers.learning_curves.course`.
    """
    grids = split_grids(results)
    return [
        _section(grid, suffix, read_sheets, steps)
        for grid, suffix in zip(grids, _suffixes([grid.folder for grid in grids]), strict=True)
    ]


def as_files(
    sections: Sequence[Section], page: str, for_spreadsheet: Convert = lambda table: table
) -> dict[str, bytes]:
    """Every file of the report by name, the page last.

    Args:
        for_spreadsheet: makes text of unknown origin harmless to programs that open the CSV files.
    """

    def csv(table: pd.DataFrame) -> bytes:
        return for_spreadsheet(table).to_csv(index=False).encode()

    files: dict[str, bytes] = {}
    for section in sections:
        if section.shares is not None:
            files[f"{section.shares_name}.csv"] = csv(section.shares)
        for plate in section.plates:
            files[f"{plate.name}.svg"] = plate.picture.svg
            files[f"{plate.name}.png"] = plate.picture.png
            files[f"{plate.name}.pdf"] = plate.picture.pdf
            files[f"{plate.name}.csv"] = csv(plate.table)
    return files | {PAGE: page.encode()}


def _section(grid: Grid, suffix: str, read_sheets: ReadSheets, steps: pd.DataFrame) -> Section:
    shares = None
    if grid.real_score is not None and len(grid.cells):
        shares = shares_above(known(grid.cells), grid.cells, grid.real_score)
    plates = tuple(_plates(grid, suffix, read_sheets, steps))
    return Section(grid, shares, f"shares{suffix}", plates)


def _plates(grid: Grid, suffix: str, read_sheets: ReadSheets, steps: pd.DataFrame) -> Iterator[Plate]:
    if len(grid.cells):
        yield _layers(grid, f"figure2{suffix}")
    if (grid.cells["family"] == "gan").any():
        yield _optimizers(grid, f"figure3{suffix}")
    yield from analysis_plates(grid, suffix, steps)
    best = best_trials(grid.cells)
    if len(best):
        yield _best(best, f"figure4{suffix}", read_sheets)
    margins = margin_trials(grid.margins)
    if len(margins):
        yield _margins(margins, grid, f"figure9{suffix}", read_sheets)
    energies = equilibrium(known(grid.cells), grid.margins)
    if len(energies):
        yield _equilibrium(energies, f"equilibrium{suffix}")


def _layers(grid: Grid, name: str) -> Plate:
    table = layer_histograms(known(grid.cells), grid.cells)
    picture = encode(draw_layers(table, grid.real_score))
    title = "Scores of each family, over all cells and over the shallower ones"
    return Plate(name, 2, title, captions.layers(grid), table, picture, {})


def _optimizers(grid: Grid, name: str) -> Plate:
    table = optimizer_histograms(known(grid.cells), grid.cells)
    picture = encode(draw_optimizers(table, grid.real_score))
    title = "GANs by learning rate and optimisers, beside all EBGANs"
    return Plate(name, 3, title, captions.optimizers(grid, table), table, picture, {})


def _best(table: pd.DataFrame, name: str, read_sheets: ReadSheets) -> Plate:
    sheets, pixels = _readable(read_sheets(list(table["trial_id"])))
    picture = encode(draw_best(table, pixels))
    return Plate(name, 4, "Samples of each family's best cell", captions.BEST, table, picture, sheets)


def _margins(table: pd.DataFrame, grid: Grid, name: str, read_sheets: ReadSheets) -> Plate:
    sheets, pixels = _readable(read_sheets(list(table["trial_id"])))
    picture = encode(draw_margins(table, pixels, grid.real_score))
    return Plate(name, 9, "One EBGAN under different margins", captions.margins(grid), table, picture, sheets)


def _equilibrium(table: pd.DataFrame, name: str) -> Plate:
    picture = encode(draw_equilibrium(table))
    return Plate(name, None, "How near the equilibrium", captions.equilibrium(table), table, picture, {})


def _readable(sheets: Mapping[str, bytes]) -> tuple[dict[str, bytes], dict[str, NDArray[np.uint8]]]:
    """The sheets that are pictures, as PNG and as pixels."""
    read = {trial_id: read_sheet(png) for trial_id, png in sheets.items()}
    pixels = {trial_id: sheet for trial_id, sheet in read.items() if sheet is not None}
    return {trial_id: sheets[trial_id] for trial_id in pixels}, pixels


def _suffixes(folders: Sequence[str]) -> list[str]:
    """An ending of file names for each grid: none for the first, then its folder, numbered where that is taken."""
    taken: list[str] = []
    for folder in folders:
        plain = "-" + (re.sub(r"[^a-z0-9]+", "-", folder.lower()).strip("-") or "grid") if taken else ""
        choices = [plain, *(f"{plain}-{n}" for n in range(2, len(folders) + 1))]
        taken.append(next(choice for choice in choices if choice not in taken))
    return taken
