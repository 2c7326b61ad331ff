"""The colours of figures and page, light and dark; colour-blind readers can tell the families apart.

GAN is blue and EBGAN green as in the paper; the hues are those of Okabe and Ito (2008), lifted for
dark ground; the orange is darkened for light ground, to a contrast of 3:1.
"""

from collections.abc import Iterable

LIGHT = {
    "ink": "#1f2328",
    "muted": "#656d76",
    "rule": "#d0d7de",
    "surface": "#ffffff",
    "gan": "#0072b2",
    "ebgan": "#009e73",
    "ebgan-pt": "#b87700",
    "other": "#cc79a7",
}
DARK = {
    "ink": "#e6e8eb",
    "muted": "#9aa3ad",
    "rule": "#3a4048",
    "surface": "#15181c",
    "gan": "#4ea8de",
    "ebgan": "#2fc08f",
    "ebgan-pt": "#f2b43c",
    "other": "#dd9abf",
}


def hue(family: str) -> str:
    """Name of a family's colour; families that are not the paper's share one."""
    name = family.replace("_", "-")
    return name if name in ("gan", "ebgan", "ebgan-pt") else "other"


def declarations(colours: dict[str, str]) -> Iterable[str]:
    """CSS custom properties, one per colour."""
    return (f"--{name}: {value};" for name, value in colours.items())
