"""The explorer as a piece of HTML: style, elements, data and script. It fetches nothing."""

import base64
import hashlib
import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from reports.explorer.data import ATTEMPT_COLUMNS, study_data
from reports.explorer.sheets import Sheets
from reports.numbers.prefix import finished_prefix
from reports.numbers.study import Study

_HERE = Path(__file__).parent
# In order: each uses only what stands before it.
SCRIPTS = (
    *("elements", "numbers", "address", "grid", "seen", "filters", "binning", "histogram", "controls"),
    *("sample", "table", "trial", "gallery", "parallel", "views"),
)


@dataclass(frozen=True)
class Explorer:
    """A part of the page, and the source that the page's security policy has to allow as a script."""

    html: Markup
    script_source: str


NO_ATTEMPTS = pd.DataFrame(columns=ATTEMPT_COLUMNS)
NO_SHEETS = Sheets()


def explore(
    studies: Sequence[Study],
    url: str,
    sheets: Sheets = NO_SHEETS,
    attempts: pd.DataFrame = NO_ATTEMPTS,
) -> Explorer | None:
    """The explorer of these studies and of their margins; None where there is no trial at all.

    Args:
        url: of the database, without a password; it stands in the commands that repeat a trial.
        sheets, attempts: as in `study_data`.
    """
    parts = [
        study_data(study, trials, prefix, name, attempts, sheets) for study, name, trials, prefix in grids_of(studies)
    ]
    return render({"database": shlex.quote(url), "grids": parts}) if parts else None


def grids_of(studies: Sequence[Study]) -> Iterator[tuple[Study, str, pd.DataFrame, pd.DataFrame]]:
    """What the reader can choose between: study, name, trials, and their finished prefix."""
    for study in studies:
        if len(study.trials):
            yield study, f"{study.label} grid", study.trials, study.prefix
        if len(study.margins):
            yield study, f"{study.label} margins", study.margins, finished_prefix(study.margins)


def render(data: dict[str, Any]) -> Explorer:
    """The explorer for the data that its script reads; it has no `<` left, so nothing in it ends its element."""
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
    """All scripts inside one function, so that no name of theirs is global."""
    files = "\n".join(_read(f"{name}.js") for name in SCRIPTS)
    return f'\n(() => {{\n"use strict";\n{files}}})();\n'


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
