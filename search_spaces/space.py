"""A search space: a declared grid, and the trials it expands to in a seeded random order."""

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from typing import Any

from search_spaces.experiment import Experiment, experiment
from search_spaces.paused_gc import no_collection
from search_spaces.trial import Trial


class SpaceError(Exception):
    """A search space that can't be used; the message is one line that names file, key, value and what is allowed."""


@dataclass(frozen=True)
class SearchSpace:
    """A validated grid.

    Attributes:
        name: how the user named it, such as "paper/mnist_gan".
        title: its name in print.
        experiment: name of the kind of work.
        axes: the values of every axis, fixed ones as lists of one, in the order of the experiment.
    """

    name: str
    title: str
    experiment: str
    family: str
    axes: Mapping[str, tuple[Any, ...]]
    training: Any
    scoring: Any

    @property
    def kind(self) -> Experiment:
        """The experiment that its trials belong to."""
        return experiment(self.experiment)

    def trials(self) -> Iterable[Trial]:
        """The trials of the grid, last axis fastest."""
        values = itertools.product(*(self.axes[name] for name in self.kind.axes))
        settings = itertools.starmap(self.kind.settings, values)
        first = (self.name, self.experiment, self.family)
        return (Trial(*first, own, self.training, self.scoring) for own in settings)

    def as_dict(self) -> dict[str, Any]:
        """The declaration in plain values, for the record."""
        shared = {"training": self.training.columns, "scoring": self.scoring.columns}
        return asdict(self) | shared | {"axes": {name: list(values) for name, values in self.axes.items()}}

    def shares_trials(self, record: Any) -> bool:
        """Whether a grid of which `as_dict` gave this record has a trial in common with this one, however it is named.

        A record may come from anybody's database; what is none of ours has nothing in common.
        """
        try:
            alike = record["family"] == self.family and record["training"].items() <= self.training.columns.items()
            return alike and all(set(record["axes"][name]) & set(values) for name, values in self.axes.items())
        except (AttributeError, KeyError, TypeError):
            return False


@no_collection()
def expand(spaces: Sequence[SearchSpace], order_seed: int = 0) -> list[Trial]:
    """All trials of the spaces in a seeded random order, trials of one shape together.

    Whole shapes are shuffled, not trials, because a shape runs as one program; any first part of the list is
    then a fair sample of the grid. The order of two shapes does not depend on what else is in the grid.

    Raises:
        SpaceError: two spaces declare the same trial.
    """
    owner: dict[str, Trial] = {}
    by_shape: dict[tuple[Any, ...], list[Trial]] = defaultdict(list)
    for space in spaces:
        for shape, group in itertools.groupby(space.trials(), key=attrgetter("shape")):  # hashing a shape is slow
            trials = list(group)
            by_shape[shape].extend(trials)
            for trial in trials:
                if (other := owner.setdefault(trial.trial_id, trial)) is not trial:
                    raise SpaceError(f"{space.name}: duplicate cell, also in {other.space}: {_described(trial)}")

    def place(trials: Sequence[Trial]) -> bytes:
        return hashlib.sha256(f"{order_seed}/{trials[0].order_text}".encode()).digest()

    return [trial for trials in sorted(by_shape.values(), key=place) for trial in trials]


def _described(trial: Trial) -> str:
    values = zip(trial.kind.axes, trial.kind.axis_values(trial.settings), strict=True)
    return ", ".join(f"{axis} {value}" for axis, value in values if value is not None)
