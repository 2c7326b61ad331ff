"""Colours: what must be seen stands out from its ground (WCAG 2, criteria 1.4.3 and 1.4.11)."""

import pytest

from reports.palette import DARK, LIGHT


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_lines_and_points_have_a_contrast_of_3_and_words_of_4_5(colours: dict[str, str]) -> None:
    ground = luminance(colours["surface"])
    for name in ("gan", "ebgan", "ebgan-pt", "other", "ink", "muted"):
        low, high = sorted((ground, luminance(colours[name])))
        assert (high + 0.05) / (low + 0.05) >= (4.5 if name in ("ink", "muted") else 3.0), name
