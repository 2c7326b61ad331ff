"""A plan: which trials are missing, how they are grouped, and what they will cost. It loads neither torch nor Ray."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from search_spaces.space import SearchSpace
from search_spaces.trial import Trial
from sweep.planning.cohorts import Cohort, partition
from sweep.planning.cost import cost_of
from sweep.planning.rates import CPU, Rates
from sweep.planning.resources import PlanError, Resources
from sweep.text import counted, duration


@dataclass(frozen=True)
class Plan:
    """Trials in their random order, the cohorts of the missing ones, the resources to run them, and their rates."""

    spaces: tuple[SearchSpace, ...]
    trials: tuple[Trial, ...]
    cohorts: tuple[Cohort, ...]
    resources: Resources
    rates: Rates = CPU

    @property
    def missing(self) -> int:
        return sum(len(cohort.trials) for cohort in self.cohorts)

    def seconds(self, cohort: Cohort) -> float:
        """Expected seconds of a cohort on one worker."""
        return self.rates.seconds(cohort.trials[0], len(cohort.trials), self.resources.units)

    @property
    def total_seconds(self) -> float:
        """Expected seconds until all cohorts have ended, with all workers."""
        seconds = [self.seconds(cohort) for cohort in self.cohorts]
        return max(sum(seconds) / self.resources.workers, max(seconds, default=0.0))

    def without(self, finished: Collection[str]) -> "Plan":
        """The plan without these trials, which are finished."""
        left = (Cohort(tuple(t for t in cohort.trials if t.trial_id not in finished)) for cohort in self.cohorts)
        return replace(self, cohorts=tuple(cohort for cohort in left if cohort.trials))

    def summary(self) -> dict[str, Any]:
        """The plan in numbers; estimates are for the missing trials."""
        bytes_needed = [
            cost_of(cohort.trials[0]).cohort_bytes(cohort.trials, self.resources.device) for cohort in self.cohorts
        ]
        return {
            "cells": len(self.trials),
            "by_family": dict(Counter(trial.family for trial in self.trials)),
            "cohorts": len(self.cohorts),
            "missing": self.missing,
            "workers": self.resources.workers,
            "memory_per_worker_gib": round(max(bytes_needed, default=0) / 2**30, 2),
            "hours": round(self.total_seconds / 3600, 2),
            "hours_from": self.rates.source,
            "disk_mib": round(sum(map(_disk_bytes, self.cohorts)) / 2**20, 1),
        }

    def text(self) -> str:
        """The plan in two lines."""
        numbers = self.summary()
        families = ", ".join(f"{n:,} {family}" for family, n in numbers["by_family"].items())
        cohorts = counted(numbers["cohorts"], "cohort")
        lines = [f"{counted(numbers['cells'], 'cell')}: {families}; {self.missing:,} to run in {cohorts}"]
        if self.cohorts:
            lines.append(
                f"{counted(numbers['workers'], 'worker')}, {numbers['memory_per_worker_gib']} GiB each; "
                f"{duration(self.total_seconds)} for everything (from {self.rates.source}), "
                f"{numbers['disk_mib']} MiB of disk"
            )
        return "\n".join(lines)


def make_plan(
    spaces: Sequence[SearchSpace],
    trials: Sequence[Trial],
    resources: Resources,
    finished: Collection[str] = frozenset(),
    rates: Rates = CPU,
) -> Plan:
    """Group the missing trials into cohorts.

    Args:
        trials: trials of all the spaces, in their random order.
        finished: identities of trials that need not run; trials of other grids may be among them.

    Raises:
        PlanError: a space asks for a precision that these workers do not have.
    """
    _check_precision(spaces, resources)
    cohorts = partition(trials, resources.memory, resources.device, finished)
    return Plan(tuple(spaces), tuple(trials), tuple(cohorts), resources, rates)


def _check_precision(spaces: Sequence[SearchSpace], resources: Resources) -> None:
    for space in spaces:
        precision = space.training.columns.get("precision", "float32")
        if precision != "float32" and not resources.gpus:
            raise PlanError(
                f"{space.name}: training.precision: got {precision}, allowed: float32 for workers without a CUDA device"
            )


def _disk_bytes(cohort: Cohort) -> int:
    return len(cohort.trials) * cost_of(cohort.trials[0]).disk_bytes()
