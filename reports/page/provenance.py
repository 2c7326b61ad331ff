"""Provenance in words: who ran what with which settings, without what is empty."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pandas as pd

from reports.names import fixed, short

Words = Callable[[Any], str]


def facts_of(row: Mapping[Any, Any]) -> dict[str, Any]:
    """One execution for the page: name, started, facts, and the settings of each search space.

    Args:
        row: name, spaces, settings, code_version, started_at, finished_at; state and note where they are known.
    """
    times = {"started": moment(row["started_at"]), "finished": moment(row["finished_at"])}
    ending = {"ended as": row.get("state"), "note": row.get("note")}
    facts = {"code version": row["code_version"], **times, **ending, "spaces": list(map(short, row["spaces"]))}
    settings = (_fact(path, value) for path, value in _leaves(row["settings"]))
    told = {name: words(value) for name, value, words in settings if not _is_empty(value)}
    return {
        "name": row["name"],
        "started": times["started"],
        "facts": {name: _text(value) for name, value in facts.items() if not _is_empty(value)} | told,
        "spaces": {short(name): dict(_space(declared)) for name, declared in row["spaces"].items()},
    }


def moment(time: Any) -> str:
    """To the second, UTC; "not yet" where there is none."""
    return "not yet" if pd.isna(time) else f"{str(time)[:19]} UTC"


def _fact(path: str, value: Any) -> tuple[str, Any, Words]:
    """A setting's name in words, its value, and what puts the value into words."""
    name, words = _SETTINGS.get(path, (path.replace(".", " ").replace("_", " "), _text))
    return name, value, words


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings by their dotted path; the versions of packages stay together."""
    if isinstance(value, Mapping) and path not in _SETTINGS:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _space(declared: Any) -> Iterator[tuple[str, str]]:
    """The settings of a search space by their own names, without those that its family lacks."""
    for path, value in _leaves(declared):
        there = [one for one in value if one is not None] if isinstance(value, list) else value
        if not _is_empty(there):
            yield path.removeprefix("axes.").replace(".", " "), _text(there)


def _is_empty(value: Any) -> bool:
    return value is None or value is pd.NaT or value != value or value in ("", [], {})


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return f"{value:,.0f}"
    return ", ".join(map(_text, value)) if isinstance(value, list | tuple) else str(value)


def _number(unit: str, size: float) -> Words:
    """Words for a count of something in units of this size; text stays as it is."""

    def words(value: Any) -> str:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return f"{fixed(value / size, 1)} {unit}" if is_number else _text(value)

    return words


def _packages(versions: Any) -> str:
    if not isinstance(versions, Mapping):
        return _text(versions)
    return ", ".join(f"{name} {version}" for name, version in versions.items() if version)


# Settings that sweeps write down, by their dotted path: their name in words, and how their value is put into words.
_SETTINGS: dict[str, tuple[str, Words]] = {
    "order_seed": ("seed of the random order", _text),
    "worker.workers": ("workers", _text),
    "worker.cores": ("cores of a worker", _text),
    "worker.gpus": ("GPUs of a worker", _text),
    "worker.memory": ("memory of a worker", _number("GiB", 2**30)),
    "worker.flops": ("speed that the plan assumed", _number("billion operations a second for each worker", 1e9)),
    "machine.python": ("Python", _text),
    "machine.packages": ("packages", _packages),
    "machine.system": ("system", _text),
    "machine.processor": ("processor", _text),
    "machine.cores": ("cores of the machine", _text),
    "machine.gpus": ("GPUs of the machine", _text),
}
