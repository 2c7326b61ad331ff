"""The histogram of the explorer in a browser: its numbers are those of pandas."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from explored import cells, expected, make_report, same
from in_browser import Open, address, listed, needs_chromium, numbers, option, sync_api
from made_results import cell, results

from reports.explorer.presets import published
from reports.numbers.histogram import layer_histograms
from reports.numbers.prefix import finished_prefix
from search_spaces.experiments.mnist_gan import MNIST_GAN

pytestmark = needs_chromium


def shows_the_paper(page: Any, found: pd.DataFrame, key: str) -> None:
    """The chart has the paper's bars of a preset as outlines, and its table their numbers."""
    bars = published(MNIST_GAN)[key]["families"]
    assert page.locator(".paper").count() == len(bars) == 2
    for family, label in (("gan", "GAN"), ("ebgan", "EBGAN")):
        assert list(found[f"{label} in the paper %"][:25]) == pytest.approx(bars[family], abs=0.051)
        assert len(found) >= 25 and (found[f"{label} in the paper %"][25:] == 0).all()


@pytest.mark.slow
class TestHistogram:
    def test_bins_scores_and_units(self, visit: Open) -> None:
        page = visit()
        page.locator("[data-control=bins]").select_option("100")
        same(numbers(page), expected(bins=100))
        page.locator("[data-control=score]").select_option("frechet")
        chosen = finished_prefix(cells())
        drawn = chosen[chosen["frechet"].notna()]
        assert numbers(page)[["GAN", "EBGAN", "EBGAN-PT"]].to_numpy().sum() == len(drawn) < len(chosen)
        assert "Diverged trials have no such value" in page.locator(".said").inner_text()
        page.locator("[data-control=unit]").select_option("count")
        assert "trials in each bin" in page.locator(".chart svg").text_content()

    def test_a_filter_chooses_cells_and_leaves_alone_who_does_not_vary(self, visit: Open) -> None:
        page = visit()
        option(page, "n_layer_g", "2").check()
        same(numbers(page), expected({"n_layer_g": ["2"]}, bins=25))
        option(page, "lr", "0.01").check()
        same(numbers(page), expected({"n_layer_g": ["2"], "lr": ["0.01"]}, bins=25))
        page.get_by_role("button", name="Clear all filters").click()
        same(numbers(page), expected())

    def test_presets_and_the_papers_bars(self, visit: Open) -> None:
        page = visit()
        for key, most in (("layers4", 4), ("layers3", 3), ("all", 5)):
            page.locator(f"[data-preset={key}]").click()
            layers = [str(n) for n in range(2, most + 1)]
            panel = "all" if most == 5 else f"layers <= {most}"
            found = numbers(page)
            same(found, expected({"n_layer_g": layers, "n_layer_d": layers}, panel=panel))
            shows_the_paper(page, found, key)
            assert page.locator("[data-preset][aria-pressed=true]").get_attribute("data-preset") == key
        page.locator("[data-control=paper]").uncheck()
        assert page.locator(".paper").count() == 0
        same(numbers(page), expected(bins=25))

    def test_a_panel_of_figure_3_has_its_own_bars_and_other_filters_none(self, visit: Open) -> None:
        page = visit()
        page.locator("[data-control=panel]").select_option("lr0.001-sgd-adam")
        same(numbers(page), expected({"lr": ["0.001"], "optim_d": ["sgd"], "optim_g": ["adam"]}))
        shows_the_paper(page, numbers(page), "lr0.001-sgd-adam")
        option(page, "size_g", "50").check()
        assert page.locator(".paper").count() == 0 and page.locator("[data-control=paper]").is_disabled()
        assert page.locator("[data-control=panel]").input_value() == ""

    def test_families_go_and_come_back(self, visit: Open) -> None:
        page = visit()
        page.locator("[data-family=gan]").uncheck()
        assert "GAN" not in numbers(page) and "families=ebgan,ebgan_pt" in address(page)
        page.locator("[data-family=gan]").check()
        same(numbers(page), expected())

    def test_the_keyboard_reaches_a_bar_and_lists_it(self, visit: Open) -> None:
        page = visit("#bins=10")
        page.locator(".filters summary").focus()
        page.keyboard.press("Tab")
        focused = "document.activeElement.dataset.key"
        assert page.evaluate(focused) == "gan:0"
        page.keyboard.press("ArrowRight")
        assert page.evaluate(focused) == "gan:1"
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowDown")
        assert page.evaluate(focused) == "ebgan:0"
        assert "EBGAN" in page.locator(".tip").inner_text()
        page.keyboard.press("Enter")
        assert "in the bar of EBGAN from 0 to" in listed(page)
        assert page.evaluate(focused) == "ebgan:0"
        page.keyboard.press("Escape")
        assert listed(page) == "7,168 trials pass the filters, with or without a score."
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


@pytest.mark.slow
class TestBars:
    @pytest.mark.parametrize("width", [1200, 390])
    @pytest.mark.parametrize("address", ["", "#bins=100", "#score=fraction&bins=50", "#f.optim_g=sgd&f.optim_d=sgd"])
    def test_each_is_wide_enough_to_be_pressed(self, visit: Open, address: str, width: int) -> None:
        page = visit(address, width=width)
        widths = page.locator(".bar .reach").evaluate_all("all => all.map(e => e.getBoundingClientRect().width)")
        assert len(widths) > 10 and min(widths) >= 8

    def test_a_click_brings_the_list_into_view_and_the_words_hide_no_bar(self, visit: Open) -> None:
        page = visit()
        page.set_viewport_size({"width": 1200, "height": 600})
        page.evaluate("document.querySelector('.chart').scrollIntoView()")
        bar = page.locator("[data-key='ebgan:6']")
        bar.hover()
        roof = page.locator("[data-key='ebgan:6'] .reach").bounding_box()["y"]
        tip = page.locator(".tip").bounding_box()
        assert tip["y"] + tip["height"] <= roof and tip["y"] > page.locator("[data-key='gan:0']").bounding_box()["y"]
        first = page.locator(".list tbody tr").first
        sync_api.expect(first).not_to_be_in_viewport()
        bar.click()
        sync_api.expect(first).to_be_in_viewport()
        assert page.locator(".listed").bounding_box()["y"] > 0

    def test_few_trials_have_fewer_bars(self, visit: Open, tmp_path: Path, sweeps: pd.DataFrame) -> None:
        report = make_report(tmp_path, results(cell(n / 10, seed=n) for n in range(50)), sweeps)
        page = visit("#paper=off", at=report)
        same(numbers(page), pd.DataFrame({"GAN": [5] * 10}))
        assert page.locator("[data-control=bins] option").first.inner_text() == "automatic, 10"

    def test_a_bar_that_dwarfs_the_others_is_cut_and_its_height_written(self, visit: Open) -> None:
        page = visit("#f.optim_g=sgd&f.optim_d=sgd&f.lr=0.01")
        found = numbers(page)
        share = found["GAN %"]
        assert f"↑ {share[0]:.0f} %" in page.locator(".chart svg").text_content()


@pytest.mark.slow
class TestBands:
    def test_bars_say_how_the_whole_grid_may_turn_out(self, visit: Open) -> None:
        page = visit("#f.n_layer_g=2,3,4&f.n_layer_d=2,3,4")
        table = layer_histograms(finished_prefix(cells()), cells())
        own = table[(table["source"] == "sweep") & (table["panel"] == "layers <= 4") & (table["cells"] > 0)]
        words = [bar.get_attribute("aria-label") for bar in page.locator(".bar").all()]
        assert len(words) == len(own)
        first = own[own["family"] == "gan"].iloc[0]
        assert words[0].endswith(f"of the whole grid {first['low']:.1f} to {first['high']:.1f} %")
        assert "Boxes: 95 % intervals" in page.locator(".legend").inner_text()

    def test_they_are_boxes_of_the_family_that_is_pointed_at_or_chosen(self, visit: Open) -> None:
        page = visit()

        def families() -> set[str]:
            shown = page.locator(".band:visible").evaluate_all(
                "all => all.map(e => e.parentNode.querySelector('.bar').dataset.key.split(':')[0])"
            )
            return set(shown)

        page.mouse.move(0, 0)
        assert page.locator(".band").count() > 50 and families() == set()
        page.locator("[data-key='ebgan:5']").hover()
        assert families() == {"ebgan"}
        page.locator("[data-key='ebgan:5']").click()
        page.mouse.move(0, 0)
        page.evaluate("document.activeElement.blur()")
        assert families() == {"ebgan"}

    @pytest.mark.parametrize("address", ["#bins=50", "#unit=count", "#score=coverage", "#f.lr=0.01", "#paper=off"])
    def test_other_views_have_none(self, visit: Open, address: str) -> None:
        page = visit(address)
        assert page.locator(".bar").count() > 0
        assert page.locator(".band").count() == 0


@pytest.mark.slow
def test_scores_on_an_edge_fall_where_numpy_puts_them(visit: Open, tmp_path: Path, sweeps: pd.DataFrame) -> None:
    edges = np.linspace(0, 0.9, 26)  # plain division errs both ways here
    scores = np.concatenate([edges, np.nextafter(edges[1:], 0)])
    page = visit("#bins=25", at=make_report(tmp_path, results(cell(float(score)) for score in scores), sweeps))
    same(numbers(page), pd.DataFrame({"GAN": np.histogram(scores, edges)[0]}))
