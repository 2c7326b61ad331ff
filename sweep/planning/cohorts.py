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
        """Two cohorts in place of one that does not fit in memory."""
        middle = len(self.trials) // 2
        return Cohort(self.trials[:middle]), Cohort(self.trials[middle:])


@no_collection()
def partition(
    trials: Iterable[Trial], memory: int, device: str = "cpu", finished: Collection[str] = frozenset()
) -> list[Cohort]:
    """Stack neighbouring trials of one shape; the order of shapes stays.

    Shapes are cut by all their trials, and then those that are finished are left out. So however much is finished, the
    others stay together, and sums over them keep their rounding.

    Args:
        trials: trials in the order they should run, those of one shape together.
        memory: bytes that a cohort may take on its device. A cohort has one member at least, whatever it takes.
        device: "cpu" or "cuda".
        finished: identities of trials that are left out; those of other grids may be among them.
    """
    cohorts = []
    for _, group in itertools.groupby(trials, key=attrgetter("shape")):
        members = list(group)
        if all(trial.trial_id in finished for trial in members):
            continue  # sorting them would take most of the time in which a finished grid is planned
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
    """Sort key of the members of a cohort; a value that a family lacks comes last.

    It holds all that members can differ in, so that neither the order of spaces nor that of values moves a cut.
    """
    values = attrgetter(*(axis if axis == "family" else f"settings.{axis}" for axis in experiment(name).neighbours))
    return lambda trial: tuple((value is None, value) for value in values(trial))


def _split_evenly(members: Sequence[Trial], parts: int) -> list[Sequence[Trial]]:
    bounds = [len(members) * i // parts for i in range(parts + 1)]
    return [members[a:b] for a, b in itertools.pairwise(bounds)]
