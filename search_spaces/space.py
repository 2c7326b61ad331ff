"""A search space: a YAML file, validated, and the trials it expands to."""

import contextlib
import difflib
import hashlib
import itertools
import re
import reprlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from search_spaces.paused_gc import no_collection
from search_spaces.trial import AXES, Family, Optimizer, Precision, Scoring, Training, Trial, axis_values

FOLDER = Path(__file__).parent

_VALUES: dict[str, Any] = {
    "n_layer_g": Annotated[int, Field(ge=2, le=20)],
    "n_layer_d": Annotated[int, Field(ge=2, le=20)],
    "size_g": Annotated[int, Field(ge=1, le=65536)],
    "size_d": Annotated[int, Field(ge=1, le=65536)],
    "dropout_d": bool,
    "optim_g": Optimizer,
    "optim_d": Optimizer,
    "lr": Annotated[float, Field(gt=0, allow_inf_nan=False)],
    "margin": Annotated[float, Field(gt=0, allow_inf_nan=False)],
    "pt_weight": Annotated[float, Field(gt=0, allow_inf_nan=False)],
    "seed": Annotated[int, Field(ge=0, lt=2**31)],
}
_OWN_AXES: dict[Family, set[str]] = {"gan": set(), "ebgan": {"margin"}, "ebgan_pt": {"margin", "pt_weight"}}
_DEFAULTS: dict[str, Any] = {"seed": 0}


class SpaceError(Exception):
    """A search space that can't be used; the message is one line that names file, key, value and what is allowed."""


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def _at_least_one(kind: Any) -> Any:
    return Annotated[list.__class_getitem__(kind), Field(min_length=1)]


_LISTS: dict[str, Any] = {name: (_at_least_one(kind) | None, None) for name, kind in _VALUES.items()}
_SINGLES: dict[str, Any] = {name: (kind | None, None) for name, kind in _VALUES.items()}
_Axes: Any = create_model("_Axes", __base__=_Strict, **_LISTS)
_Fixed: Any = create_model("_Fixed", __base__=_Strict, **_SINGLES)


class _Training(_Strict):
    data: Literal["mnist"] = "mnist"
    steps: Annotated[int, Field(ge=1, lt=2**31)]
    batch_size: Annotated[int, Field(ge=2, le=60000)]
    z_dim: Annotated[int, Field(ge=1, le=65536)] = 100
    betas: Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=2, max_length=2)] = [
        0.5,
        0.999,
    ]
    dropout_rate: Annotated[float, Field(gt=0, lt=1)] = 0.5
    precision: Precision = "float32"


class _Scoring(_Strict):
    n_samples: Annotated[int, Field(ge=500, le=1_000_000, multiple_of=500)] = 10000
    z_seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    times: Annotated[int, Field(ge=1, le=100)] = 1


class _File(_Strict):
    family: Family
    axes: _Axes
    fixed: _Fixed = _Fixed()
    training: _Training
    scoring: _Scoring = _Scoring()


@dataclass(frozen=True)
class SearchSpace:
    """A validated grid.

    Attributes:
        name: how the user named it, such as "paper/mnist_gan".
        axes: the values of every axis, fixed ones as lists of one, in the order of `trial.AXES`.
    """

    name: str
    family: Family
    axes: Mapping[str, tuple[Any, ...]]
    training: Training
    scoring: Scoring

    def trials(self) -> Iterable[Trial]:
        """The cells of the grid, last axis fastest."""
        axes = (self.axes[name] for name in AXES)
        fields = itertools.product([self.name], [self.family], *axes, [self.training], [self.scoring])
        return itertools.starmap(Trial, fields)

    def as_dict(self) -> dict[str, Any]:
        """The declaration in plain values, for the record."""
        return asdict(self) | {"axes": {name: list(values) for name, values in self.axes.items()}}

    def shares_trials(self, record: Any) -> bool:
        """Whether a grid of which `as_dict` gave this record has a trial in common with this one, however it is named.

        A record may come from anybody's database; what is none of ours has nothing in common.
        """
        try:
            alike = record["family"] == self.family and record["training"].items() <= asdict(self.training).items()
            return alike and all(set(record["axes"][name]) & set(values) for name, values in self.axes.items())
        except (AttributeError, KeyError, TypeError):
            return False


def shipped_spaces() -> list[str]:
    """Names of the search spaces that come with the project."""
    return sorted(str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.glob("*/*.yaml"))


def load_space(name: str) -> SearchSpace:
    """Read a search space from a file, or one of the shipped ones by name such as `paper/mnist_gan`.

    Raises:
        SpaceError: the file is missing, is no YAML, or declares something that is not allowed.
    """
    path = _find(name)
    content = _read(path)
    try:
        declared = _File.model_validate(content)
    except ValidationError as error:
        raise SpaceError(f"{path}: {_first_problem(error)}") from None
    training, scoring = declared.training, declared.scoring
    shipped = path.resolve().is_relative_to(FOLDER)
    return SearchSpace(
        name=str(path.resolve().relative_to(FOLDER).with_suffix("")) if shipped else name,
        family=declared.family,
        axes=_complete_axes(path, declared),
        training=Training(
            data=training.data,
            steps=training.steps,
            batch_size=training.batch_size,
            z_dim=training.z_dim,
            beta1=training.betas[0],
            beta2=training.betas[1],
            dropout_rate=training.dropout_rate,
            precision=training.precision,
        ),
        scoring=Scoring(scoring.n_samples, scoring.z_seed, scoring.times),
    )


def could_declare(trial: Trial) -> bool:
    """Whether some search space could declare this trial: each value is of its type and allowed for its family."""
    foreign = _foreign(trial.family)
    betas = [trial.training.beta1, trial.training.beta2]
    content = {
        "family": trial.family,
        "axes": {axis: [getattr(trial, axis)] for axis in AXES if axis not in foreign},
        "training": {k: v for k, v in asdict(trial.training).items() if not k.startswith("beta")} | {"betas": betas},
        "scoring": asdict(trial.scoring),
    }
    try:
        axes = _complete_axes(Path(trial.space), _File.model_validate(content))
    except (ValidationError, SpaceError):
        return False
    return axes == {axis: (getattr(trial, axis),) for axis in AXES}


@no_collection()
def expand(spaces: Sequence[SearchSpace], order_seed: int = 0) -> list[Trial]:
    """All trials of the spaces in a seeded random order, trials of one shape together.

    Whole shapes are shuffled, not trials, because a shape runs as one program; any first part of the list is
    then a fair sample of the grid. The order of two shapes does not depend on what else is in the grid.

    Raises:
        SpaceError: two spaces declare the same cell.
    """
    owner: dict[str, Trial] = {}
    by_shape: dict[tuple[object, ...], list[Trial]] = defaultdict(list)
    for space in spaces:
        for shape, group in itertools.groupby(space.trials(), key=attrgetter("shape")):  # hashing a shape is slow
            trials = list(group)
            by_shape[shape].extend(trials)
            for trial in trials:
                if (other := owner.setdefault(trial.trial_id, trial)) is not trial:
                    raise SpaceError(f"{space.name}: duplicate cell, also in {other.space}: {_cell(trial)}")
    groups = sorted(by_shape.items(), key=lambda item: hashlib.sha256(f"{order_seed}/{item[0]}".encode()).digest())
    return [trial for _, group in groups for trial in group]


def _cell(trial: Trial) -> str:
    return ", ".join(
        f"{axis} {value}" for axis, value in zip(AXES, axis_values(trial), strict=True) if value is not None
    )


def _find(name: str) -> Path:
    if not name.isprintable():
        raise SpaceError(f"{name!a}: not a name that can be kept, allowed: printable letters")
    for path in (FOLDER / f"{name}.yaml", Path(name)):
        with contextlib.suppress(OSError):  # a name may be longer than the system allows
            if path.is_file():
                return path
    raise SpaceError(f"{name}: no such search space, allowed: a YAML file or one of {', '.join(shipped_spaces())}")


def _read(path: Path) -> dict[Any, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpaceError(f"{path}: can't be read: {error}") from None
    try:
        content = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:  # 2026-13-01; !!map [1]; [[[[...
        raise SpaceError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise SpaceError(f"{path}: got {_short(content)}, allowed: a mapping with the keys family, axes, training")
    return content


def _complete_axes(path: Path, declared: Any) -> dict[str, tuple[Any, ...]]:
    """Values of every axis, each declared once under `axes` or `fixed`, None where the family has no such axis."""
    foreign = _foreign(declared.family)
    complete: dict[str, tuple[Any, ...]] = {}
    for name in AXES:
        values, fixed = getattr(declared.axes, name), getattr(declared.fixed, name)
        if values is not None and fixed is not None:
            raise SpaceError(
                f"{path}: axes.{name}: got {_short(values)}, and {_short(fixed)} under fixed, allowed: one of the two"
            )
        if name in foreign:
            if values is not None or fixed is not None:
                where, given = ("axes", values) if values is not None else ("fixed", fixed)
                axes = ", ".join(axis for axis in AXES if axis not in foreign)
                raise SpaceError(
                    f"{path}: {where}.{name}: got {_short(given)}, allowed for family {declared.family}: {axes}"
                )
            complete[name] = _none_or_zero(name, declared.family)
            continue
        if values is None:
            fixed = _DEFAULTS.get(name) if fixed is None else fixed
            if fixed is None:
                raise SpaceError(f"{path}: axes.{name}: missing, allowed: a list of values (or one value under fixed)")
            values = [fixed]
        twice = [v for i, v in enumerate(values) if v in values[:i]]
        if twice:
            raise SpaceError(f"{path}: axes.{name}: duplicate cells: got {_short(twice[0])} twice, allowed: once")
        complete[name] = tuple(float(v) if name in ("lr", "margin", "pt_weight") else v for v in values)
    return complete


def _foreign(family: Family) -> set[str]:
    """Axes that other families have and this one has not."""
    return set().union(*_OWN_AXES.values()) - _OWN_AXES.get(family, set())


def _none_or_zero(axis: str, family: Family) -> tuple[float | None]:
    """An EBGAN without the pull-away term has weight 0; a GAN has neither weight nor margin."""
    return (0.0,) if axis == "pt_weight" and family != "gan" else (None,)


def _first_problem(error: ValidationError) -> str:
    """One line for the first thing that is wrong: key, what was given, what is allowed."""
    # A misspelt key is missing as well; what helps is to hear that nobody knows it.
    first = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    location = list(first["loc"])
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown key, allowed: {_known(location)}"
    if first["type"] == "missing":
        return f"{key}: missing, required: {_required(location)}"
    allowed = re.sub(r"^(Input|Value|List) should (be|have) (a valid )?", "", first["msg"])
    allowed = re.sub(r" after validation, not .*$", "", allowed)  # the length of a list, which is shown anyway
    allowed = re.sub(r"^dictionary or instance of .*$", "a mapping", allowed)
    return f"{key}: got {_short(first['input'])}, allowed: {allowed}"


def _model(location: list[Any]) -> Any:
    """What declares the keys that may stand where the last of `location` stands."""
    models = {"axes": _Axes, "fixed": _Fixed, "training": _Training, "scoring": _Scoring}
    return models[location[0]] if len(location) > 1 else _File


def _known(location: list[Any]) -> str:
    """Keys that may stand there, and the nearest to the one that does."""
    names = list(_model(location).model_fields)
    near = difflib.get_close_matches(str(location[-1]), names, n=1)
    return ", ".join(names) + (f" (did you mean {near[0]}?)" if near else "")


def _required(location: list[Any]) -> str:
    """Keys that must stand there."""
    return ", ".join(name for name, field in _model(location).model_fields.items() if field.is_required())


def _short(value: object) -> str:
    """At most 60 letters of a value, however large it is."""
    if isinstance(value, int) and value.bit_length() > _BITS:
        return f"a number of {value.bit_length()} bits"
    text = _SHORTER.repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


_BITS = 14_000  # Python writes no larger number in decimal digits
_SHORTER = reprlib.Repr()
_SHORTER.maxlevel, _SHORTER.maxlist, _SHORTER.maxdict = 3, 20, 20
_SHORTER.maxstring = _SHORTER.maxlong = _SHORTER.maxother = 70


class _Loader(yaml.SafeLoader):
    """Safe loading in which 1e-3 is a number, as in YAML 1.2 (YAML 1.1 wants a dot and reads a string).

    A key given twice is an error, again as in YAML 1.2: PyYAML would drop the first of the two. Merge keys (<<), which
    YAML 1.2 has not, are refused before they are expanded: a few lines of them would take gigabytes.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key.tag == "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(None, None, "<<: merge keys are not allowed", key.start_mark)
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value} is given twice", key.start_mark)
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"),
    list("-+0123456789."),
)
