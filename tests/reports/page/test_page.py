"""The page: complete, self-contained, and safe against what a database may hold."""

import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from made_results import cell, full_results, identities, results, sheet, steps_of

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


@pytest.mark.usefixtures("undrawn")
def test_the_finding_names_shares_intervals_and_cells(sweeps: pd.DataFrame) -> None:
    rows = [cell(score, family="ebgan") for score in (6.0, 11.0, 1.0, 1.0, None)]
    words = Reader(page_of(results(rows), sweeps)).words
    assert "EBGAN 50 % of 4 of 5 trials interval 40.0\N{EN DASH}60.0 %" in words
    assert "EBGAN 50.0 % (2) interval 40.0\N{EN DASH}60.0 % 25.0 % (1) interval 20.0\N{EN DASH}40.0 % 4 of 5" in words


@pytest.mark.usefixtures("undrawn")
def test_the_finding_is_the_title_and_what_decides_stands_below(sweeps: pd.DataFrame) -> None:
    scores = {False: (6.0, 1.0, 7.0), True: (1.0, 2.0, 3.0)}
    settings = [(dropout, n) for dropout in scores for n in range(3)]
    rows = [cell(scores[d][n], family="ebgan", dropout_d=d, size_g=n) for d, n in settings]
    page = page_of(results(rows), sweeps)
    found = make_sections(results(rows))[0].finding
    assert found and found.decides
    assert f"<h1>{found.title}</h1>" in page
    assert Reader(page).words.count(found.decides) == 2  # at the top, and with the figures about it
    assert "Without dropout in the discriminator 2 of 3 EBGANs pass a third" in found.decides


@pytest.mark.usefixtures("undrawn")
def test_bars_show_the_first_classifier_and_the_range_over_all(sweeps: pd.DataFrame) -> None:
    rows = results([cell(score, family="ebgan") for score in (6.0, 6.0, 1.0, 1.0)])
    steps = steps_of({1: {300: [6.0, 6.0, 1.0, 1.0]}, 2: {300: [9.0, 9.0, 9.0, 1.0]}})
    sources = Sources(steps=steps, identities=identities("one", "two"))
    page = render_page(make_sections(rows, sources), sweeps, [])
    assert 'class="share" style="width: 50.0%"' in page
    assert 'class="range" style="left: 50.0%; width: 25.0%"' in page
    assert "EBGAN 50 % of 4 trials range 50.0\N{EN DASH}75.0 %" in Reader(page).words
    (bars,) = re.findall(r'<div class="bars">.*?</div>\s*</div>', page, re.DOTALL)
    assert "interval" not in bars


def test_families_are_compared_in_a_row_each(
    full_report: tuple[list[Section], dict[str, bytes], float], full_page: str
) -> None:
    words = Reader(full_page).words
    rows = full_results()
    ebgan, gan = (rows.loc[rows["family"] == family, "score"] for family in ("ebgan", "gan"))
    third = 100 * ((ebgan > 5).mean() - (gan > 5).mean())
    wins = 100 * (ebgan.to_numpy()[:, None] > gan.to_numpy()).mean()
    row = rf"EBGAN vs. GAN {wins:.1f} % interval \S+ % \{third:+.1f} points interval \S+ to \S+ 512, 6,144"
    assert re.search(row, words)
    assert "EBGAN-PT vs. EBGAN, same settings " in words and "EBGAN vs. GAN with Adam, 0.001 " in words
    assert words.count(", same settings") == 1


@pytest.mark.usefixtures("undrawn")
def test_every_count_is_there(sweeps: pd.DataFrame) -> None:
    states = {"COMPLETE": 11, "DIVERGED": 12, "FAILED": 13, "RUNNING": 14, "WAITING": 15}
    rows = results(cell(1.0, state=state, family="ebgan") for state, n in states.items() for _ in range(n))
    words = Reader(page_of(rows, sweeps)).words
    assert "space declared complete diverged failed running waiting laptop/mnist_ebgan EBGAN 65 11 12 13 14 15" in words
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
    assert "<h2>Small &lt;nets&gt;, Others</h2>" in page and "<h2>The laptop/mnist_gan grid</h2>" in page
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
