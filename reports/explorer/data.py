"""The data of the explorer: a study as a dictionary of plain columns, which the page holds as JSON."""

from typing import Any

import numpy as np
import pandas as pd

from reports.explorer.axes import axes, fixed
from reports.explorer.bands import bands
from reports.explorer.columns import coded, numbers, seconds
from reports.explorer.counts import Counter
from reports.explorer.presets import presets, published
from reports.explorer.scores import described, digits, drawable, measures
from reports.explorer.seen import fits, other_views
from reports.explorer.sheets import Sheets
from reports.names import family_label, in_order, value_text
from reports.numbers.marks import marks_of
from reports.numbers.study import Study
from reports.numbers.values import SCORED
from reports.palette import hue
from search_spaces.experiment import Experiment

MOST_ROWS = 10_000
SAMPLE_SEED = 0
ATTEMPT_COLUMNS = ["trial_id", "outcome", "reason", "started_at", "ended_at"]


def sampled_rows(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials that the page lists: all, or a seeded random sample of 10,000."""
    if len(trials) <= MOST_ROWS:
        return trials
    chosen = np.random.default_rng(SAMPLE_SEED).choice(len(trials), MOST_ROWS, replace=False)
    return trials.iloc[np.sort(chosen)]


def study_data(
    study: Study, trials: pd.DataFrame, prefix: pd.DataFrame, name: str, attempts: pd.DataFrame, sheets: Sheets
) -> dict[str, Any]:
    """Everything the explorer shows of some trials of a study.

    Args:
        trials: `study.trials` or `study.margins`, not empty.
        prefix: their finished prefix.
        name: what the reader chooses these trials by.
        attempts: those that ended, with `ATTEMPT_COLUMNS`; may be empty.
        sheets: which sample sheets the page can show.
    """
    kind = study.experiment
    families, rows, choices = in_order(trials["family"].unique()), sampled_rows(trials), presets(kind, trials)
    in_prefix = pd.Series(trials.index.isin(prefix.index), trials.index)
    counter = None if len(rows) == len(trials) else Counter(kind, trials, in_prefix, choices)
    views = list(other_views(study, trials, prefix, rows, choices, counter)) if fits(study, rows) else []
    elsewhere = {outcome for view in views for outcome in view["changed"]["outcome"]}
    return {
        "name": name,
        "real_score": study.real_score,
        "declared": len(trials),
        "families": [{"name": family, "label": family_label(family), "hue": hue(family)} for family in families],
        "fixed": fixed(kind, trials),
        "training": {key: value_text(value) for key, value in study.training.items()},
        "presets": choices,
        "published": published(kind),
        "bands": bands(trials, prefix, choices, kind),
        "counts": counter and counter.counts(trials, drawable(kind)),
        "axes": axes(kind, trials, rows, elsewhere),
        "scores": described(kind),
        "measures": measures(kind),
        "marks": [{"label": mark.label, "meaning": mark.meaning} for mark in kind.marks],
        "scored_by": [{"name": one.name, "real_score": one.real_score} for one in study.classifiers],
        "steps": list(study.scored_steps),
        "views": views,
        "rows": _rows(kind, rows, in_prefix, families, sheets),
        "attempts": _attempts(attempts, rows),
    }


def _rows(
    kind: Experiment, rows: pd.DataFrame, in_prefix: pd.Series, families: list[str], sheets: Sheets
) -> dict[str, list[Any] | dict[str, Any]]:
    scored = rows["outcome"] == SCORED
    marks = marks_of(rows, kind)
    return {
        "trial_id": rows["trial_id"].astype(str).tolist(),
        "family": pd.Categorical(rows["family"], families).codes.tolist(),
        "in_prefix": in_prefix.loc[rows.index].astype(int).tolist(),
        "sheet": sheets.codes(rows),
        "marks": sum((marks[label] * 2**bit for bit, label in enumerate(marks)), pd.Series(0, rows.index)).tolist(),
        **{score.name: numbers(rows[score.name].where(scored), digits(kind, score)) for score in kind.scores},
        "duration_s": numbers(rows["duration_s"], 4),
        "position": rows["position"].tolist(),
        "device": coded(rows["device"]),
        "started": seconds(rows["started_at"]),
        "finished": seconds(rows["finished_at"]),
    }


def _attempts(attempts: pd.DataFrame, rows: pd.DataFrame) -> dict[str, Any]:
    place = pd.Series(range(len(rows)), rows["trial_id"]).reindex(attempts["trial_id"]).to_numpy(float)
    own, row = attempts[~np.isnan(place)], place[~np.isnan(place)].astype(int).tolist()
    times = {"started": seconds(own["started_at"]), "ended": seconds(own["ended_at"])}
    return {"row": row, "outcome": coded(own["outcome"]), "reason": coded(own["reason"]), **times}
