"""The page: one HTML file that shows everything and fetches nothing."""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports.explorer.html import Explorer
from reports.figures.figure import Figure
from reports.names import configuration, family_label, fixed, short
from reports.numbers.comparisons import UNPAIRED
from reports.numbers.study import count_states, recipe
from reports.palette import DARK, LIGHT, declarations, hue
from reports.report import Section
from search_spaces.axis import fields_of

_FRACTION_WORDS = {"1/3": "a third", "2/3": "two thirds"}


def render_page(
    sections: Sequence[Section], sweeps: pd.DataFrame, query: Sequence[str], explorer: Explorer | None = None
) -> str:
    """HTML of the whole report.

    Args:
        sweeps: provenance, one row per execution: name, spaces, settings, code_version, started_at, finished_at.
        query: lines of Python that read the database, shown as they are.
        explorer: the interactive part; None leaves it out.
    """
    environment = Environment(
        loader=PackageLoader("reports.page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"family": family_label, "short": short, "hue": hue, "configuration": configuration}
    environment.filters |= {"inline": inline_svg, "data_uri": data_uri, "fixed": fixed}
    titles = _titles(sweeps)
    return environment.get_template("index.html").render(
        sections=[_describe(section, titles) for section in sections],
        sweeps=[_sweep(row) for row in sweeps.to_dict("records")][::-1],
        query=query,
        explorer=explorer,
        titles=list(dict.fromkeys(section.study.experiment.title for section in sections)),
        warned=next((i for i, one in enumerate(sections) if _warnings(one)), None),
        policy=_policy(explorer),
        light=declarations(LIGHT),
        dark=list(declarations(DARK)),
    )


def _policy(explorer: Explorer | None) -> Markup:
    """What the page may do: fetch nothing but pictures of its own folder, run no script but the explorer's."""
    scripts = f"; script-src {explorer.script_source}" if explorer else ""
    closed = "default-src 'none'; base-uri 'none'; form-action 'none'"
    return Markup(f"{closed}; img-src 'self' data:; style-src 'unsafe-inline'{scripts}")


def inline_svg(figure: Figure) -> Markup:
    """The figure's SVG for a place inside the page: with ids of its own, and colours that follow the page's."""
    text = figure.picture.svg.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text)
    text = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{figure.name}-", text)
    for name, colour in LIGHT.items():
        text = text.replace(colour, f"var(--{name})")
    return Markup(text)  # our own figures made it, and they escape what they print


def data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _titles(sweeps: pd.DataFrame) -> dict[str, str]:
    """The titles of search spaces that were given one, by name."""
    declared = [pair for spaces in sweeps["spaces"] for pair in spaces.items()]
    return {name: record["title"] for name, record in declared if record.get("title", name) != name}


def _describe(section: Section, titles: Mapping[str, str]) -> dict[str, Any]:
    study = section.study
    given = [titles.get(space) for space in study.declared["space"].unique()]
    counts = count_states(study.declared)
    devices = study.declared["device"].dropna().value_counts()
    return {
        "study": study,
        "heading": ", ".join(map(short, filter(None, given))) if all(given) else f"The {study.name} grid",
        "recipe": recipe(study),
        "figures": section.figures,
        "warnings": _warnings(section),
        "has_noise": any(one.name == "z_seed" for one in fields_of(study.experiment.scoring)),
        "shares_name": section.shares_name,
        "findings": [] if section.shares is None else list(_findings(section.shares)),
        "compared": [
            row for figure in section.figures if figure.key == "comparisons" for row in _compared(figure.table)
        ],
        "counts": counts.to_dict("records"),
        "totals": counts.drop(columns=["space", "family"]).sum().to_dict(),
        "devices": [f"{device} ({n:,} trials)" for device, n in devices.items()],
        "latest": _time(study.declared["finished_at"].dropna().astype(str).max()),
    }


def _warnings(section: Section) -> tuple[tuple[str, str], ...]:
    return tuple(warning for figure in section.figures for warning in figure.warnings)


def _findings(shares: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Per family: its name, how many of its trials are known, and its shares with their thresholds in words."""
    for family, rows in shares.groupby("family", sort=False):
        steps = [row | {"words": _FRACTION_WORDS[row["fraction"]]} for row in rows.to_dict("records")]
        yield {"family": family, "cells": steps[0]["cells"], "declared": steps[0]["declared"], "steps": steps}


def _compared(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Per comparison: the two sides, their trials, and the measures of the sentence in percent with their intervals."""
    measures = {"third": "difference of the share above 1/3", "wins": "probability of winning"}
    for (one, other), rows in table.groupby(["one", "other"], sort=False):
        found: dict[str, Any] = {row["measure"]: row for row in rows.to_dict("records")}
        effects = {
            name: {key: 100 * found[measure][key] for key in ("estimate", "low", "high")}
            for name, measure in measures.items()
        }
        first = rows.iloc[0]
        sides = {"one": one, "other": other, "is_paired": first["pairing"] != UNPAIRED}
        yield sides | {"sizes": (first["cells_one"], first["cells_other"])} | effects


def _sweep(row: Mapping[Any, Any]) -> dict[str, Any]:
    facts = {"code version": row["code_version"], "started": _time(row["started_at"])}
    facts |= {"finished": _time(row["finished_at"]), "spaces": ", ".join(map(short, row["spaces"]))}
    return {
        "name": row["name"],
        "facts": facts | dict(_flat(row["settings"])),
        "spaces": {short(name): dict(_flat(declared)) for name, declared in row["spaces"].items()},
    }


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as dotted names and text."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _time(moment: Any) -> str:
    """To the second, UTC; "not yet" where there is none."""
    return "not yet" if pd.isna(moment) else f"{str(moment)[:19]} UTC"
