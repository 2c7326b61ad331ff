"""What a setting of an experiment is, and how its declaration is read.

An experiment declares its settings as dataclasses. The type of each field says which values are allowed, and an `Axis`
or a `Setting` in it says what the field means. Planning, tables, labels and reports read the fields from here.
"""

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import Field as Bounds

# Types that experiments share; an experiment narrows the bounds where it must. A name that two experiments have means
# the same in both and has one type, since both keep it in one column.
Depth = Annotated[int, Bounds(ge=2, le=20)]
Width = Annotated[int, Bounds(ge=1, le=65536)]
Rate = Annotated[float, Bounds(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Bounds(ge=0, lt=1)]
Step = Annotated[int, Bounds(ge=1, lt=2**31)]
Times = Annotated[int, Bounds(ge=1, le=100)]
Seed = Annotated[int, Bounds(ge=0, lt=2**31)]
Optimizer = Literal["adam", "sgd"]
Precision = Literal["float32", "tf32"]
Norm = Literal["separate", "joint"]

_UNKNOWN: Any = object()


@dataclass(frozen=True)
class Axis:
    """What a setting means that may differ from trial to trial.

    Attributes:
        label: its name in print.
        shape: whether trials that differ in it can't be stacked in one cohort.
        families: which have it; () means all.
        absent: its value for families that do not have it, where that is not None.
        implied: value that is left out of identities, because older trials had it without saying so; None for none.
    """

    label: str
    shape: bool = False
    families: tuple[str, ...] = ()
    absent: Mapping[str, Any] = field(default_factory=dict, hash=False)
    implied: Any = None


@dataclass(frozen=True)
class Setting:
    """What a setting means that all trials of a search space share.

    Attributes:
        columns: where the field is a tuple, the name of each part in the database.
        implied: value that is left out of identities, because older trials had it without saying so.
        in_order: whether the random order of a grid depends on it.
    """

    columns: tuple[str, ...] = ()
    implied: Any = _UNKNOWN
    in_order: bool = True


@dataclass(frozen=True)
class Field:
    """A field of a dataclass of settings.

    Attributes:
        hint: its type with its bounds, without None.
        part: of a tuple, that of one of its parts; else the same.
        kind: int, float, bool or str; of a tuple, that of its parts.
        choices: the allowed values, where they are listed.
        default: `MISSING` where it must be given.
        meaning: its `Axis` or `Setting`.
    """

    name: str
    hint: Any
    part: Any
    kind: type
    choices: tuple[Any, ...]
    default: Any
    meaning: Any

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of the database that hold it."""
        return getattr(self.meaning, "columns", ()) or (self.name,)


@lru_cache
def fields_of(settings: type) -> tuple[Field, ...]:
    """The fields of a dataclass of settings, in their order."""
    hints = get_type_hints(settings, include_extras=True)
    return tuple(_field(one.name, hints[one.name], one.default) for one in fields(settings))


def _field(name: str, declared: Any, default: Any) -> Field:
    hint, *notes = get_args(declared) if get_origin(declared) is Annotated else (declared,)
    (meaning,) = (note for note in notes if isinstance(note, Axis | Setting))
    bounds = [note for note in notes if note is not meaning]
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = (one for one in get_args(hint) if one is not type(None))
    if bounds:
        hint = Annotated[hint, *bounds]
    part = get_args(hint)[0] if get_origin(hint) is tuple else hint
    plain = _plain(part)
    choices = get_args(plain) if get_origin(plain) is Literal else ()
    return Field(name, hint, part, type(choices[0]) if choices else plain, choices, default, meaning)


def _plain(hint: Any) -> Any:
    """A type without its bounds."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def values_of(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """A fast function that gives the attributes of these names as a tuple, however many they are."""
    if len(names) == 1:
        (name,) = names
        return lambda owner: (getattr(owner, name),)
    return attrgetter(*names) if names else lambda owner: ()


class SharedSettings:
    """Base of the dataclasses of training and of scoring settings."""

    @cached_property
    def columns(self) -> dict[str, Any]:
        """The settings as the database holds them, without those that are None."""
        return {name: value for _, name, value in _spread(self) if value is not None}

    @cached_property
    def identity_text(self) -> str:
        """Every setting in a line of its own.

        A setting that came later appears only where it differs from what was always done, so identities stay.
        """
        return "\n".join(f"{name}={value!r}" for one, name, value in _spread(self) if value != one.meaning.implied)

    @cached_property
    def order_text(self) -> str:
        """The settings that the random order of a grid depends on."""
        return ", ".join(f"{name}={value!r}" for one, name, value in _spread(self) if one.meaning.in_order)

    def problem(self, training: Any) -> tuple[str, str] | None:
        """The key of a setting that does not fit the others or those of the training, and what is allowed."""
        return None


def from_columns(settings: type, row: Mapping[str, Any]) -> Any:
    """Training or scoring settings from columns of the database; what it does not keep has its default."""
    given = {}
    for one in fields_of(settings):
        if len(one.columns) > 1:
            given[one.name] = tuple(row[name] for name in one.columns)
        elif one.name in row:
            given[one.name] = row[one.name]
    return settings(**given)


def _spread(settings: SharedSettings) -> list[tuple[Field, str, Any]]:
    """Field, column and value of every column."""
    found: list[tuple[Field, str, Any]] = []
    kind: type = type(settings)
    for one in fields_of(kind):
        value = getattr(settings, one.name)
        parts = value if len(one.columns) > 1 else (value,)
        found.extend((one, name, part) for name, part in zip(one.columns, parts, strict=True))
    return found
