"""What the explorer knows of a grid: a dictionary of plain columns that fits into a page as JSON."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from reports.explorer.axes import axes, fixed, text
from reports.explorer.bands import bands
from reports.explorer.counts import full_counts
from reports.explorer.presets import presets
from reports.explorer.scores import SCORES
from reports.names import family_label, in_order
from reports.numbers.learning_curves import ENERGIES
from reports.numbers.prefix import known
from reports.numbers.study import SCORED, Grid
from reports.palette import hue

MOST_ROWS = 10_000
SAMPLE_SEED = 0
ATTEMPT_COLUMNS = ["trial_id", "outcome", "reason", "started_at", "ended_at"]
_MEASURES = ["score", "inception_score", "coverage", "entropy", "frechet"]
_START = pd.Timestamp("2020-01-01")  # times are whole seconds since then


def listed(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells that the page lists: all, or a seeded random sample of 10,000."""
    if len(cells) <= MOST_ROWS:
        return cells
    chosen = np.random.default_rng(SAMPLE_SEED).choice(len(cells), MOST_ROWS, replace=False)
    return cells.iloc[np.sort(chosen)]


def grid_data(
    grid: Grid, cells: pd.DataFrame, name: str, attempts: pd.DataFrame, steps: pd.DataFrame, sheets: Collection[str]
) -> dict[str, Any]:
    """Everything the explorer shows of some cells of a grid.

    Args:
        cells: `grid.cells` or `grid.margins`, not empty.
        name: what the reader chooses these cells by.
        attempts: those that ended, with `ATTEMPT_COLUMNS`; may be empty.
        steps: as in `reports.numbers.learning_curves.course`; may be empty.
        sheets: ids of trials whose sample sheet lies in sheets/.
    """
    families, rows, choices = in_order(cells["family"].unique()), listed(cells), presets(cells)
    is_known = pd.Series(cells.index.isin(known(cells).index), cells.index)
    whole = len(rows) == len(cells)
    return {
        "name": name,
        "real_score": grid.real_score,
        "declared": len(cells),
        "families": [{"name": family, "label": family_label(family), "hue": hue(family)} for family in families],
        "fixed": fixed(cells),
        "training": {key: text(value) for key, value in grid.training.items()},
        "presets": choices,
        "bands": bands(cells, choices),
        "counts": None if whole else full_counts(cells, is_known, choices),
        "axes": axes(cells, rows),
        "scores": [{"name": key, "label": score.label, "floor": score.floor} for key, score in SCORES.items()],
        "rows": _rows(rows, is_known, families, sheets),
        "attempts": _attempts(attempts, rows),
        "steps": _steps(steps[steps["step"] < grid.training["steps"]], rows),
    }


def _rows(
    rows: pd.DataFrame, is_known: pd.Series, families: list[str], sheets: Collection[str]
) -> dict[str, list[Any] | dict[str, Any]]:
    scored = rows["outcome"] == SCORED
    return {
        "trial_id": rows["trial_id"].astype(str).tolist(),
        "family": pd.Categorical(rows["family"], families).codes.tolist(),
        "known": is_known.loc[rows.index].astype(int).tolist(),
        "sheet": rows["trial_id"].isin(set(sheets)).astype(int).tolist(),
        "score": _numbers(rows["score"].where(scored), 17),
        **{name: _numbers(rows[name].where(scored), 7) for name in _MEASURES[1:]},
        **{name: _numbers(rows[name].where(scored), 4) for name in ENERGIES},
        "duration_s": _numbers(rows["duration_s"], 4),
        "position": rows["position"].tolist(),
        "device": _coded(rows["device"]),
        "started": _seconds(rows["started_at"]),
        "finished": _seconds(rows["finished_at"]),
    }


def _attempts(attempts: pd.DataFrame, rows: pd.DataFrame) -> dict[str, Any]:
    own, row = _of_rows(attempts, rows)
    times = {"started": _seconds(own["started_at"]), "ended": _seconds(own["ended_at"])}
    return {"row": row, "outcome": _coded(own["outcome"]), "reason": _coded(own["reason"]), **times}


def _steps(steps: pd.DataFrame, rows: pd.DataFrame) -> dict[str, Any]:
    """Scores on the way; those of the end stand in the trial's own row."""
    own, row = _of_rows(steps.sort_values(["trial_id", "step"]), rows)
    return {"row": row, "step": own["step"].tolist(), "score": _numbers(own["score"], 4)}


def _of_rows(frame: pd.DataFrame, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[int]]:
    """Those of a frame's rows that belong to listed trials, and the number of their trial in the list."""
    place = pd.Series(range(len(rows)), rows["trial_id"]).reindex(frame["trial_id"]).to_numpy(float)
    found = ~np.isnan(place)
    return frame[found], place[found].astype(int).tolist()


def _coded(column: pd.Series) -> dict[str, Any]:
    codes, values = pd.factorize(column)
    return {"values": [str(value) for value in values], "codes": codes.tolist()}


def _numbers(column: pd.Series, digits: int) -> list[float | None]:
    """Rounded to significant digits; None where there is no finite number. Whole ones without a fraction."""
    return [_number(value, digits) for value in column.astype(float).tolist()]


def _number(value: float, digits: int) -> float | None:
    if not np.isfinite(value):
        return None
    rounded = float(f"{value:.{digits}g}")
    return int(rounded) if rounded.is_integer() else rounded


def _seconds(times: pd.Series) -> list[int | None]:
    moments = pd.to_datetime(times, format="ISO8601")
    return [None if pd.isna(moment) else int((moment - _START).total_seconds()) for moment in moments]
