"""A figure of the report: a drawing with every number it shows and its caption."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from reports.figures.style import Picture
from reports.numbers.scorings import NO_STEPS
from reports.numbers.study import Study


@dataclass(frozen=True)
class Figure:
    """A figure of the report.

    Attributes:
        key: which figure it is; its files are named by it.
        title: says what it shows, without a full stop.
        caption: how to read it, one paragraph each.
        table: every number that it shows.
        number: that of the paper's figure; None for a figure that the paper did not have.
        sheets: sample sheets that it shows, PNG by trial id.
        sheet_words: what stands under each sheet, by trial id. Where it is given, the page shows the sheets in place of
            the picture.
        rows: the picture as text, the head first. Where they are given, the page shows them in place of the picture.
        is_half: whether it has one panel, so that two of its kind stand side by side on a wide screen.
        warnings: what a reader must know before any score, a heading and a text each; the page gives them once.
        suffix: part of the names of its files that tells studies apart.
    """

    key: str
    title: str
    caption: tuple[str, ...]
    table: pd.DataFrame
    picture: Picture
    number: int | None = None
    sheets: Mapping[str, bytes] = field(default_factory=dict)
    sheet_words: Mapping[str, str] | None = None
    rows: tuple[tuple[str, ...], ...] = ()
    is_half: bool = False
    warnings: tuple[tuple[str, str], ...] = ()
    suffix: str = ""

    @property
    def name(self) -> str:
        """The name of its files, without ending."""
        return self.key + self.suffix


@dataclass(frozen=True)
class Sources:
    """What a figure may read that is no part of a study.

    Attributes:
        read_sheets: gives the PNG bytes of sample sheets by trial id; trials without a sheet are missing.
        steps: the score that ranks, by trial_id, step and identity_id.
        identities: the ways of scoring by rank, as `Storage.identities` gives them; None where they are not known.
    """

    read_sheets: Callable[[Sequence[str]], Mapping[str, bytes]] = lambda trial_ids: {}
    steps: pd.DataFrame = field(default_factory=lambda: NO_STEPS)
    identities: pd.DataFrame | None = None


# Gives the figures of one kind: none where a study has nothing to show in them.
Maker = Callable[[Study, Sources], Iterator[Figure]]
