"""The report that tests of the explorer open in a browser, and what pandas says of it."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_results import full_results, sheet
from matplotlib.figure import Figure

from reports.explorer.html import explore
from reports.explorer.presets import matching
from reports.explorer.sheets import write_sheets
from reports.figures.figure import Sources
from reports.numbers.prefix import finished_prefix
from reports.numbers.study import split_studies
from reports.page.page import render_page
from reports.report import as_files, make_sections

URL = "sqlite:///runs/my results.db"


@cache
def unfinished() -> pd.DataFrame:
    """All 7,168 cells: the last sixth waits, one in twenty diverged, EBGANs score higher."""
    rows = full_results().copy()
    rng = np.random.default_rng(1)
    rows["score"] = np.where(rows["family"] == "gan", rng.gamma(0.6, 1.2, len(rows)), rng.gamma(6.0, 1.0, len(rows)))
    rows["frechet"] = 200 / (1 + rows["score"])
    for state, chosen in (("DIVERGED", rng.random(len(rows)) < 0.05), ("WAITING", rows["position"] >= 6000)):
        rows.loc[chosen, "state"] = state
        rows.loc[chosen, ["score", "score_fraction", "frechet"]] = np.nan
    return rows


@cache
def cells() -> pd.DataFrame:
    (study,) = split_studies(unfinished())
    return study.trials


def all_sheets(ids: Any) -> dict[str, bytes]:
    return dict.fromkeys(ids, sheet())


def make_report(folder: Path, rows: pd.DataFrame, sweeps: pd.DataFrame, **more: pd.DataFrame) -> Path:
    save = Figure.savefig

    def save_svg(figure: Figure, file: Any, **options: Any) -> None:
        if options["format"] == "svg":  # the page refers to the other formats and does not load them
            save(figure, file, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", save_svg)
        sections = make_sections(rows, Sources(all_sheets))
    grids = [section.study for section in sections]
    sheets = write_sheets(folder, rows.loc[rows["state"] == "COMPLETE", "trial_id"], all_sheets)
    page = render_page(sections, sweeps, [], explore(grids, URL, sheets, **more))
    for name, content in as_files(sections, page).items():
        (folder / name).write_bytes(content)
    return folder


def best(family: str = "ebgan") -> str:
    """The trial of the highest score."""
    own = unfinished()[unfinished()["family"] == family]
    return str(own.loc[own["score"].idxmax(), "trial_id"])


def expected(filters: dict[str, list[str]] | None = None, column: str = "value", bins: int = 25) -> pd.DataFrame:
    """The same by numpy: cells per bin and family."""
    chosen = finished_prefix(cells())
    chosen = chosen[matching(chosen, filters or {})]
    edges = np.linspace(0, chosen[column].max(), bins + 1)
    labels = {"gan": "GAN", "ebgan": "EBGAN", "ebgan_pt": "EBGAN-PT"}
    return pd.DataFrame(
        {label: np.histogram(chosen.loc[chosen["family"] == name, column], edges)[0] for name, label in labels.items()}
    )


def same(found: pd.DataFrame, wanted: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found[list(wanted)], wanted, check_dtype=False)
