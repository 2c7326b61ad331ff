"""A trial: one configuration with a seed, and the identity under which its result is kept."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Self

from search_spaces.axis import from_columns
from search_spaces.experiment import Experiment, experiment


@dataclass(frozen=True)
class Trial:
    """One configuration with a seed.

    Attributes:
        space: name of the search space that declares it; no part of its identity, and neither is `also`.
        experiment: name of the kind of work, see `search_spaces.experiment`.
        settings: values of the experiment's axes, its dataclass `settings`; axes that the family lacks are mostly None.
        training, scoring: what all trials of the space share, of the experiment's dataclasses. Every training has
            `steps`.
        also: names of the other search spaces of the same sweep that declare it.
    """

    space: str
    experiment: str
    family: str
    settings: Any
    training: Any
    scoring: Any
    also: tuple[str, ...] = ()

    @property
    def kind(self) -> Experiment:
        """The experiment that it belongs to."""
        return experiment(self.experiment)

    @property
    def network(self) -> str:
        """The kind of its networks, see `search_spaces.experiment.Family`."""
        return self.kind.by_family[self.family].network

    @cached_property
    def trial_id(self) -> str:
        """16 hexadecimal digits from everything that the trained weights depend on."""
        text = self.kind.identity_text(self.family, self.settings, self.training)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def shape(self) -> tuple[Any, ...]:
        """What trials must have in common to run as one batched program."""
        kind = self.kind
        return (self.network, *kind.shape_values(self.settings), self.experiment, self.training, self.scoring)

    @property
    def order_text(self) -> str:
        """The text from which the place of its shape in the random order follows."""
        network, *values, _, training, scoring = self.shape
        return self.kind.order_text(network, tuple(values), training, scoring)

    def changed(self, **changes: Any) -> Self:
        """The same trial with other values of its axes, its training settings or its own fields."""
        for part in ("settings", "training"):
            names = {one.name for one in fields(getattr(self, part))} & changes.keys()
            if names:
                own = {name: changes.pop(name) for name in names}
                changes[part] = replace(changes.get(part, getattr(self, part)), **own)
        return replace(self, **changes)

    @property
    def columns(self) -> dict[str, Any]:
        """What the table `trials` holds of its settings."""
        kind = self.kind
        own = {"trial_id": self.trial_id, "space": self.space, "experiment": self.experiment, "family": self.family}
        values = dict(zip(kind.axes, kind.axis_values(self.settings), strict=True))
        return own | values | self.training.columns


def trial_of(row: Mapping[str, Any], scoring: Any) -> Trial:
    """The trial that a row of the database describes.

    Raises:
        KeyError: the row lacks a column of the experiment.
    """
    kind = experiment(row["experiment"])
    settings = kind.settings(**{axis: kind.implied_in(row["family"], axis, row[axis]) for axis in kind.axes})
    return Trial(row["space"], kind.name, row["family"], settings, from_columns(kind.training, row), scoring)


def scoring_of(row: Mapping[str, Any]) -> Any:
    """The scoring settings of a trial, from a row of the database; a setting that has no column has its default."""
    return from_columns(experiment(row["experiment"]).scoring, row)
