"""The page: one HTML file that shows everything and fetches nothing."""

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports.explorer.html import Explorer
from reports.figures.figure import Figure
from reports.names import configuration, family_label, fixed, short
from reports.numbers.comparisons import UNPAIRED
from reports.numbers.finding import percent
from reports.numbers.study import count_states, recipe
from reports.page.contents import parts_of
from reports.page.provenance import facts_of, moment
from reports.palette import DARK, LIGHT, declarations, hue
from reports.report import Section
from search_spaces.axis import fields_of

_FOLLOW = Path(__file__).parent / "templates" / "follow.js"


def render_page(
    sections: Sequence[Section],
    sweeps: pd.DataFrame,
    query: Sequence[str],
    explorer: Explorer | None = None,
    made: str = "",
    left_out: Sequence[str] = (),
) -> str:
    """HTML of the whole report.

    Args:
        sweeps: provenance, one row per execution: name, spaces, settings, code_version, started_at, finished_at.
        query: lines of Python that read the database, shown as they are.
        explorer: the interactive part; None leaves it out.
        made: when a report that follows a sweep was made; its page asks its server for newer ones (`reports.serve`).
        left_out: what no section holds, one sentence each.
    """
    environment = Environment(
        loader=PackageLoader("reports.page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"family": family_label, "short": short, "hue": hue, "configuration": configuration}
    environment.filters |= {"inline": inline_svg, "parts": narrow_parts, "data_uri": data_uri, "fixed": fixed}
    environment.filters |= {"percent": percent}
    titles = _titles(sweeps)
    follow = Markup(f"\n{_FOLLOW.read_text(encoding='utf-8')}") if made else Markup()
    first = sections[0].finding if sections else None
    return environment.get_template("index.html").render(
        title=first.title if first else "Scores over the grid",
        sections=[_describe(n, section, titles, explorer) for n, section in enumerate(sections)],
        sweeps=[facts_of(row) for row in sweeps.to_dict("records")][::-1],
        query=query,
        explorer=explorer,
        titles=list(dict.fromkeys(section.study.experiment.title for section in sections)),
        warned=next((i for i, one in enumerate(sections) if _warnings(one)), None),
        policy=_policy(explorer, follow),
        made=made,
        left_out=left_out,
        follow=follow,
        light=declarations(LIGHT),
        dark=list(declarations(DARK)),
    )


def _policy(explorer: Explorer | None, follow: str) -> Markup:
    """What the page may do: fetch nothing but pictures of its own folder, run no script but those given.

    A page that follows a sweep may also ask its own server.
    """
    sources = [explorer.script_source] if explorer else []
    if follow:
        sources.append(f"'sha256-{base64.b64encode(hashlib.sha256(follow.encode()).digest()).decode()}'")
    scripts = f"; script-src {' '.join(sources)}" if sources else ""
    asks = "; connect-src 'self'" if follow else ""
    closed = "default-src 'none'; base-uri 'none'; form-action 'none'"
    return Markup(f"{closed}; img-src 'self' data:; style-src 'unsafe-inline'{scripts}{asks}")


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


def narrow_parts(figure: Figure) -> Markup:
    """Views of the inline SVG for a narrow screen: its legend and its panels, one below the other."""
    views = []
    for part in figure.picture.parts:
        width = part.box[2]
        size = f"width: {1.2 * width:.0f}px" if part.is_key else f"max-width: {1.5 * width:.0f}px"
        uses = "".join(f'<use href="#{figure.name}-{group}"/>' for group in part.groups)
        box = " ".join(f"{number:.1f}" for number in part.box)
        views.append(f'<svg class="part{" key" * part.is_key}" viewBox="{box}" style="{size}">{uses}</svg>')
    return Markup("\n".join(views))


def data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _titles(sweeps: pd.DataFrame) -> dict[str, str]:
    """The titles of search spaces that were given one, by name."""
    declared = [pair for spaces in sweeps["spaces"] for pair in spaces.items()]
    return {name: record["title"] for name, record in declared if record.get("title", name) != name}


def _describe(number: int, section: Section, titles: Mapping[str, str], explorer: Explorer | None) -> dict[str, Any]:
    study = section.study
    given = [titles.get(space) for space in study.declared["space"].unique()]
    counts = count_states(study.declared)
    counts = counts.loc[:, [name in ("space", "family", "declared") or counts[name].any() for name in counts]]
    devices = study.declared["device"].dropna().value_counts()
    anchor = f"-{number + 1}" if number else ""
    return {
        "study": study,
        "anchor": anchor,
        "heading": ", ".join(map(short, filter(None, given))) if all(given) else f"The {study.label} grid",
        "recipe": recipe(study),
        "finding": section.finding,
        "shares": _shares(section),
        "parts": list(parts_of(section.figures, has_explorer=number == 0 and explorer is not None)),
        "warnings": _warnings(section),
        "has_noise": any(one.name == "z_seed" for one in fields_of(study.experiment.scoring)),
        "shares_name": section.shares_name,
        "compared": [
            row for figure in section.figures if figure.key == "comparisons" for row in _compared(figure.table)
        ],
        "counts": counts.to_dict("records"),
        "totals": counts.drop(columns=["space", "family"]).sum().to_dict(),
        "devices": [f"{device} ({n:,} trials)" for device, n in devices.items()],
        "latest": moment(study.declared["finished_at"].dropna().astype(str).max()),
    }


def _warnings(section: Section) -> tuple[tuple[str, str], ...]:
    return tuple(warning for figure in section.figures for warning in figure.warnings)


def _shares(section: Section) -> list[dict[str, Any]]:
    """Per family: its name, its trials, and its shares above a third and above two thirds."""
    if section.shares is None:
        return []
    over = {(one.family, one.fraction): one for one in (section.finding.shares if section.finding else ())}
    found: dict[str, list[dict[Any, Any]]] = {}
    for row in section.shares.to_dict("records"):
        known = over.get((row["family"], row["fraction"]))
        ends = (known.least, known.most) if known else (None, None)
        found.setdefault(row["family"], []).append(row | {"least": ends[0], "most": ends[1]})
    return [
        {"family": family, "cells": own[0]["cells"], "declared": own[0]["declared"], "steps": own}
        for family, own in found.items()
    ]


def _compared(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Per comparison: the two sides, their trials, and two measures in percent with their intervals."""
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
