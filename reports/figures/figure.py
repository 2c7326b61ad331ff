"""A plate: one figure of the report with every number it draws."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from reports.figures.histogram import Picture


@dataclass(frozen=True)
class Plate:
    """A figure of the report.

    Attributes:
        name: of its files, without ending.
        number: that of the paper's figure; None for one the paper did not have.
        table: every number drawn.
        sheets: sample sheets it shows, PNG by trial id.
    """

    name: str
    number: int | None
    title: str
    caption: tuple[str, ...]
    table: pd.DataFrame
    picture: Picture
    sheets: Mapping[str, bytes]
