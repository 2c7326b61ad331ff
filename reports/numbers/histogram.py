"""Histograms of scores, as tables: figures 2 and 3 of Zhao et al. (2016), ours and the published ones.

Both tables are tidy, one row per bar: what names the panel, `source` ("sweep" or "paper"), family, bin, left and
right edge in nats, `cells` (empty for the paper), percent of the family's cells in that panel, and low and high, the
interval of that percentage for the whole grid (empty for the paper).
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


def layer_histograms(chosen: pd.DataFrame, declared: pd.DataFrame) -> pd.DataFrame:
    """Figure 2, from known and all declared cells: all, those of at most 4 layers in both networks, and at most 3."""
    parts = []
    for panel, most in LAYER_PANELS.items():
        inside, of = (_at_most(cells, most) for cells in (chosen, declared))
        parts.append(bars(inside, of, bin_edges(inside["value"])).assign(panel=panel))
    return _beside_published(parts, 2, ["panel"])


def optimizer_histograms(chosen: pd.DataFrame, declared: pd.DataFrame) -> pd.DataFrame:
    """Figure 3, from known and all declared cells: GANs by learning rate and optimisers, each beside all EBGANs.

    The twelve panels share their bins, so that the EBGANs look the same in each.
    """
    edges = bin_edges(chosen.loc[chosen["family"].isin(["gan", "ebgan"]), "value"])
    reference = bars(_family(chosen, "ebgan"), _family(declared, "ebgan"), edges)
    parts = []
    for lr in RATES:
        for optim_d, optim_g in OPTIMIZERS:
            own, of = (_gans(cells, lr, optim_d, optim_g) for cells in (chosen, declared))
            gans = bars(own, of, edges)
            there = [part for part in (gans, reference) if len(part)]
            if there:
                parts.append(pd.concat(there).assign(lr=lr, optim_d=optim_d, optim_g=optim_g))
    return _beside_published(parts, 3, ["lr", "optim_d", "optim_g"])


def bin_edges(values: pd.Series) -> NDArray[np.float64]:
    """Edges of 25 equal bins from 0 to the largest value, [26]; to 1 where there is none above 0."""
    largest = float(values.max()) if len(values) else 0.0
    return np.linspace(0.0, largest if largest > 0 else 1.0, BINS + 1)


def bars(chosen: pd.DataFrame, declared: pd.DataFrame, edges: NDArray[np.float64]) -> pd.DataFrame:
    """Number and percent of each family's known cells per bin, with intervals; no rows for a family without any."""
    parts = [
        _family_bars(family, _family(chosen, family), _family(declared, family), edges)
        for family in in_order(chosen["family"])
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_BAR)


def _family_bars(family: str, chosen: pd.DataFrame, declared: pd.DataFrame, edges: NDArray[np.float64]) -> pd.DataFrame:
    values = chosen["value"].to_numpy()
    counts = np.histogram(values, edges)[0]
    place = np.clip(np.searchsorted(edges, values, "right") - 1, 0, len(counts) - 1)
    _, low, high = shares(chosen, declared, place[:, None] == np.arange(len(counts)))
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


def _family(cells: pd.DataFrame, family: str) -> pd.DataFrame:
    return cells[cells["family"] == family]


def _at_most(cells: pd.DataFrame, layers: int | None) -> pd.DataFrame:
    return cells if layers is None else cells[cells[["n_layer_g", "n_layer_d"]].max(axis=1) <= layers]


def _gans(cells: pd.DataFrame, lr: float, optim_d: str, optim_g: str) -> pd.DataFrame:
    same = np.isclose(cells["lr"], lr) & (cells["optim_d"] == optim_d) & (cells["optim_g"] == optim_g)
    return _family(cells[same], "gan")


def _beside_published(parts: list[pd.DataFrame], figure: int, panel_columns: list[str]) -> pd.DataFrame:
    drawn = [part.assign(source="sweep") for part in parts if len(part)]
    published = published_bars(figure, panel_columns).assign(source="paper", cells=None, low=np.nan, high=np.nan)
    table = pd.concat([*drawn, published], ignore_index=True).astype({"cells": "Int64"})
    return table[[*panel_columns, "source", *_BAR]]
