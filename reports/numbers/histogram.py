"""Histograms of scores as tables: figures 2 and 3 of Zhao et al. (2016), from a sweep and as published, in equal bins.

Both tables have one row per bar: the columns that name the panel, `source` ("sweep" or "paper"), family, bin, left and
right edge in nats, `cells` (number of trials; empty for the paper), percent of the family's trials in that panel, and
low and high, the interval of that percentage for the whole grid (empty for the paper).
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.names import in_order
from reports.numbers.prefix import shares
from reports.numbers.published import published_bars

BINS = 25
LAYER_PANELS = {"all": None, "layers <= 4": 4, "layers <= 3": 3}
RATES = (1e-2, 1e-3, 1e-4)
OPTIMIZERS = (("adam", "adam"), ("sgd", "adam"), ("adam", "sgd"), ("sgd", "sgd"))  # D, G: the paper's columns
_BAR = ["family", "bin", "left", "right", "cells", "percent", "low", "high"]


def layer_histograms(prefix: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Figure 2: all trials, those of at most 4 layers in both networks, and those of at most 3."""
    parts = []
    for panel, most in LAYER_PANELS.items():
        inside, of = (_at_most(rows, most) for rows in (prefix, trials))
        parts.append(bars(inside, of, published_edges(panel, inside["value"])).assign(panel=panel))
    return _with_published(parts, 2, ["panel"])


def optimizer_histograms(prefix: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Figure 3: GANs by learning rate and optimisers, each panel with all EBGANs for comparison.

    The twelve panels share their bins, so that the EBGANs look the same in each.
    """
    edges = published_edges("all", prefix.loc[prefix["family"].isin(["gan", "ebgan"]), "value"])
    reference = bars(_family(prefix, "ebgan"), _family(trials, "ebgan"), edges)
    parts = []
    for lr in RATES:
        for optim_d, optim_g in OPTIMIZERS:
            own, of = (_gans(rows, lr, optim_d, optim_g) for rows in (prefix, trials))
            gans = bars(own, of, edges)
            there = [part for part in (gans, reference) if len(part)]
            if there:
                parts.append(pd.concat(there).assign(lr=lr, optim_d=optim_d, optim_g=optim_g))
    return _with_published(parts, 3, ["lr", "optim_d", "optim_g"])


def published_edges(panel: str, values: pd.Series) -> NDArray[np.float64]:
    """Edges of the paper's bins in a panel of its figure 2, and of further ones up to the largest value, in nats."""
    bars = published_bars(2, ["panel"])
    edges = bars.loc[(bars["panel"] == panel) & (bars["family"] == "gan"), "right"].sort_values().to_numpy(float)
    width = edges[-1] / len(edges)
    largest = float(values.max()) if values.notna().any() else 0.0
    n = max(len(edges), int(np.ceil(largest / width)))
    return width * np.arange(n + 1)


def bin_edges(values: pd.Series) -> NDArray[np.float64]:
    """Edges of 25 equal bins from 0 to the largest value, [26]; to 1 where no value is above 0."""
    largest = float(values.max()) if values.notna().any() else 0.0
    return np.linspace(0.0, largest if largest > 0 else 1.0, BINS + 1)


def bars(prefix: pd.DataFrame, trials: pd.DataFrame, edges: NDArray[np.float64]) -> pd.DataFrame:
    """Number and percent of each family's trials per bin, with intervals; a family without a value has no rows.

    Args:
        prefix: the finished prefix, or a part of it.
        trials: every declared trial that belongs to that part.
    """
    parts = [
        _family_bars(family, _family(prefix, family), _family(trials, family), edges)
        for family in in_order(prefix.loc[prefix["value"].notna(), "family"])
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_BAR)


def _family_bars(family: str, prefix: pd.DataFrame, trials: pd.DataFrame, edges: NDArray[np.float64]) -> pd.DataFrame:
    values = prefix["value"].to_numpy()
    counts = np.histogram(values[~np.isnan(values)], edges)[0]
    place = np.clip(np.searchsorted(edges, values, "right") - 1, 0, len(counts) - 1)
    _, low, high = shares(prefix, trials, place[:, None] == np.arange(len(counts)))
    return pd.DataFrame(
        {
            "family": family,
            "bin": range(len(counts)),
            "left": edges[:-1],
            "right": edges[1:],
            "cells": counts,
            "percent": 100 * counts / counts.sum(),
            "low": 100 * low,
            "high": 100 * high,
        }
    )


def _family(trials: pd.DataFrame, family: str) -> pd.DataFrame:
    return trials[trials["family"] == family]


def _at_most(trials: pd.DataFrame, layers: int | None) -> pd.DataFrame:
    return trials if layers is None else trials[trials[["n_layer_g", "n_layer_d"]].max(axis=1) <= layers]


def _gans(trials: pd.DataFrame, lr: float, optim_d: str, optim_g: str) -> pd.DataFrame:
    same = np.isclose(trials["lr"], lr) & (trials["optim_d"] == optim_d) & (trials["optim_g"] == optim_g)
    return _family(trials[same], "gan")


def _with_published(parts: list[pd.DataFrame], figure: int, panel_columns: list[str]) -> pd.DataFrame:
    drawn = [part.assign(source="sweep") for part in parts if len(part)]
    published = published_bars(figure, panel_columns).assign(source="paper", cells=None, low=np.nan, high=np.nan)
    table = pd.concat([*drawn, published], ignore_index=True).astype({"cells": "Int64"})
    return table[[*panel_columns, "source", *_BAR]]
