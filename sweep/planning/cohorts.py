"""Cohorts: trials of one shape that run as one batched program, no larger than memory allows."""

import itertools
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from search_spaces.experiment import experiment
from search_spaces.paused_gc import no_collection
from search_spaces.trial import Trial
from sweep.planning.cost import cost_of


@dataclass(frozen=True)
class Cohort:
    """Trials of one shape, sorted by the `neighbours` of their experiment."""

    trials: tuple[Trial, ...]

    @property
    def trial_ids(self) -> list[str]:
        return [trial.trial_id for trial in self.trials]

    def halves(self) -> tuple["Cohort", "Cohort"]:
        """Two cohorts that replace one that does not fit in memory."""
        middle = len(self.trials) // 2
        return Cohort(self.trials[:middle]), Cohort(self.trials[middle:])


@no_collection()
def partition(
    trials: Iterable[Trial], memory: int, device: str = "cpu", finished: Collection[str] = frozenset()
) -> list[Cohort]:
    """Stack neighbouring trials of one shape, and keep the order of shapes.

    All trials of a shape are divided into cohorts before finished trials are left out. However many are finished, the
    others stay in the same cohorts, and sums over them keep their rounding.

    Args:
        trials: trials in the order in which they should run, with those of one shape together.
        memory: bytes that a cohort may take on its device. A single trial is a cohort even if it takes more.
        device: "cpu" or "cuda".
        finished: identities of trials to leave out; trials of other grids may be among them.
    """
    cohorts = []
    for _, group in itertools.groupby(trials, key=attrgetter("shape")):
        members = list(group)
        if all(trial.trial_id in finished for trial in members):
            continue  # sorting them would take most of the time of planning a finished grid
        members.sort(key=_neighbours(members[0].experiment))
        cost = cost_of(members[0])
        room = memory - cost.shared_bytes(members[0], device)
        largest = max(1, room // cost.largest_member_bytes(members, device))
        parts = math.ceil(len(members) / largest)
        for part in _split_evenly(members, parts):
            if missing := tuple(trial for trial in part if trial.trial_id not in finished):
                cohorts.append(Cohort(missing))
    return cohorts


def _neighbours(name: str) -> Callable[[Trial], tuple[Any, ...]]:
    """Sort key of the members of a cohort; an axis that a family lacks sorts last.

    The key holds every axis in which members can differ, so the same trials make the same cohorts in whatever order
    spaces and values are listed.
    """
    values = attrgetter(*(axis if axis == "family" else f"settings.{axis}" for axis in experiment(name).neighbours))
    return lambda trial: tuple((value is None, value) for value in values(trial))


def _split_evenly(members: Sequence[Trial], parts: int) -> list[Sequence[Trial]]:
    bounds = [len(members) * i // parts for i in range(parts + 1)]
    return [members[a:b] for a, b in itertools.pairwise(bounds)]
