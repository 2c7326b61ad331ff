"""What families and axes are called in print: the names of Zhao et al. (2016), table 1."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

SCORE = "I\N{PRIME}"  # the paper's sign for it
LETTERS = 60  # of a name in print; much longer text takes figures minutes to lay out
FAMILIES = {"gan": "GAN", "ebgan": "EBGAN", "ebgan_pt": "EBGAN-PT"}
AXES = {
    "n_layer_g": "nLayerG",
    "n_layer_d": "nLayerD",
    "size_g": "sizeG",
    "size_d": "sizeD",
    "dropout_d": "dropoutD",
    "optim_d": "optimD",
    "optim_g": "optimG",
    "lr": "lr",
    "margin": "margin",
    "pt_weight": "PT weight",
}


def family_label(family: str) -> str:
    """Its name in print; an unknown one as `short` gives it."""
    return FAMILIES.get(family) or short(family)


def short(name: str) -> str:
    """At most 60 letters of a name that anybody may have given, without what can't be printed."""
    text = "".join(letter for letter in name[: LETTERS + 1] if letter.isprintable())
    return text if len(name) <= LETTERS else f"{text[: LETTERS - 1]}\N{HORIZONTAL ELLIPSIS}"


def in_order(families: Iterable[str]) -> list[str]:
    """Each family once: the paper's in the paper's order, then any others by name."""
    order = list(FAMILIES)
    distinct = families.unique() if isinstance(families, pd.Series) else set(families)
    return sorted(distinct, key=lambda name: (order.index(name) if name in order else len(order), name))


def configuration(cell: Mapping[Any, Any]) -> str:
    """One cell's settings in the paper's words, leaving out those that its family does not have."""
    shown = {label: cell[axis] for axis, label in AXES.items() if cell[axis] is not None and cell[axis] == cell[axis]}
    if not shown.get("PT weight"):
        shown.pop("PT weight", None)  # 0 says that there is no such term
    return ", ".join(f"{label} {_plain(value)}" for label, value in shown.items())


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return {"True": "on", "False": "off"}.get(str(value), str(value))
