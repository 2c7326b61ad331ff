"""The data of the explorer: a study as a dictionary of plain columns, which the page holds as JSON."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from reports.explorer.axes import axes, fixed
from reports.explorer.bands import bands
from reports.explorer.counts import full_counts
from reports.explorer.presets import presets, published
from reports.explorer.scores import described, digits, drawable, measures
from reports.names import family_label, in_order, value_text
from reports.numbers.study import Study
from reports.numbers.values import SCORED
from reports.palette import hue
from search_spaces.experiment import Experiment

MOST_ROWS = 10_000
SAMPLE_SEED = 0
ATTEMPT_COLUMNS = ["trial_id", "outcome", "reason", "started_at", "ended_at"]
_START = pd.Timestamp("2020-01-01")  # times are whole seconds since then


def sampled_rows(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials that the page lists: all, or a seeded random sample of 10,000."""
    if len(trials) <= MOST_ROWS:
        return trials
    chosen = np.random.default_rng(SAMPLE_SEED).choice(len(trials), MOST_ROWS, replace=False)
    return trials.iloc[np.sort(chosen)]


def study_data(
    study: Study,
    trials: pd.DataFrame,
    prefix: pd.DataFrame,
    name: str,
    attempts: pd.DataFrame,
    steps: pd.DataFrame,
    sheets: Collection[str],
) -> dict[str, Any]:
    """Everything the explorer shows of some trials of a study.

    Args:
        trials: `study.trials` or `study.margins`, not empty.
        prefix: their finished prefix.
        name: what the reader chooses these trials by.
        attempts: those that ended, with `ATTEMPT_COLUMNS`; may be empty.
        steps: as in `reports.numbers.learning_curves`; may be empty.
        sheets: ids of trials whose sample sheet lies in sheets/.
    """
    kind = study.experiment
    families, rows, choices = in_order(trials["family"].unique()), sampled_rows(trials), presets(kind, trials)
    in_prefix = pd.Series(trials.index.isin(prefix.index), trials.index)
    whole = len(rows) == len(trials)
    return {
        "name": name,
        "real_score": study.real_score,
        "declared": len(trials),
        "families": [{"name": family, "label": family_label(family), "hue": hue(family)} for family in families],
        "fixed": fixed(kind, trials),
        "training": {key: value_text(value) for key, value in study.training.items()},
        "presets": choices,
        "published": published(kind),
        "bands": bands(trials, prefix, choices),
        "counts": None if whole else full_counts(trials, in_prefix, drawable(kind), choices),
        "axes": axes(kind, trials, rows),
        "scores": described(kind),
        "measures": measures(kind),
        "rows": _rows(kind, rows, in_prefix, families, sheets),
        "attempts": _attempts(attempts, rows),
        "steps": _steps(steps[steps["step"] < study.training["steps"]], rows),
    }


def _rows(
    kind: Experiment, rows: pd.DataFrame, in_prefix: pd.Series, families: list[str], sheets: Collection[str]
) -> dict[str, list[Any] | dict[str, Any]]:
    scored = rows["outcome"] == SCORED
    return {
        "trial_id": rows["trial_id"].astype(str).tolist(),
        "family": pd.Categorical(rows["family"], families).codes.tolist(),
        "known": in_prefix.loc[rows.index].astype(int).tolist(),
        "sheet": rows["trial_id"].isin(set(sheets)).astype(int).tolist(),
        **{score.name: _numbers(rows[score.name].where(scored), digits(kind, score)) for score in kind.scores},
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
    """Intermediate scores; the last score is in the trial's own row."""
    own, row = _of_rows(steps.sort_values(["trial_id", "step"]), rows)
    return {"row": row, "step": own["step"].tolist(), "score": _numbers(own["score"], 4)}


def _of_rows(frame: pd.DataFrame, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[int]]:
    """The rows of a frame that belong to listed trials, and the number of each one's trial in the list."""
    place = pd.Series(range(len(rows)), rows["trial_id"]).reindex(frame["trial_id"]).to_numpy(float)
    found = ~np.isnan(place)
    return frame[found], place[found].astype(int).tolist()


def _coded(column: pd.Series) -> dict[str, Any]:
    codes, values = pd.factorize(column)
    return {"values": [str(value) for value in values], "codes": codes.tolist()}


def _numbers(column: pd.Series, digits: int) -> list[float | None]:
    """Numbers rounded to significant digits, whole ones without a fraction; None where there is no finite number."""
    return [_number(value, digits) for value in column.astype(float).tolist()]


def _number(value: float, digits: int) -> float | None:
    if not np.isfinite(value):
        return None
    rounded = float(f"{value:.{digits}g}")
    return int(rounded) if rounded.is_integer() else rounded


def _seconds(times: pd.Series) -> list[int | None]:
    moments = pd.to_datetime(times, format="ISO8601")
    return [None if pd.isna(moment) else int((moment - _START).total_seconds()) for moment in moments]
