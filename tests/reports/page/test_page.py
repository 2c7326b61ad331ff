"""The page says what a database holds, whatever that is, and is safe against it."""

import re

import pandas as pd
import pytest
from made_results import cell, full_results, identities, results, sheet, steps_of
from reader import Reader

from reports.figures.figure import Sources
from reports.numbers.study import split_studies
from reports.page.page import render_page
from reports.report import Section, make_sections

HOSTILE = "<script>alert(1)</script>"


def page_of(rows: pd.DataFrame, sweeps: pd.DataFrame) -> str:
    return render_page(make_sections(rows), sweeps, ["import pandas as pd"])


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


@pytest.mark.usefixtures("undrawn")
def test_every_count_is_there(sweeps: pd.DataFrame) -> None:
    states = {"COMPLETE": 11, "DIVERGED": 12, "FAILED": 13, "RUNNING": 14, "WAITING": 15}
    rows = results(cell(1.0, state=state, family="ebgan") for state, n in states.items() for _ in range(n))
    words = Reader(page_of(rows, sweeps)).words
    assert "space declared complete diverged failed running waiting laptop/mnist_ebgan EBGAN 65 11 12 13 14 15" in words
    assert "EBGAN: 23 of 65 trials (12 diverged). Missing: 13 failed, 29 waiting." in words
    assert "The sweep is unfinished" in words


@pytest.mark.usefixtures("svg_alone")
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


@pytest.mark.usefixtures("svg_alone")
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
