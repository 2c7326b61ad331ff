"""The page: complete, self-contained, and safe against what a database may hold."""

import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from made_results import cell, full_results, results, sheet

from reports.figures.figure import Sources
from reports.numbers.study import split_studies
from reports.page.page import render_page
from reports.report import Section, make_sections

HOSTILE = "<script>alert(1)</script>"


class Reader(HTMLParser):
    """Collects the text of a page and everything that its attributes refer to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.tags, self.references, self.ids = "", [], [], []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.text += " "
        self.tags.append(tag)
        self.references += [(tag, value or "") for name, value in attrs if name in ("src", "href", "xlink:href")]
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


def page_of(rows: pd.DataFrame, sweeps: pd.DataFrame) -> str:
    return render_page(make_sections(rows), sweeps, ["import pandas as pd"])


@pytest.fixture(scope="module")
def full_page(full_report: tuple[list[Section], dict[str, bytes], float]) -> str:
    return full_report[1]["index.html"].decode()


def test_nothing_is_fetched(full_page: str) -> None:
    reader = Reader(full_page)
    assert not {"link", "script", "iframe", "object"} & set(reader.tags)
    assert "http://" not in full_page and "https://" not in full_page and "@import" not in full_page
    assert not re.findall(r"url\((?!#)", full_page)
    for tag, value in reader.references:
        local_file = tag == "a" and re.fullmatch(r"[a-z0-9-]+\.(svg|png|pdf|csv)", value)
        assert local_file or value.startswith(("#", "data:image/png;base64,"))


def test_links_lead_to_files_of_the_report(full_report: tuple[list[Section], dict[str, bytes], float]) -> None:
    files = full_report[1]
    links = {value for tag, value in Reader(files["index.html"].decode()).references if tag == "a"}
    assert links == set(files) - {"index.html"}


def test_inner_references_resolve_and_ids_are_unique(full_page: str) -> None:
    reader = Reader(full_page)
    assert len(reader.ids) == len(set(reader.ids))
    inner = {value[1:] for _, value in reader.references if value.startswith("#")}
    assert inner | set(re.findall(r"url\(#([^)]*)\)", full_page)) <= set(reader.ids)


def test_figures_follow_the_colours_of_the_page(full_page: str) -> None:
    drawing = full_page[full_page.index("<svg") :]
    assert "var(--gan)" in drawing and "#0072b2" not in drawing


@pytest.mark.usefixtures("undrawn")
def test_the_finding_names_shares_intervals_and_cells(sweeps: pd.DataFrame) -> None:
    rows = [cell(score, family="ebgan") for score in (6.0, 11.0, 1.0, 1.0, None)]
    words = Reader(page_of(results(rows), sweeps)).words
    assert "EBGAN puts 50.0 % of its trials above a third of the real-data score (2 trials; interval 40.0" in words
    assert "and 25.0 % above two thirds (1 trial; interval 20.0\N{EN DASH}40.0" in words
    assert "on 4 of 5 trials." in words


def test_families_are_compared_in_a_sentence_each(
    full_report: tuple[list[Section], dict[str, bytes], float], full_page: str
) -> None:
    words = Reader(full_page).words
    rows = full_results()
    ebgan, gan = (rows.loc[rows["family"] == family, "score"] for family in ("ebgan", "gan"))
    third = 100 * ((ebgan > 5).mean() - (gan > 5).mean())
    assert f"EBGAN compared with GAN: {third:+.1f} percentage points in the share above a third (" in words
    assert "EBGAN-PT compared with EBGAN: " in words and "EBGAN compared with GAN with Adam, 0.001: " in words
    assert words.count("scores higher than the one with the same settings of the second with a probability of ") == 1
    assert words.count("scores higher than one of the second with a probability of ") == 2
    assert "on 512 and 6,144 trials." in words


@pytest.mark.usefixtures("undrawn")
def test_every_count_is_there(sweeps: pd.DataFrame) -> None:
    states = {"COMPLETE": 11, "DIVERGED": 12, "FAILED": 13, "RUNNING": 14, "WAITING": 15}
    rows = results(cell(1.0, state=state, family="ebgan") for state, n in states.items() for _ in range(n))
    words = Reader(page_of(rows, sweeps)).words
    assert "laptop/mnist_ebgan EBGAN 65 11 12 13 14 15" in words
    assert "EBGAN: 23 of 65 trials (12 diverged). Missing: 13 failed, 29 waiting." in words
    assert "The sweep is unfinished" in words


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


def test_hostile_values_are_text(sweeps: pd.DataFrame) -> None:
    spaces = {HOSTILE: {"family": HOSTILE, HOSTILE: [HOSTILE]}}
    evil = sweeps.assign(name=HOSTILE, code_version=HOSTILE, settings=[{HOSTILE: {HOSTILE: HOSTILE}}], spaces=[spaces])
    rows = results(
        [cell(3.0, family=HOSTILE, space=f"{HOSTILE}/a", formula=HOSTILE, device=HOSTILE, optim_g="$\\frac$")]
    )
    page = page_of(rows, evil)
    assert "script" not in Reader(page).tags
    assert HOSTILE not in page
    assert Reader(page).text.count(HOSTILE) > 8


@pytest.mark.usefixtures("undrawn")
def test_a_note_says_what_is_left_out(sweeps: pd.DataFrame) -> None:
    words = Reader(page_of(results(cell(3.0, family="ebgan", z_seed=seed) for seed in (0, 0, 7)), sweeps)).words
    assert "1 trial was scored another way" in words and "z seed 7" in words


def test_no_finished_trial_is_still_a_page(sweeps: pd.DataFrame) -> None:
    page = page_of(results([cell(), cell(family="ebgan")]), sweeps)
    assert "No trial of this grid has a score." in page
    assert page.count("no trials") == 18


def test_no_trial_at_all_is_still_a_page(sweeps: pd.DataFrame) -> None:
    page = page_of(full_results().iloc[:0], sweeps.iloc[:0])
    assert "No trials are declared" in page and "Nothing was run" in page


def test_a_grid_is_called_by_the_titles_of_its_spaces_or_by_its_name(sweeps: pd.DataFrame) -> None:
    rows = results([cell(space="mine"), cell(family="ebgan", space="yours"), cell(space="laptop/mnist_gan")])
    spaces = {"mine": {"title": "Small <nets>"}, "yours": {"title": "Others"}, "laptop/mnist_gan": {"family": "gan"}}
    sections = [Section(study, None, "shares", ()) for study in split_studies(rows)]
    page = render_page(sections, sweeps.assign(spaces=[spaces]), [])
    assert "<h2>Small &lt;nets&gt;, Others</h2>" in page and "<h2>The laptop grid</h2>" in page
    del spaces["yours"]["title"]
    assert "<h2>The mine, yours grid</h2>" in render_page(sections, sweeps.assign(spaces=[spaces]), [])


@pytest.mark.slow
def test_each_grid_has_its_section_and_its_files(sweeps: pd.DataFrame) -> None:
    others = [cell(9.0, family="ebgan", space="paper/mnist_ebgan", steps=steps) for steps in (9, 10)]
    rows = [cell(3.0, family="ebgan"), cell(3.5, family="ebgan"), *others]
    sections = make_sections(results(rows), Sources(lambda trial_ids: dict.fromkeys(trial_ids, sheet())))
    assert [section.study.name for section in sections] == ["laptop", "paper", "paper"]
    names = [section.figures[0].name for section in sections]
    assert names == ["figure2", "figure2-paper", "figure2-paper-2"]
    page = render_page(sections, sweeps, [])
    assert page.count('<figure id="figure') == 6 and page.count("Scores depend on the classifier.") == 1
    reader = Reader(page)
    assert len(reader.ids) == len(set(reader.ids))
