"""How long cohorts take on a worker: a model of three numbers, recorded on one machine and scaled to others.

The model was fitted to the 64 cohorts that `make bench` measures (docs/performance.md, column "cohort"; one process a
core with one thread each). It is within 34 % of each, 13 % below the laptop grids and 8 % above the paper's.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from search_spaces.experiment import experiments
from search_spaces.scored_steps import ScoredSteps
from search_spaces.trial import Trial, scoring_of, trial_of
from sweep.planning.cost import training_flops, trial_flops
from sweep.text import counted

LEAST_S = 10.0  # cohorts of less than so many expected seconds are no measure: starting takes a part of their time
_LARGEST = 65536  # layers or channels: no search space may have more
_FARTHEST = 1e6  # times as slow or as fast: other times are a stranger's


@dataclass(frozen=True)
class Rates:
    """The time of a cohort, in terms of what it consists of.

    Attributes:
        flops: floating-point operations per second of a core or of a CUDA device.
        member_step_s: seconds of an update of one member, besides its operations.
        step_s: seconds of an update, besides those of its members.
        source: where the numbers are from, in words.
    """

    flops: float
    member_step_s: float
    step_s: float
    source: str

    def seconds(self, trial: Trial, members: int, units: float = 1.0) -> float:
        """Seconds for the training and scoring of a cohort of trials like this one.

        Args:
            units: cores or CUDA devices of the worker.
        """
        scoring = trial_flops(trial) - training_flops(trial)
        return self.training_seconds(trial, members, units) + members * scoring / (self.flops * units)

    def training_seconds(self, trial: Trial, members: int, units: float = 1.0) -> float:
        """The same without scoring."""
        steps = trial.training.columns["steps"]
        each = training_flops(trial) / (self.flops * units) + steps * self.member_step_s
        return members * each + steps * self.step_s

    def slower(self, factor: float, source: str) -> "Rates":
        """Rates by which everything takes so many times as long."""
        return replace(
            self,
            flops=self.flops / factor,
            member_step_s=self.member_step_s * factor,
            step_s=self.step_s * factor,
            source=source,
        )


PROCESSOR = "AMD EPYC"  # name of the processor that was measured
PRODUCT_FLOPS = 203.1e9 / 2  # operations per second of a large matrix product on one of its cores
CPU = Rates(75e9, 0.48e-3, 3.7e-3, f"the benchmark of an {PROCESSOR}")
CUDA = Rates(15e12, 0.0, 1e-3, "a guess: no CUDA device has been measured")


def recorded(device: str) -> Rates:
    """What is known without a look at a database, for workers on "cpu" or "cuda"."""
    return CUDA if device == "cuda" else CPU


def measured(base: Rates, rows: Iterable[Mapping[str, Any]], units: float = 1.0) -> Rates | None:
    """Rates from finished trials of this kind of device; None if there are too few.

    Args:
        base: rates that are scaled.
        rows: finished trials, as `sweep.storage.Storage.timed` gives them. The members of a cohort have equal times.
        units: cores or CUDA devices of a worker now, which are taken for those of the workers then.
    """
    found = [(trial, row["duration_s"]) for row in rows if (trial := like_stored(row))]
    n_members = Counter((trial.order_text, seconds) for trial, seconds in found)
    expected = spent = 0.0
    n = 0
    for trial, seconds in found:
        members = n_members[trial.order_text, seconds]
        if (cohort := base.seconds(trial, members, units)) >= LEAST_S:
            expected, spent, n = expected + cohort / members, spent + seconds, n + 1
    if not 1 / _FARTHEST < (spent / expected if n else 0.0) < _FARTHEST:
        return None
    return base.slower(spent / expected, f"{counted(n, 'finished trial')} of this database")


def like_stored(row: Mapping[Any, Any]) -> Trial | None:
    """A trial with the cost of a stored one; None for a shape that no search space declares.

    Args:
        row: its experiment, family, shape and training, by the names of their columns; also its number of samples, and
            how often it was scored (`n_scored`), if the cost of scoring matters.
    """
    kind = experiments().get(row["experiment"])
    if kind is None or row["family"] not in kind.by_family:
        return None
    if any(row[name] is None for name in kind.training_columns) or not row["steps"] > 0:
        return None
    if not all(row[axis] is not None and 0 < row[axis] <= _LARGEST for axis in kind.shape_axes):
        return None
    scoring = scoring_of(row)
    if isinstance(scoring, ScoredSteps):
        scoring = replace(scoring, times=row.get("n_scored"))
    return trial_of({**dict.fromkeys(kind.axes), "space": "", **row}, scoring)
