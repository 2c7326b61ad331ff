"""A search space: a declared grid, and the trials it expands to in a seeded random order."""

import hashlib
import itertools
import reprlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
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
        """Whether another grid has a trial in common with this one, whatever its name.

        Args:
            record: what `as_dict` gave of the other grid. It may come from a stranger's database; a record that is not
                ours has nothing in common.
        """
        try:
            alike = record["family"] == self.family and record["training"].items() <= self.training.columns.items()
            return alike and all(self._recorded(record, name) & set(values) for name, values in self.axes.items())
        except (AttributeError, KeyError, TypeError):
            return False

    def conflict(self, records: Any) -> str | None:
        """Why this grid can't have its name, because an earlier sweep gave it to another grid; None if it can.

        A grid may grow. It may also be trained in another way, and then the trials of both ways stay apart.

        Args:
            records: what `as_dict` gave of the grids of that sweep, by name. They may come from a stranger's database.
        """
        try:
            record = records[self.name]
            kind = (record.get("experiment", self.experiment), record["family"])
            if kind != (self.experiment, self.family):
                return f"experiment {kind[0]}, family {kind[1]}"
            if record["training"].items() <= self.training.columns.items():
                lost = (name for name, values in self.axes.items() if self._recorded(record, name) - set(values))
                return next((f"axes.{name} {reprlib.repr(list(self._recorded(record, name)))}" for name in lost), None)
        except (AttributeError, KeyError, TypeError):
            pass
        return None

    def _recorded(self, record: Any, name: str) -> set[Any]:
        """The values of an axis in the record of another grid of this family, which may be older than the axis."""
        has_it = name in self.kind.implied and name in self.kind.axes_of(self.family)
        missing = [self.kind.implied[name] if has_it else self.kind.absent(name, self.family)]
        return set(record["axes"].get(name, missing) if name in self.kind.implied else record["axes"][name])


def check_names(spaces: Sequence[SearchSpace], records: Iterable[Any] = ()) -> None:
    """Make sure that a name stands for one grid: among these search spaces, and in a database.

    Args:
        records: what `as_dict` gave of the grids of each earlier sweep, by name.

    Raises:
        SpaceError: a name stands for two.
    """
    twice = [name for name, n in Counter(space.name for space in spaces).items() if n > 1]
    if twice:
        raise SpaceError(f"{twice[0]}: two search spaces have this name, allowed: a `name` of its own for each")
    for before, space in itertools.product(records, spaces):
        if held := space.conflict(before):
            raise SpaceError(
                f"{space.name}: the database holds another grid of this name, with {held[:200]}, "
                "allowed: a grid that contains it, or another `name`"
            )


@no_collection()
def expand(spaces: Sequence[SearchSpace], order_seed: int = 0) -> list[Trial]:
    """All trials of the spaces in a seeded random order, trials of one shape together.

    Whole shapes are shuffled, not trials, because a shape runs as one program; any first part of the list is
    then a fair sample of the grid. The order of two shapes does not depend on what else is in the grid, so that the
    shapes of each space come in the order that they have alone. A trial of several spaces is there once.

    Raises:
        SpaceError: two spaces have one name, or score the same trial in different ways.
    """
    check_names(spaces)
    first: dict[str, Trial] = {}
    also: dict[str, tuple[str, ...]] = {}
    by_shape: dict[tuple[Any, ...], list[Trial]] = defaultdict(list)
    for space in spaces:
        for shape, group in itertools.groupby(space.trials(), key=attrgetter("shape")):  # hashing a shape is slow
            members = by_shape[shape]
            for trial in group:
                other = first.setdefault(trial.trial_id, trial)
                if other is trial:
                    members.append(trial)
                elif other.scoring == trial.scoring:
                    also[trial.trial_id] = (*also.get(trial.trial_id, ()), space.name)
                else:
                    raise SpaceError(
                        f"{space.name}: scoring: got {space.scoring.columns} for a trial that {other.space} has too: "
                        f"{_described(trial)}, allowed: its scoring {other.scoring.columns}"
                    )

    def place(trials: Sequence[Trial]) -> bytes:
        return hashlib.sha256(f"{order_seed}/{trials[0].order_text}".encode()).digest()

    ordered = [trial for trials in sorted(by_shape.values(), key=place) for trial in trials]
    return [replace(trial, also=also[trial.trial_id]) if trial.trial_id in also else trial for trial in ordered]


def _described(trial: Trial) -> str:
    values = zip(trial.kind.axes, trial.kind.axis_values(trial.settings), strict=True)
    return ", ".join(f"{axis} {value}" for axis, value in values if value is not None)
