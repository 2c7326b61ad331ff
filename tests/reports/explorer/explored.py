"""The report that tests of the explorer open in a browser, and what pandas says of it."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_results import full_results, identities, sheet
from svg_alone import draw_svg_alone

from reports.explorer.html import NO_ATTEMPTS, explore
from reports.explorer.presets import matching
from reports.explorer.sheets import Sheets, write_sheets
from reports.figures.figure import Sources
from reports.numbers.histogram import published_edges
from reports.numbers.prefix import finished_prefix
from reports.numbers.study import split_studies
from reports.page.page import render_page
from reports.report import Section, as_files, make_sections

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


@cache
def scorings() -> dict[str, pd.DataFrame]:
    """Scores after 100, 200 and 300 updates under two classifiers, by the names of the arguments of `split_studies`."""
    done = unfinished()
    done = done[done["state"] == "COMPLETE"]
    shares = {(1, 100): 0.25, (1, 200): 0.5, (1, 300): 1.0, (2, 100): 0.1, (2, 200): 0.2, (2, 300): 0.6}
    parts = [
        done[["trial_id"]].assign(step=step, identity_id=number, score=share * done["score"])
        for (number, step), share in shares.items()
    ]
    return {"steps": pd.concat(parts, ignore_index=True), "identities": identities("first", "second")}


def make_report(
    folder: Path,
    rows: pd.DataFrame,
    sweeps: pd.DataFrame,
    attempts: pd.DataFrame = NO_ATTEMPTS,
    drawn: bool = False,
    **scored: pd.DataFrame,
) -> Path:
    """Writes a report, whose explorer knows the steps and identities of `scored`; its figures do without them.

    Args:
        drawn: whether it has figures, which take most of a report's time.
    """
    with pytest.MonkeyPatch.context() as patch:
        draw_svg_alone(patch)
        sections = make_sections(rows, Sources(all_sheets)) if drawn else without_figures(rows)
    sheets = Sheets(write_sheets(folder, rows.loc[rows["state"] == "COMPLETE", "trial_id"], all_sheets))
    page = render_page(sections, sweeps, [], explore(split_studies(rows, **scored), URL, sheets, attempts))
    for name, content in as_files(sections, page).items():
        (folder / name).write_bytes(content)
    return folder


def without_figures(rows: pd.DataFrame) -> list[Section]:
    return [Section(study, None, "shares", ()) for study in split_studies(rows)]


def full_report_in(folder: Path, sweeps: pd.DataFrame, drawn: bool = False) -> Path:
    """The report of `unfinished`: every trial that is done has one attempt, and the best EBGAN an earlier one too."""
    rows = unfinished()
    done = rows[rows["state"] == "COMPLETE"]
    times = {"started_at": pd.Timestamp("2026-01-02 03:04:05"), "ended_at": pd.Timestamp("2026-01-02 03:05:06")}
    attempts = pd.DataFrame({"trial_id": done["trial_id"], "outcome": "COMPLETE", "reason": None} | times)
    lost = pd.DataFrame([{"trial_id": best(), "outcome": "FAILED", "reason": "memory"} | times])
    return make_report(folder, rows, sweeps, pd.concat([lost, attempts]), drawn, **scorings())


def best(family: str = "ebgan") -> str:
    """The trial of the highest score."""
    own = unfinished()[unfinished()["family"] == family]
    return str(own.loc[own["score"].idxmax(), "trial_id"])


def expected(
    filters: dict[str, list[str]] | None = None, bins: int | None = None, panel: str = "all", factor: float = 1.0
) -> pd.DataFrame:
    """The same by numpy: cells per bin and family.

    Args:
        bins: how many from 0 to the largest value; None for those of the paper's panel.
        factor: by which all scores are multiplied; they are then rounded as in the page.
    """
    chosen = finished_prefix(cells())
    chosen = chosen[matching(chosen, filters or {})]
    values = chosen["value"]
    if factor != 1.0:
        values = (factor * values).map(lambda value: float(f"{value:.5g}"))
    edges = np.linspace(0, values.max(), bins + 1) if bins else published_edges(panel, values)
    labels = {"gan": "GAN", "ebgan": "EBGAN", "ebgan_pt": "EBGAN-PT"}
    return pd.DataFrame(
        {label: np.histogram(values[chosen["family"] == name], edges)[0] for name, label in labels.items()}
    )


def same(found: pd.DataFrame, wanted: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found[list(wanted)], wanted, check_dtype=False)
