"""Presets of the explorer's filters: by depth as in figure 2, by learning rate and optimisers as in figure 3."""

from collections.abc import Iterator
from math import isclose
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.explorer.axes import varying
from reports.names import value_text
from reports.numbers.histogram import OPTIMIZERS, RATES, published_edges
from reports.numbers.published import published_bars
from search_spaces.experiment import FIRST, Experiment

_PANEL = ["lr", "optim_d", "optim_g"]
Filters = dict[str, list[str]]
_DEPTHS = {"layers4": 4, "layers3": 3}
_PUBLISHED = {"all": "all", "layers <= 4": "layers4", "layers <= 3": "layers3"}


def presets(experiment: Experiment, trials: pd.DataFrame) -> list[dict[str, Any]]:
    """The presets that these trials allow: key, label, figure and filters (axis to the texts of its allowed values)."""
    every: dict[str, Any] = {"key": "all", "label": "all", "figure": 2, "filters": {}}
    return [every, *_by_depth(trials), *_by_optimizer(trials)] if experiment.name == FIRST else [every]


def matching(trials: pd.DataFrame, filters: Filters) -> pd.Series:
    """Which trials pass; a family that does not vary on an axis passes its filter, as the EBGANs do in figure 3."""
    passed = pd.Series(True, trials.index)
    for name, allowed in filters.items():
        values = [value for value in trials[name].unique().tolist() if value_text(value) in allowed]
        passed &= trials[name].isin(values) | ~trials["family"].isin(varying(trials, name))
    return passed


def published(experiment: Experiment) -> dict[str, dict[str, Any]]:
    """The paper's bars by the key of their preset: the largest score in nats, and percents by family and bin."""
    if experiment.name != FIRST:
        return {}
    depths = published_bars(2, ["panel"])
    panels = {_PUBLISHED[str(panel)]: bars for panel, bars in depths.groupby("panel")}
    bars = published_bars(3, _PANEL)
    panels |= {_key(*panel): own for panel, own in bars.groupby(_PANEL)}
    return {key: _panel(bars.sort_values("bin")) for key, bars in panels.items()}


def edges_of(experiment: Experiment, preset: dict[str, Any], values: pd.Series) -> NDArray[np.float64] | None:
    """Edges of the bins in which these values are compared with the paper's bars; None where it has no bars."""
    if experiment.name != FIRST:
        return None
    panels = {key: panel for panel, key in _PUBLISHED.items()}
    return published_edges(panels.get(preset["key"], "all"), values)


def _by_depth(trials: pd.DataFrame) -> Iterator[dict[str, Any]]:
    axes = ("n_layer_g", "n_layer_d")
    for key, most in _DEPTHS.items():
        filters = {name: [value_text(v) for v in sorted(trials[name].unique()) if v <= most] for name in axes}
        if all(varying(trials, name) and 0 < len(filters[name]) < trials[name].nunique() for name in axes):
            yield {"key": key, "label": f"n_layer_g, n_layer_d ≤ {most}", "figure": 2, "filters": filters}


def _by_optimizer(trials: pd.DataFrame) -> Iterator[dict[str, Any]]:
    if not all(varying(trials, name) for name in _PANEL):
        return
    there = {name: set(trials[name].unique()) for name in _PANEL}
    for rate in RATES:
        for optim_d, optim_g in OPTIMIZERS:
            lr = next((value for value in there["lr"] if isclose(value, rate)), None)
            if lr is None or optim_d not in there["optim_d"] or optim_g not in there["optim_g"]:
                continue
            filters = {"lr": [value_text(float(lr))], "optim_d": [optim_d], "optim_g": [optim_g]}
            label = f"lr {rate:g}, optim_d {optim_d}, optim_g {optim_g}"
            yield {"key": _key(rate, optim_d, optim_g), "label": label, "figure": 3, "filters": filters}


def _key(lr: Any, optim_d: Any, optim_g: Any) -> str:
    return f"lr{lr:g}-{optim_d}-{optim_g}"


def _panel(bars: pd.DataFrame) -> dict[str, Any]:
    families = {str(family): own["percent"].tolist() for family, own in bars.groupby("family")}
    return {"largest": float(bars["right"].max()), "families": families}
