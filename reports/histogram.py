"""Histograms of scores, as tables: figures 2 and 3 of Zhao et al. (2016), ours and the published ones.

Both tables are tidy, one row per bar: what names the panel, `source` ("sweep" or "paper"), family, bin, left and
right edge in nats, `cells` (empty for the paper), percent of the family's cells in that panel.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.labels import in_order
from reports.published import published_bars

BINS = 25
LAYER_PANELS = {"all": None, "layers <= 4": 4, "layers <= 3": 3}
RATES = (1e-2, 1e-3, 1e-4)
OPTIMIZERS = (("adam", "adam"), ("sgd", "adam"), ("adam", "sgd"), ("sgd", "sgd"))  # D, G: the paper's columns
_BAR = ["family", "bin", "left", "right", "cells", "percent"]


def layer_histograms(cells: pd.DataFrame) -> pd.DataFrame:
    """Figure 2, from known cells: all of them, those of at most 4 layers in both networks, and at most 3."""
    parts = []
    for panel, most in LAYER_PANELS.items():
        deepest = cells[["n_layer_g", "n_layer_d"]].max(axis=1)
        inside = cells if most is None else cells[deepest <= most]
        parts.append(bars(inside, bin_edges(inside["value"])).assign(panel=panel))
    return _beside_published(parts, 2, ["panel"])


def optimizer_histograms(cells: pd.DataFrame) -> pd.DataFrame:
    """Figure 3, from known cells: GANs by learning rate and optimisers, each beside all EBGANs.

    The twelve panels share their bins, so that the EBGANs look the same in each.
    """
    gans, reference = cells[cells["family"] == "gan"], cells[cells["family"] == "ebgan"]
    edges = bin_edges(pd.concat([gans["value"], reference["value"]]))
    parts = []
    for lr in RATES:
        for optim_d, optim_g in OPTIMIZERS:
            same = np.isclose(gans["lr"], lr) & (gans["optim_d"] == optim_d) & (gans["optim_g"] == optim_g)
            part = bars(pd.concat([gans[same], reference]), edges)
            parts.append(part.assign(lr=lr, optim_d=optim_d, optim_g=optim_g))
    return _beside_published(parts, 3, ["lr", "optim_d", "optim_g"])


def bin_edges(values: pd.Series) -> NDArray[np.float64]:
    """Edges of 25 equal bins from 0 to the largest value, [26]; to 1 where there is none above 0."""
    largest = float(values.max()) if len(values) else 0.0
    return np.linspace(0.0, largest if largest > 0 else 1.0, BINS + 1)


def bars(cells: pd.DataFrame, edges: NDArray[np.float64]) -> pd.DataFrame:
    """Number and percent of each family's cells per bin; no rows for a family without cells."""
    parts = [_family_bars(family, cells.loc[cells["family"] == family, "value"], edges) for family in _families(cells)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_BAR)


def _family_bars(family: str, values: pd.Series, edges: NDArray[np.float64]) -> pd.DataFrame:
    counts = np.histogram(values, edges)[0]
    return pd.DataFrame(
        {
            "family": family,
            "bin": range(len(counts)),
            "left": edges[:-1],
            "right": edges[1:],
            "cells": counts,
            "percent": 100 * counts / counts.sum(),
        }
    )


def _families(cells: pd.DataFrame) -> Iterable[str]:
    return in_order(cells["family"])


def _beside_published(parts: list[pd.DataFrame], figure: int, panel_columns: list[str]) -> pd.DataFrame:
    drawn = [part.assign(source="sweep") for part in parts if len(part)]
    published = published_bars(figure, panel_columns).assign(source="paper", cells=None)
    table = pd.concat([*drawn, published], ignore_index=True).astype({"cells": "Int64"})
    return table[[*panel_columns, "source", *_BAR]]
