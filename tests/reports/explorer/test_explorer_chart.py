"""The histogram of the explorer in a browser: its numbers are those of pandas."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from explored import cells, expected, make_report, same
from in_browser import Open, address, listed, needs_chromium, numbers, option
from made_results import cell, results

from reports.explorer.presets import published
from reports.numbers.histogram import layer_histograms
from reports.numbers.prefix import finished_prefix
from search_spaces.experiments.mnist_gan import MNIST_GAN

pytestmark = needs_chromium


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
        same(numbers(page), expected({"n_layer_g": ["2"]}))
        option(page, "lr", "0.01").check()
        same(numbers(page), expected({"n_layer_g": ["2"], "lr": ["0.01"]}))
        page.get_by_role("button", name="Clear all filters").click()
        same(numbers(page), expected())

    def test_presets_and_the_papers_bars(self, visit: Open) -> None:
        page = visit()
        for key, most in (("layers4", 4), ("layers3", 3), ("all", 5)):
            page.locator(f"[data-preset={key}]").click()
            layers = [str(n) for n in range(2, most + 1)]
            same(numbers(page), expected({"n_layer_g": layers, "n_layer_d": layers}))
            bars = published(MNIST_GAN)[key]["families"]
            assert page.locator(".paper").count() == sum(value > 0 for own in bars.values() for value in own)
            assert page.locator("[data-preset][aria-pressed=true]").get_attribute("data-preset") == key
        page.locator("[data-control=paper]").uncheck()
        assert page.locator(".paper").count() == 0

    def test_a_panel_of_figure_3_has_its_own_bars_and_other_filters_none(self, visit: Open) -> None:
        page = visit()
        page.locator("[data-control=panel]").select_option("lr0.001-sgd-adam")
        same(numbers(page), expected({"lr": ["0.001"], "optim_d": ["sgd"], "optim_g": ["adam"]}))
        bars = published(MNIST_GAN)["lr0.001-sgd-adam"]["families"]
        assert page.locator(".paper").count() == sum(value > 0 for own in bars.values() for value in own)
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
        assert page.evaluate(focused) == "ebgan:0"
        assert "EBGAN" in page.locator(".tip").inner_text()
        page.keyboard.press("Enter")
        assert "in the bar of EBGAN from 0 to" in listed(page)
        assert page.evaluate(focused) == "ebgan:0"
        page.keyboard.press("Escape")
        assert listed(page) == "7,168 trials pass the filters, drawn or not."
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


@pytest.mark.slow
class TestBands:
    def test_bars_say_how_the_whole_grid_may_turn_out(self, visit: Open) -> None:
        page = visit("#f.n_layer_g=2,3,4&f.n_layer_d=2,3,4")
        table = layer_histograms(finished_prefix(cells()), cells())
        own = table[(table["source"] == "sweep") & (table["panel"] == "layers <= 4") & (table["cells"] > 0)]
        words = [bar.get_attribute("aria-label") for bar in page.locator(".bar").all()]
        assert page.locator(".bar .band").count() == len(words) == len(own)
        first = own[own["family"] == "gan"].iloc[0]
        assert words[0].endswith(f"of the whole grid {first['low']:.1f} to {first['high']:.1f} %")
        assert "Thin lines: 95 % intervals" in page.locator(".legend").inner_text()

    @pytest.mark.parametrize("address", ["#bins=50", "#unit=count", "#score=coverage", "#f.lr=0.01"])
    def test_other_views_have_none(self, visit: Open, address: str) -> None:
        page = visit(address)
        assert page.locator(".bar").count() > 0
        assert page.locator(".band").count() == 0


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_scores_on_an_edge_fall_where_numpy_puts_them(visit: Open, tmp_path: Path, sweeps: pd.DataFrame) -> None:
    edges = np.linspace(0, 0.9, 26)  # plain division errs both ways here
    scores = np.concatenate([edges, np.nextafter(edges[1:], 0)])
    page = visit(at=make_report(tmp_path, results(cell(float(score)) for score in scores), sweeps))
    same(numbers(page), pd.DataFrame({"GAN": np.histogram(scores, edges)[0]}))
