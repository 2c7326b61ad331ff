"""A report: for each study its figures and its shares, and all of it as files."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from reports.figures.figure import Figure, Sources
from reports.numbers.finding import Finding, finding
from reports.numbers.shares import shares_above
from reports.numbers.study import Study, split_studies
from reports.page.output_folder import PAGE
from reports.registry import GENERAL, REPORTS

Convert = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Section:
    """What the report says about one study; `shares` and `finding` are None while there is nothing to compare with."""

    study: Study
    shares: pd.DataFrame | None
    shares_name: str
    figures: tuple[Figure, ...]
    finding: Finding | None = None


def make_sections(results: pd.DataFrame, sources: Sources | None = None) -> list[Section]:
    """One section per study in the rows of the view `results`."""
    sources = sources or Sources()
    studies = split_studies(results, sources.steps, sources.identities)
    suffixes = _suffixes([study.name for study in studies])
    return [_section(study, suffix, sources) for study, suffix in zip(studies, suffixes, strict=True)]


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
        for figure in section.figures:
            files[f"{figure.name}.svg"] = figure.picture.svg
            files[f"{figure.name}.png"] = figure.picture.png
            files[f"{figure.name}.pdf"] = figure.picture.pdf
            files[f"{figure.name}.csv"] = csv(figure.table)
    return files | {PAGE: page.encode()}


def _section(study: Study, suffix: str, sources: Sources) -> Section:
    shares = None
    if study.real_score is not None and study.score.higher_is_better and len(study.trials):
        shares = shares_above(study.prefix, study.trials, study.real_score)
    makers = REPORTS.get(study.experiment.name, GENERAL)
    figures = tuple(replace(figure, suffix=suffix) for make in makers for figure in make(study, sources))
    return Section(study, shares, f"shares{suffix}", figures, finding(study))


def _suffixes(names: Sequence[str]) -> list[str]:
    """An ending of file names for each study: none for the first, then its name, numbered where that is taken."""
    taken: list[str] = []
    for name in names:
        plain = "-" + (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "grid") if taken else ""
        choices = [plain, *(f"{plain}-{n}" for n in range(2, len(names) + 1))]
        taken.append(next(choice for choice in choices if choice not in taken))
    return taken
