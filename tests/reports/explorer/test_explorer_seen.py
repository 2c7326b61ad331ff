"""Other classifiers, other scored steps, and marks in the explorer, in a browser."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from explored import best, cells, expected, make_report, same
from in_browser import Open, address, listed, listed_trials, needs_chromium, numbers, open_first, sync_api
from made_results import cell, identities, results, steps_of

from reports.explorer import seen

pytestmark = needs_chromium


def slide(page: Any, place: int) -> None:
    page.locator("[data-control=step]").fill(str(place))


@pytest.mark.slow
class TestSeen:
    def test_the_slider_shows_the_scores_of_a_step(self, visit: Open) -> None:
        page = visit()
        slide(page, 0)
        same(numbers(page), expected(factor=0.25))
        assert "step=100" in address(page)
        assert page.locator(".slider output").inner_text() == "after 100 of 300 updates"
        assert page.locator("[data-control=step]").get_attribute("aria-valuetext") == "after 100 of 300 updates"
        slide(page, 2)
        same(numbers(page), expected())
        assert "step" not in address(page)

    def test_the_select_shows_the_scores_of_a_classifier(self, visit: Open) -> None:
        page = visit("#step=200&families=ebgan")
        page.locator("[data-control=classifier]").select_option("second")
        same(numbers(page), expected(factor=0.2)[["EBGAN"]])
        words = "I\N{PRIME} is shown after 200 of 300 updates under the classifier second. "
        assert page.locator(".seen").inner_text() == f"{words}Everything else is from the end of training, under first."
        score = cells().set_index("trial_id").loc[best(), "score"]
        assert page.locator(".list tbody a").first.inner_text() == f"{0.2 * score:.3f}"

    def test_range_and_bar_are_of_what_is_shown(self, visit: Open) -> None:
        page = visit("#step=100&classifier=second&range=0.2,0.4")
        score = 0.1 * cells()["score"]
        assert listed(page).startswith(f"{score.between(0.2, 0.4).sum():,} trials pass the filters")
        slide(page, 1)
        assert "range" not in address(page)
        page = visit("#bar=ebgan:3")
        page.locator("[data-control=classifier]").select_option("second")
        assert "bar" not in address(page)

    def test_an_address_restores_both(self, visit: Open) -> None:
        page = visit("#step=100&classifier=second")
        assert page.locator("[data-control=step]").input_value() == "0"
        assert page.locator("[data-control=classifier]").input_value() == "second"
        same(numbers(page), expected(factor=0.1))
        same(numbers(visit("#step=7&classifier=nobody")), expected())

    def test_a_trial_has_its_scores_by_classifier_and_step(self, visit: Open) -> None:
        page = visit("#step=100&classifier=second&families=ebgan")
        open_first(page)
        words = " ".join(page.locator(".one").inner_text().split())
        score = cells().set_index("trial_id").loc[best(), "score"]
        share = f"{10 * score / 14:.1f} % of the score of real data (14.00 nats)"
        assert f"EBGAN, scored {0.1 * score:.3f} nats, {share}" in words
        assert "Everything else is from the end of training, under first." in words
        for name, shares in (("first", (0.25, 0.5, 1.0)), ("second", (0.1, 0.2, 0.6))):
            assert f"{name} " + " ".join(f"{share * score:.3f}" for share in shares) in words
        told = [f"{share * score:.2f} after {step} updates" for share, step in ((0.1, 100), (0.2, 200), (0.6, 300))]
        assert page.locator(".growth").get_attribute("aria-label") == "Score during training: " + ", ".join(told)

    def test_outcomes_are_those_of_the_step(self, visit: Open, tmp_path: Path, sweeps: pd.DataFrame) -> None:
        rows = results([cell(1.0), cell(state="DIVERGED", lr=0.01), cell(2.0, lr=0.1)])
        steps = steps_of({1: {100: [0.5, 0.75, None], 300: [1.0, None, 2.0]}})
        report = make_report(tmp_path, rows, sweeps, steps=steps, identities=identities("first"))
        page = visit(at=report)
        assert page.locator("[data-control=classifier]").count() == 0
        assert page.locator(".list td.number a").all_inner_texts() == ["2.000", "1.000", "diverged"]
        slide(page, 0)
        assert page.locator(".list td.number a").all_inner_texts() == ["0.750", "0.500", "unscored"]
        assert "Shown: 2 of 3 GAN trials." in page.locator(".said").inner_text()
        page.locator(".filters summary").click()
        page.locator("[data-axis=outcome][value=unscored]").check()
        assert listed(page).startswith("1 trial passes")

    def test_too_many_scores_are_left_out_and_said_to_be(
        self, visit: Open, tmp_path: Path, sweeps: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(seen, "MOST_NUMBERS", 1)
        rows = results([cell(1.0), cell(2.0, lr=0.1)])
        steps = steps_of({1: {100: [0.5, 0.75], 300: [1.0, 2.0]}})
        page = visit("#step=100", at=make_report(tmp_path, rows, sweeps, steps=steps, identities=identities("first")))
        assert page.locator("[data-control=step]").count() == 0
        assert page.locator(".seen").inner_text() == (
            "Scores of other classifiers and steps would make this page too large; the database has them."
        )
        assert page.locator(".list td.number a").all_inner_texts() == ["2.000", "1.000"]


class TestMarks:
    @pytest.fixture
    def report(self, tmp_path: Path, sweeps: pd.DataFrame) -> Path:
        rows = [cell(3.0, coverage=2, movement=0.001), cell(2.0, lr=0.01), cell(1.0, lr=0.1, coverage=4)]
        return make_report(tmp_path, results(rows), sweeps)

    def test_marked_trials_say_why_and_can_be_left_out(self, visit: Open, report: Path) -> None:
        page = visit(at=report)
        marks = page.locator(".list td.marks")
        assert marks.all_inner_texts() == ["generator stuck\nfewer than 5 classes", "", "fewer than 5 classes"]
        assert "fewer than 5 of the 10 digits" in page.locator(".list .mark").nth(1).get_attribute("title")
        page.locator("[data-control=unmarked]").check()
        assert listed_trials(page) == [f"{1:016x}"] and "unmarked=on" in address(page)
        assert numbers(page)["GAN"].sum() == 1
        assert page.locator(".said").inner_text() == "Shown: all 1 GAN trials that pass the filters."
        assert page.locator(".filters summary").inner_text() == "Filters: unmarked only"
        page.locator(".filters summary").click()
        page.get_by_role("button", name="Clear all filters").click()
        assert len(listed_trials(page)) == 3
        page.locator("[data-key=samples]").click()
        assert page.locator(".card").last.locator(".mark").count() == 2
        page.locator(".card a").last.click()
        page.locator(".one h4").wait_for()
        assert "Marked: generator stuck. The images hardly changed" in page.locator(".one").inner_text()

    @pytest.mark.slow
    def test_without_a_mark_there_is_no_word_of_them(self, visit: Open, folder: Path) -> None:
        page = visit()
        assert page.locator("[data-control=unmarked]").count() == 0
        assert "mark" not in page.locator(".explorer").inner_text()


@pytest.mark.slow
def test_tiny_scores_are_plain_zeros(visit: Open, tmp_path: Path, sweeps: pd.DataFrame) -> None:
    page = visit(at=make_report(tmp_path, results([cell(1.98e-29), cell(1.0, lr=0.1)]), sweeps))
    sync_api.expect(page.locator(".list td.number a").last).to_have_text("0.000")
