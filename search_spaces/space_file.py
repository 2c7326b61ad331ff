"""Reading a search space from a YAML file. A mistake is one line that names file, key, value and what is allowed."""

import contextlib
import difflib
import re
import reprlib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic import Field as Bounds

from search_spaces.axis import Field, SharedSettings, fields_of
from search_spaces.experiment import FIRST, Experiment, UnknownExperimentError, experiment, experiments
from search_spaces.space import SearchSpace, SpaceError
from search_spaces.trial import Trial

FOLDER = Path(__file__).parent


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


_Name = Annotated[str, Bounds(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


@dataclass(frozen=True)
class _Models:
    """What pydantic checks a file of an experiment with: the whole file, and each of its parts by key."""

    file: Any
    parts: Mapping[str, Any]


@cache
def _models(name: str) -> _Models:
    kind = experiment(name)
    parts: dict[str, Any] = {
        "axes": _part("_Axes", {axis: (_list_of(one) | None, None) for axis, one in kind.axes.items()}),
        "fixed": _part("_Fixed", {axis: (one.hint | None, None) for axis, one in kind.axes.items()}),
        "training": _part("_Training", _shared(kind.training)),
        "scoring": _part("_Scoring", _shared(kind.scoring)),
    }
    scoring = parts["scoring"]
    keys = {
        "experiment": (str, FIRST),
        "name": (_Name | None, None),
        "title": (_Name | None, None),
        "family": (Literal[tuple(kind.by_family)], ...),
        "axes": (parts["axes"], ...),
        "fixed": (parts["fixed"], parts["fixed"]()),
        "training": (parts["training"], ...),
        "scoring": (scoring, ... if _needed(kind.scoring) else scoring()),
    }
    return _Models(_part("_File", keys), parts)


def _part(name: str, keys: dict[str, Any]) -> Any:
    return create_model(name, __base__=_Strict, **keys)


def _list_of(one: Field) -> Any:
    return Annotated[list.__class_getitem__(one.hint), Bounds(min_length=1)]


def _shared(settings: type) -> dict[str, Any]:
    """Keys of training or scoring; a tuple is written as a list of that length."""
    keys: dict[str, Any] = {}
    for one in fields_of(settings):
        keys[one.name] = (_listed(one), ... if one.default is MISSING else one.default)
    return keys


def _listed(one: Field) -> Any:
    """The type of a setting in a file, where a list stands for a tuple."""
    hint = one.hint
    if one.part is not one.hint:
        n = len(one.columns)
        bounds = Bounds(min_length=n, max_length=n) if n > 1 else Bounds(min_length=1)
        hint = Annotated[list.__class_getitem__(one.part), bounds]
    return hint | None if one.default is None else hint


def _needed(settings: type) -> bool:
    return any(one.default is MISSING for one in fields_of(settings))


def shipped_spaces() -> list[str]:
    """Names of the search spaces that come with the project."""
    return sorted(str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.glob("*/*.yaml"))


def load_space(source: str | Path | Mapping[str, Any]) -> SearchSpace:
    """A search space from a YAML file, one of the shipped ones by name such as `paper/mnist_gan`, or a mapping.

    Args:
        source: a mapping has the keys of a file. Without a `name`, a file of one's own is called after its stem, and a
            mapping after its family.

    Raises:
        SpaceError: the file is missing, is no YAML, or declares something that is not allowed.
    """
    if isinstance(source, Mapping):
        return _space("search space", source, str(source.get("family")))
    path = _find(str(source))
    shipped = path.resolve().is_relative_to(FOLDER)
    name = str(path.resolve().relative_to(FOLDER).with_suffix("")) if shipped else path.stem
    return _space(str(path), _read(path), name)


def _space(where: str, content: Mapping[Any, Any], name: str) -> SearchSpace:
    try:
        kind = experiment(content.get("experiment", FIRST))
    except (UnknownExperimentError, TypeError):
        allowed = ", ".join(experiments())
        raise SpaceError(f"{where}: experiment: got {_short(content['experiment'])}, allowed: {allowed}") from None
    models = _models(kind.name)
    try:
        declared = models.file.model_validate(content)
    except ValidationError as error:
        raise SpaceError(f"{where}: {_first_problem(error, models)}") from None
    space = SearchSpace(
        name=declared.name or name,
        title=declared.title or declared.name or name,
        experiment=kind.name,
        family=declared.family,
        axes=_complete_axes(where, declared, kind),
        training=_settings(kind.training, declared.training),
        scoring=_settings(kind.scoring, declared.scoring),
    )
    if problem := space.scoring.problem(space.training):
        key, allowed = problem
        raise SpaceError(f"{where}: scoring.{key}: got {_short(content['scoring'][key])}, allowed: {allowed}")
    return space


def _settings(settings: type, declared: Any) -> Any:
    values = {one.name: getattr(declared, one.name) for one in fields_of(settings)}
    return settings(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})


def could_declare(trial: Trial) -> bool:
    """Whether some search space could declare this trial: each value is of its type and allowed for its family."""
    kind = trial.kind
    axes = {axis: getattr(trial.settings, axis) for axis in kind.axes}
    content = {
        "experiment": trial.experiment,
        "family": trial.family,
        "axes": {axis: [axes[axis]] for axis in kind.axes_of(trial.family)},
        "training": _as_declared(trial.training),
        "scoring": _as_declared(trial.scoring),
    }
    try:
        return dict(_space(trial.space, content, trial.space).axes) == {axis: (value,) for axis, value in axes.items()}
    except SpaceError:
        return False


def _as_declared(settings: SharedSettings) -> dict[str, Any]:
    kind: type = type(settings)
    values = {one.name: getattr(settings, one.name) for one in fields_of(kind)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


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


def _complete_axes(where: str, declared: Any, kind: Experiment) -> dict[str, tuple[Any, ...]]:
    """Values of every axis, each declared once under `axes` or `fixed`; one value where the family has no such axis."""
    own = kind.axes_of(declared.family)
    complete: dict[str, tuple[Any, ...]] = {}
    for name, axis in kind.axes.items():
        values, fixed = getattr(declared.axes, name), getattr(declared.fixed, name)
        if values is not None and fixed is not None:
            raise SpaceError(
                f"{where}: axes.{name}: got {_short(values)}, and {_short(fixed)} under fixed, allowed: one of the two"
            )
        if name not in own:
            if values is not None or fixed is not None:
                part, given = ("axes", values) if values is not None else ("fixed", fixed)
                raise SpaceError(
                    f"{where}: {part}.{name}: got {_short(given)}, "
                    f"allowed for family {declared.family}: {', '.join(own)}"
                )
            complete[name] = (kind.absent(name, declared.family),)
            continue
        if values is None:
            fixed = kind.implied.get(name, axis.default) if fixed is None else fixed
            if fixed is MISSING:
                raise SpaceError(f"{where}: axes.{name}: missing, allowed: a list of values (or one value under fixed)")
            values = [fixed]
        twice = [v for i, v in enumerate(values) if v in values[:i]]
        if twice:
            raise SpaceError(f"{where}: axes.{name}: duplicate cells: got {_short(twice[0])} twice, allowed: once")
        complete[name] = tuple(axis.kind(value) for value in values)
    return complete


def _first_problem(error: ValidationError, models: _Models) -> str:
    """One line for the first thing that is wrong: key, what was given, what is allowed."""
    # A misspelt key is missing as well; what helps is to hear that nobody knows it.
    first = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    location = list(first["loc"])
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown key, allowed: {_known(location, models)}"
    if first["type"] == "missing":
        return f"{key}: missing, required: {_required(location, models)}"
    context = {name: f"{v:g}" if isinstance(v, float) else v for name, v in first.get("ctx", {}).items()}
    allowed = _ALLOWED[first["type"]].format_map(context) if first["type"] in _ALLOWED else first["msg"]
    return f"{key}: got {_short(first['input'])}, allowed: {allowed}"


# By pydantic's own names for what can be wrong, see https://docs.pydantic.dev/latest/errors/validation_errors/.
_ALLOWED = {
    "bool_type": "boolean",
    "finite_number": "a finite number",
    "float_type": "number",
    "greater_than": "greater than {gt}",
    "greater_than_equal": "greater than or equal to {ge}",
    "int_type": "integer",
    "invalid_key": "keys that are text",
    "less_than": "less than {lt}",
    "less_than_equal": "less than or equal to {le}",
    "list_type": "list",
    "literal_error": "{expected}",
    "model_type": "a mapping",
    "multiple_of": "multiple of {multiple_of}",
    "string_pattern_mismatch": "printable letters",
    "string_too_long": "at most {max_length} letters",
    "string_too_short": "{min_length} letter or more",
    "string_type": "text",
    "too_long": "a list of {max_length} or fewer",
    "too_short": "a list of {min_length} or more",
}


def _model(location: list[Any], models: _Models) -> Any:
    """What declares the keys that may stand where the last of `location` stands."""
    return models.parts[location[0]] if len(location) > 1 else models.file


def _known(location: list[Any], models: _Models) -> str:
    """Keys that may stand there, and the nearest to the one that does."""
    names = list(_model(location, models).model_fields)
    near = difflib.get_close_matches(str(location[-1]), names, n=1)
    return ", ".join(names) + (f" (did you mean {near[0]}?)" if near else "")


def _required(location: list[Any], models: _Models) -> str:
    """Keys that must stand there."""
    return ", ".join(name for name, field in _model(location, models).model_fields.items() if field.is_required())


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
