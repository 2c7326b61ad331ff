"""The published histograms: bars of figures 2 and 3 of Zhao et al. (2016), digitised to +-0.3 points.

Bars too low to be read are 0, so a panel's GANs sum to 96.8 at least and not always to 100.
"""

from functools import cache
from pathlib import Path

import pandas as pd

FILE = Path(__file__).with_name("paper_histograms.csv")
NATS_PER_UNIT = 10  # the paper's axis fits I'/10: its software averages over the ten classes too

_PANELS = {5: "all", 4: "layers <= 4", 3: "layers <= 3"}


def published_bars(figure: int, panel_columns: list[str]) -> pd.DataFrame:
    """Bars of one figure: `panel_columns`, family, bin, left and right edge in nats, percent of that family's runs."""
    bars = _read().query("figure == @figure")
    tidy = bars.melt(
        [*panel_columns, "bin", "left", "right"], ["gan_percent", "ebgan_percent"], "family", "percent"
    ).assign(family=lambda frame: frame["family"].str.removesuffix("_percent"))
    tidy[["left", "right"]] *= NATS_PER_UNIT
    return tidy[[*panel_columns, "family", "bin", "left", "right", "percent"]]


@cache
def _read() -> pd.DataFrame:
    bars = pd.read_csv(FILE)
    return bars.assign(panel=bars["max_layers"].map(_PANELS))
