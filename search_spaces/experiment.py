"""An experiment: what its trials vary and share, and what is measured of them.

Experiments are found by the entry point group `ebgan_sweep.experiments`, so that every process of a sweep sees those of
other packages too.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points
from pkgutil import resolve_name
from typing import Any, NamedTuple

from search_spaces.axis import Field, fields_of, values_of

GROUP = "ebgan_sweep.experiments"
FIRST = "mnist_gan"  # its identities do not name it, since they are older than experiments
_OWN = {FIRST: "search_spaces.experiments.mnist_gan:MNIST_GAN"}


@dataclass(frozen=True)
class Score:
    """A number that is measured of a trained trial.

    Attributes:
        name: its column in the database.
        label: its name in print, with its unit where it has one.
        higher_is_better: its direction; None if it has none, and then it ranks nothing.
        worst: value that a diverged trial counts as; None if it is left out of what is said about this score.
        whole: whether it is a whole number.
        meaning: a line for those who look at the database.
    """

    name: str
    label: str
    higher_is_better: bool | None = True
    worst: float | None = None
    whole: bool = False
    meaning: str = ""

    def best(self, values: Iterable[float]) -> float:
        """The best of some values, of which there must be one."""
        return max(values) if self.higher_is_better else min(values)


class Mark(NamedTuple):
    """A reason why a trial may not be what its ranking score suggests: another number lies within bounds.

    Attributes:
        label: the reason in print.
        score: the number, one of the experiment's scores.
        above, below: the bounds; the number lies strictly between them. A missing number is no reason.
        families: which it is about; () means all.
        meaning: what the reason means, in a sentence.
    """

    label: str
    score: str
    above: float = -math.inf
    below: float = math.inf
    families: tuple[str, ...] = ()
    meaning: str = ""


class Reference(NamedTuple):
    """Something that is not a trained model, to compare scores with.

    Attributes:
        label: what it is, in print.
        scores: its ranking score by the name of the classifier.
    """

    label: str
    scores: Mapping[str, float]


class Family(NamedTuple):
    """A family of models.

    Attributes:
        label: its name in print.
        network: families whose networks are alike have one name here; their trials can be stacked in one cohort.
    """

    name: str
    label: str
    network: str


@dataclass(frozen=True, eq=False)
class Experiment:
    """One kind of work.

    Attributes:
        title: what it is, in a line; the page of a report begins with it.
        settings: dataclass of the axes, which may differ from trial to trial.
        training, scoring: dataclasses of what all trials of a search space share, `SharedSettings`.
        scores: what is measured; the first ranks trials.
        marks: reasons why a trial may not be what its ranking score suggests.
        references: what scores may be compared with.
        neighbours: axes by which the members of a cohort are sorted, so that members with equal values are neighbours;
            `family` may be among them. It names all axes that are no part of a shape.
        shape_form: a shape in words, a form for the names of its axes.
        recipe: where the worker finds how to train and to evaluate, as "module:object".
        cost: where planning finds what a trial costs, as "module".
        identity: function of the scoring settings that gives the identities under which a trial is scored, the one that
            ranks trials first, as "module:function".
        prepare: function that fetches what the training needs, and is given a function that tells of it, as
            "module:function"; empty if there is nothing to fetch.
    """

    name: str
    title: str
    families: tuple[Family, ...]
    settings: type
    training: type
    scoring: type
    scores: tuple[Score, ...]
    neighbours: tuple[str, ...]
    shape_form: str
    recipe: str
    cost: str
    identity: str
    prepare: str = ""
    marks: tuple[Mark, ...] = ()
    references: tuple[Reference, ...] = ()

    @cached_property
    def axes(self) -> dict[str, Field]:
        """All axes by name, in the order of their declaration."""
        return {one.name: one for one in fields_of(self.settings)}

    @cached_property
    def shape_axes(self) -> tuple[str, ...]:
        return tuple(name for name, one in self.axes.items() if one.meaning.shape)

    @cached_property
    def axis_values(self) -> Callable[[Any], tuple[Any, ...]]:
        """Gives the values of all axes of settings."""
        return values_of(tuple(self.axes))

    @cached_property
    def shape_values(self) -> Callable[[Any], tuple[Any, ...]]:
        return values_of(self.shape_axes)

    def shape_text(self, settings: Any) -> str:
        """The shape of a trial in words."""
        return self.shape_form.format(**dict(zip(self.shape_axes, self.shape_values(settings), strict=True)))

    @cached_property
    def training_columns(self) -> tuple[str, ...]:
        return tuple(name for one in fields_of(self.training) for name in one.columns)

    @cached_property
    def by_family(self) -> dict[str, Family]:
        return {family.name: family for family in self.families}

    def axes_of(self, family: str) -> tuple[str, ...]:
        """Names of the axes that a family has."""
        return tuple(n for n, one in self.axes.items() if not one.meaning.families or family in one.meaning.families)

    def absent(self, axis: str, family: str) -> Any:
        """The value of an axis for a family that does not have it."""
        return self.axes[axis].meaning.absent.get(family)

    def identities(self, scoring: Any) -> tuple[Any, ...]:
        """The identities, `metrics.identity.ScoreIdentity`, under which a trial with these settings is scored.

        A trial is finished when its last step is scored under the first.
        """
        found: tuple[Any, ...] = resolve_name(self.identity)(scoring)
        return found

    def fetch(self, tell: Callable[[str], None]) -> None:
        """Make sure that what the training needs is there; `tell` receives what a person should know."""
        if self.prepare:
            resolve_name(self.prepare)(tell)

    @cached_property
    def implied(self) -> dict[str, Any]:
        """Axes with a value that older trials had without saying so, and that value."""
        return {name: one.meaning.implied for name, one in self.axes.items() if one.meaning.implied is not None}

    def implied_in(self, family: str, axis: str, value: Any) -> Any:
        """The value of an axis for a trial of a family, whose row may be older than the axis and hold None."""
        return self.implied.get(axis) if value is None and axis in self.axes_of(family) else value

    def identity_text(self, family: str, settings: Any, training: Any) -> str:
        """The text that a trial is known by. An axis is left out where it has its implied value or none."""
        form, values = self._identity
        later = [f"{axis}={value!r}\n" for axis in self.implied if (value := self._told(axis, settings)) is not None]
        return form % (family, *values(settings), "".join(later) + training.identity_text)

    def _told(self, axis: str, settings: Any) -> Any:
        """The value of an axis that has an implied one; None where it has that one."""
        value = getattr(settings, axis)
        return None if value == self.implied[axis] else value

    @cached_property
    def _identity(self) -> tuple[str, Callable[[Any], tuple[Any, ...]]]:
        """A form for the family, for the axes without an implied value, and for the rest; and what gives those axes."""
        own = "" if self.name == FIRST else f"experiment={self.name}\n"
        axes = tuple(axis for axis in self.axes if axis not in self.implied)
        return own + "\n".join(["family=%s", *(f"{axis}=%r" for axis in axes), "%s"]), values_of(axes)

    def order_text(self, network: str, shape_values: tuple[Any, ...], training: Any, scoring: Any) -> str:
        """The text from which the place of a shape in the random order follows."""
        own = "" if self.name == FIRST else f"{self.name}: "
        values = ", ".join(map(repr, (network, *shape_values)))
        return f"{own}({values}, Training({training.order_text}), Scoring({scoring.order_text}))"


class UnknownExperimentError(Exception):
    """No experiment has this name; the message is one line."""


def experiments() -> Mapping[str, Experiment]:
    """All experiments by name: this project's own first, then those of other packages."""
    return _found()[0]


def broken_experiments() -> Sequence[str]:
    """A line for each experiment of another package that can't be loaded; it is left out."""
    return _found()[1]


@cache
def _found() -> tuple[Mapping[str, Experiment], Sequence[str]]:
    found = {name: resolve_name(place) for name, place in _OWN.items()}
    broken = []
    for point in entry_points(group=GROUP):
        if point.name in found:
            continue
        try:
            found[point.name] = _loaded(point)
        except (Exception, SystemExit) as error:  # whatever a stranger's module does
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            package = f" of {point.dist.name}" if point.dist else ""
            broken.append(f"experiment {point.name}{package} is left out, since {point.value} fails: {reason}")
    return found, broken


def _loaded(point: EntryPoint) -> Experiment:
    found = point.load()
    if not isinstance(found, Experiment):
        raise TypeError(f"it is a {type(found).__name__}, allowed: an Experiment")
    _ = found.axes, found.training_columns  # what is declared wrongly shows here
    return found


def experiment(name: str) -> Experiment:
    """The experiment of this name.

    Raises:
        UnknownExperimentError: there is none.
    """
    if name not in experiments():
        raise UnknownExperimentError(f"{name}: no such experiment, allowed: {', '.join(experiments())}")
    return experiments()[name]
