"""Histograms that Python counts over all trials, for databases too large to be listed whole in a page."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.explorer.presets import edges_of, matching
from reports.names import in_order
from reports.numbers.values import values_of
from search_spaces.experiment import Experiment, Score

FINEST = 100  # bins; the page sums neighbours into 50, 25, 20 or 10


class Counter:
    """Counts the trials of one grid, by preset and family.

    Args:
        trials: every trial; its rows keep their order wherever they are counted.
        in_prefix: whether figures may rest on a trial.
        presets: as `reports.explorer.presets.presets` gives them.
    """

    def __init__(
        self, experiment: Experiment, trials: pd.DataFrame, in_prefix: pd.Series, presets: list[dict[str, Any]]
    ) -> None:
        self._experiment, self._presets = experiment, presets
        families = in_order(trials["family"].unique())
        own = {family: (trials["family"] == family).to_numpy() for family in families}
        self._declared: dict[str, list[int]] = {}
        self._places: dict[str, dict[str, NDArray[np.intp]]] = {}
        for preset in presets:
            passed = matching(trials, preset["filters"]).to_numpy()
            self._declared[preset["key"]] = [int((passed & own[family]).sum()) for family in families]
            known = passed & in_prefix.to_numpy()
            self._places[preset["key"]] = {family: (known & own[family]).nonzero()[0] for family in families}

    def counts(self, trials: pd.DataFrame, scores: Sequence[Score]) -> dict[str, dict[str, Any]]:
        """By score and preset: the largest value, and per family the declared trials and the number in each bin.

        There are 100 bins. The score that ranks has `in_paper_bins` too, the numbers in the paper's bins, where the
        paper has some.

        Args:
            trials: those of the grid, with `outcome`.
        """
        found: dict[str, dict[str, Any]] = {}
        for score in scores:
            values = values_of(trials, score).clip(lower=0.0).to_numpy()  # bins start at 0
            has_paper = score is self._experiment.scores[0]
            found[score.name] = {preset["key"]: self._count(values, preset, has_paper) for preset in self._presets}
        return found

    def _count(self, values: NDArray[np.float64], preset: dict[str, Any], has_paper: bool) -> dict[str, Any]:
        own = {family: values[places] for family, places in self._places[preset["key"]].items()}
        own = {family: part[~np.isnan(part)] for family, part in own.items()}
        largest = max(float(part.max(initial=0.0)) for part in own.values()) or 1.0
        edges = edges_of(self._experiment, preset, pd.Series([largest])) if has_paper else None
        in_paper_bins = None
        if edges is not None:
            in_paper_bins = {family: np.histogram(part, edges)[0].tolist() for family, part in own.items()}
        return {
            "largest": largest,
            "declared": self._declared[preset["key"]],
            "counts": {family: np.histogram(part, FINEST, (0.0, largest))[0].tolist() for family, part in own.items()},
            "in_paper_bins": in_paper_bins,
        }
