"""What families, axes and values are called in print."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import pandas as pd

from search_spaces.experiment import experiments

LETTERS = 60  # of a name in print; much longer text takes figures minutes to lay out


@cache
def _families() -> dict[str, str]:
    """The label of each family, in the order of their declaration."""
    return {family.name: family.label for one in experiments().values() for family in one.families}


@cache
def _axes() -> dict[str, str]:
    """The label of each axis, in the order of their declaration; an axis that experiments share is one axis."""
    return {name: axis.meaning.label for one in experiments().values() for name, axis in one.axes.items()}


@cache
def _implied() -> dict[str, Any]:
    """Axes with a value that is meant where nothing is said, and that value."""
    return {name: value for one in experiments().values() for name, value in one.implied.items()}


def family_label(family: str) -> str:
    """The family's name in print; the name of an unknown one is shortened."""
    return _families().get(family) or short(family)


def axis_label(axis: str) -> str:
    """The axis's name in print."""
    return _axes().get(axis, axis)


def all_axes() -> list[str]:
    """The axes of all experiments."""
    return list(_axes())


def short(name: str) -> str:
    """At most 60 letters of a name that anybody may have given, without what can't be printed."""
    text = "".join(letter for letter in name[: LETTERS + 1] if letter.isprintable())
    return text if len(name) <= LETTERS else f"{text[: LETTERS - 1]}\N{HORIZONTAL ELLIPSIS}"


def in_order(families: Iterable[str]) -> list[str]:
    """Each family once: declared ones in the order of their declaration, then any others by name."""
    order = list(_families())
    distinct = families.unique() if isinstance(families, pd.Series) else set(families)
    return sorted(distinct, key=lambda name: (order.index(name) if name in order else len(order), name))


def configuration(trial: Mapping[Any, Any]) -> str:
    """The settings of one trial in words, without its seed, and without those that its family lacks."""
    shown = {axis: trial[axis] for axis in all_axes() if axis in trial and axis != "seed" and pd.notna(trial[axis])}
    for axis, value in _implied().items():
        if shown.get(axis) == value:
            shown.pop(axis)
    if not shown.get("pt_weight"):
        shown.pop("pt_weight", None)  # 0 says that there is no such term
    return ", ".join(f"{axis_label(axis)} {value_text(value)}" for axis, value in shown.items())


# Settings in a sentence: with {} for the value, or for a switch what it switches.
_SPOKEN = {
    "n_layer_g": "{} layers in the generator",
    "n_layer_d": "{} layers in the discriminator",
    "size_g": "{} channels in the generator",
    "size_d": "{} channels in the discriminator",
    "dropout_d": "dropout in the discriminator",
    "optim_g": "{} for the generator",
    "optim_d": "{} for the discriminator",
    "lr": "learning rate {}",
    "margin": "margin {}",
    "norm_d": "{} batch statistics in the discriminator",
}


def setting_words(axis: str, value: Any, again: bool = False) -> str:
    """A setting as part of a sentence, such as "without dropout in the discriminator".

    Args:
        again: whether the sentence has named the axis before.
    """
    if str(value) in ("True", "False"):
        what = "it" if again else _SPOKEN.get(axis, axis_label(axis))
        return f"{'with' if str(value) == 'True' else 'without'} {what}"
    return "with " + _SPOKEN.get(axis, f"{axis_label(axis)} {{}}").format(value_text(value))


def fixed(value: float | None, digits: int = 2) -> str:
    """A number with this many digits after the point; a dash where there is none."""
    return "\N{EN DASH}" if value is None or pd.isna(value) else f"{value:,.{digits}f}"


def value_text(value: Any) -> str:
    """A value as it is shown and as it stands in links; different values give different texts."""
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(float(value))
    return {"True": "on", "False": "off"}.get(str(value), str(value))
