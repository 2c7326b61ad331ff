"""The explorer as a piece of HTML: style, skeleton, data and script, each of them once and nothing fetched."""

import base64
import hashlib
import json
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from reports.explorer.data import ATTEMPT_COLUMNS, grid_data
from reports.explorer.presets import published
from reports.numbers.learning_curves import NO_STEPS
from reports.numbers.study import Grid

_HERE = Path(__file__).parent
# In order: each uses only what stands before it.
SCRIPTS = (
    *("elements", "numbers", "address", "grid", "filters", "binning", "histogram", "controls"),
    *("sample", "table", "trial", "gallery", "parallel", "views"),
)


@dataclass(frozen=True)
class Explorer:
    """What goes into the page, and the source that its security policy has to allow as a script."""

    html: Markup
    script_source: str


NO_ATTEMPTS = pd.DataFrame(columns=ATTEMPT_COLUMNS)


def explore(
    grids: Sequence[Grid],
    url: str,
    sheets: Collection[str],
    attempts: pd.DataFrame = NO_ATTEMPTS,
    steps: pd.DataFrame = NO_STEPS,
) -> Explorer | None:
    """The explorer of these grids and their margin studies; None where there is no cell at all.

    Args:
        url: of the database, without a password; it stands in the commands that repeat a trial.
        sheets, attempts, steps: as in `grid_data`.
    """
    parts = [
        grid_data(grid, cells, name, attempts, steps, sheets)
        for grid in grids
        for name, cells in ((f"{grid.folder} grid", grid.cells), (f"{grid.folder} margins", grid.margins))
        if len(cells)
    ]
    return render({"database": shlex.quote(url), "published": published(), "grids": parts}) if parts else None


def render(data: dict[str, Any]) -> Explorer:
    """The fragment for what the script reads; no `<` is left in the data, so nothing in it can end its element."""
    script = _script()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    parts = (
        f"<style>\n{_read('explorer.css')}</style>",
        _read("explorer.html"),
        f'<script type="application/json" class="explorer-data">{text}</script>',
        f"<script>{script}</script>",
    )
    return Explorer(Markup("\n".join(parts)), f"'sha256-{digest}'")


def _script() -> str:
    """All files as one function, so that nothing of them can be reached from outside."""
    files = "\n".join(_read(f"{name}.js") for name in SCRIPTS)
    return f'\n(() => {{\n"use strict";\n{files}}})();\n'


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
