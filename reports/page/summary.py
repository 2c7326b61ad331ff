"""Sums up a report in lines for a terminal."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from reports.names import family_label
from reports.numbers.study import Study, recipe
from reports.numbers.values import WAITING
from reports.report import Section

_WIDTHS = (10, 14, 28, 28)  # of the columns of the table


def query_lines(url: str, score: str) -> list[str]:
    """Three lines of pandas that read the database at `url`, and a column of it."""
    return [
        "import pandas as pd",
        f'results = pd.read_sql("select * from results", "{url}")',
        f'results.groupby("space").{score}.describe()',
    ]


def summary(page: Path, sections: Sequence[Section], query: Sequence[str], left_out: Sequence[str] = ()) -> str:
    """How to query the database, what each study found with the shares of each family, and where the page is.

    Args:
        left_out: what no section holds, one sentence each.
    """
    lines = ["query it:", *(f"  {line}" for line in query), ""]
    for section in sections:
        lines += [*_shares(section), ""]
    if left_out:
        lines += [*left_out, ""]
    elif not sections:
        lines += ["no trials are declared", ""]
    return "\n".join([*lines, f"report: {page}"])


def _shares(section: Section) -> Iterator[str]:
    if section.finding is not None:
        yield section.finding.title
        yield from [section.finding.decides] if section.finding.decides else []
    yield f"grid {section.study.label}: {recipe(section.study)}"
    margins = section.study.margins
    if len(margins):
        yield f"margin study: {int((margins['outcome'] != WAITING).sum())} of {len(margins)} trials have ended"
    if section.shares is None:
        yield from _medians(section.study)
        return
    thresholds = section.shares.drop_duplicates("fraction")
    header = [f"above {row.fraction} of real ({row.threshold:.2f})" for row in thresholds.itertuples()]
    yield _row("family", "trials", header)
    for family, rows in section.shares.groupby("family", sort=False):
        first = rows.iloc[0]
        yield _row(
            family_label(str(family)), f"{first['cells']:,}/{first['declared']:,}", map(_share, rows.to_dict("records"))
        )
    if (section.shares["low"] < section.shares["high"]).any():
        yield "[95 % intervals for the whole grid; they hold at every moment of the sweep]"


def _medians(study: Study) -> Iterator[str]:
    """The median and the best score of each family, where no score of real images says what is much."""
    if study.identity is None:
        yield from ["no trial has a score"] if len(study.trials) else []
        return
    yield _row("family", "trials", [f"median {study.score.label}", "best"])
    for family, rows in study.trials.groupby("family", sort=False, observed=True):
        values = rows["value"].dropna()
        numbers = (f"{values.median():.3g}", f"{study.score.best(values):.3g}") if len(values) else ("-", "-")
        yield _row(family_label(str(family)), f"{len(values):,}/{len(rows):,}", numbers)


def _row(family: str, trials: str, shares: Iterable[str]) -> str:
    return "".join(
        word.ljust(max(width, len(word) + 2)) for word, width in zip((family, trials, *shares), _WIDTHS, strict=False)
    ).rstrip()


def _share(row: Mapping[Any, Any]) -> str:
    if not row["cells"]:
        return "-"
    interval = f" [{100 * row['low']:.1f}-{100 * row['high']:.1f}]" if row["low"] < row["high"] else ""
    return f"{100 * row['share']:5.1f} %{interval}"
