"""The report of a full grid: the page is complete, needs no other file, and each figure has its numbers as CSV.

These tests are in one file because one process runs it: the report, which takes seconds to make, is then made once.
"""

import io
import re

import pandas as pd
import pytest
from made_results import full_results
from reader import Reader

from reports.report import Section

Report = tuple[list[Section], dict[str, bytes], float]


@pytest.fixture(scope="module")
def full_page(full_report: Report) -> str:
    return full_report[1]["index.html"].decode()


def test_nothing_is_fetched(full_page: str) -> None:
    reader = Reader(full_page)
    assert not {"link", "script", "iframe", "object"} & set(reader.tags)
    assert "http://" not in full_page and "https://" not in full_page and "@import" not in full_page
    assert not re.findall(r"url\((?!#)", full_page)
    for tag, value in reader.references:
        local_file = tag == "a" and re.fullmatch(r"[a-z0-9-]+\.(svg|png|pdf|csv)", value)
        assert local_file or value.startswith(("#", "data:image/png;base64,"))


def test_links_lead_to_files_of_the_report(full_report: Report) -> None:
    files = full_report[1]
    links = {value for tag, value in Reader(files["index.html"].decode()).references if tag == "a"}
    assert {link for link in links if not link.startswith("#")} == set(files) - {"index.html"}


def test_the_contents_name_the_parts_in_their_order(full_page: str) -> None:
    contents = re.search(r"<nav.*?</nav>", full_page, re.DOTALL)
    assert contents
    places = [value[1:] for _, value in Reader(contents[0]).references]
    ids = Reader(full_page).ids
    assert [one for one in ids if one in places] == places
    headings = "Finding Comparisons Distributions What decides Samples Training Details Provenance"
    assert Reader(contents[0]).words == headings


def test_a_narrow_screen_has_each_panel_and_each_entry_of_the_legend(full_page: str) -> None:
    figure = re.search(r'<figure id="figure2">.*?</figure>', full_page, re.DOTALL)
    assert figure
    parts = re.findall(r'<svg class="part( key)?" viewBox="(.*?)" style=".*?">(.*?)</svg>', figure[0])
    assert [bool(key) for key, _, _ in parts] == 4 * [True] + 3 * [False]  # three families and the paper
    panels = [re.findall(r"#figure2-(axes_\d)", uses) for key, _, uses in parts if not key]
    assert panels == [[f"axes_{n}" for n in (column, column + 3, column + 6)] for column in (1, 2, 3)]
    for column, letter in enumerate("abc", start=1):
        axes = figure[0][figure[0].index(f'id="figure2-axes_{column}"') :]
        assert f"({letter})" in axes[: axes.index(f'id="figure2-axes_{column + 1}"')]


def test_inner_references_resolve_and_ids_are_unique(full_page: str) -> None:
    reader = Reader(full_page)
    assert len(reader.ids) == len(set(reader.ids))
    inner = {value[1:] for _, value in reader.references if value.startswith("#")}
    assert inner | set(re.findall(r"url\(#([^)]*)\)", full_page)) <= set(reader.ids)


def test_figures_follow_the_colours_of_the_page(full_page: str) -> None:
    drawing = full_page[full_page.index("<svg") :]
    assert "var(--gan)" in drawing and "#0072b2" not in drawing


def test_families_are_compared_in_a_row_each(full_report: Report, full_page: str) -> None:
    words = Reader(full_page).words
    rows = full_results()
    ebgan, gan = (rows.loc[rows["family"] == family, "score"] for family in ("ebgan", "gan"))
    third = 100 * ((ebgan > 5).mean() - (gan > 5).mean())
    wins = 100 * (ebgan.to_numpy()[:, None] > gan.to_numpy()).mean()
    row = rf"EBGAN vs. GAN {wins:.1f} % interval \S+ % \{third:+.1f} points interval \S+ to \S+ 512, 6,144"
    assert re.search(row, words)
    assert "EBGAN-PT vs. EBGAN, same settings " in words and "EBGAN vs. GAN with Adam, 0.001 " in words
    assert words.count(", same settings") == 1


def test_a_finished_sweep_is_not_called_unfinished(full_page: str) -> None:
    assert "The sweep is unfinished" not in full_page


def test_the_title_and_both_warnings_are_given(full_page: str) -> None:
    assert '<p class="eyebrow">GANs and energy-based GANs on MNIST (Zhao, Mathieu and LeCun, 2016)</p>' in full_page
    assert "Scores depend on the classifier." in full_page
    assert "The score hardly sees lost modes." in full_page


def test_provenance_is_complete(full_page: str) -> None:
    words = Reader(full_page).words
    for fact in ("abc1234", "2026-01-02 03:04:05 UTC", "not yet", "workers 2", "c" * 64, "cpu (7,168 trials)"):
        assert fact in words
    assert "steps 300" in words and "batch size 64" in words


def test_a_full_grid_is_reported_in_time(full_report: Report) -> None:
    assert full_report[2] < 20


def test_every_figure_has_its_four_files(full_report: Report) -> None:
    files = full_report[1]
    ours = ("survival", "best-of-n", "course", "comparisons", "what-matters", "main-effects", "pairs")
    names = (*(f"figure{number}" for number in (2, 3, 4)), *ours)
    expected = {f"{name}.{ending}" for name in names for ending in ("svg", "png", "pdf", "csv")}
    assert set(files) == expected | {"shares.csv", "index.html"}
    assert list(files)[-1] == "index.html"
    assert all(files[name].startswith(b"\x89PNG") for name in files if name.endswith("png"))
    assert all(files[name].startswith(b"%PDF") for name in files if name.endswith("pdf"))


def test_csv_files_equal_the_tables(full_report: Report) -> None:
    sections, files, _ = full_report
    for figure in sections[0].figures:
        types = {name: figure.table[name].dtype for name in {"trial_id", "cells"} & set(figure.table)}
        mixed = dict.fromkeys({"value", "other_value"} & set(figure.table), str)  # of axes of all kinds
        written = pd.read_csv(io.BytesIO(files[f"{figure.name}.csv"]), dtype=types | mixed)
        pd.testing.assert_frame_equal(written, figure.table.astype(mixed), check_dtype=False, rtol=0, atol=0)
