"""What the explorer lists below the histogram, in a browser: table, samples, parallel coordinates."""

from pathlib import Path
from typing import Any

import pytest
from explored import cells, expected, same
from in_browser import Open, address, listed_trials, needs_chromium, numbers, option, sync_api

from reports.numbers.prefix import finished_prefix
from reports.page.output_folder import PAGE

pytestmark = needs_chromium


@pytest.mark.slow
class TestTable:
    def test_sorted_by_a_column_and_paged(self, visit: Open) -> None:
        page = visit()
        order = cells().sort_values("score", ascending=False, kind="stable")["trial_id"]
        assert listed_trials(page) == list(order[:25])
        page.get_by_role("button", name="Next").click()
        assert listed_trials(page) == list(order[25:50])
        assert page.evaluate("document.activeElement.textContent") == "Next"
        page.locator("[data-key='sort frechet']").click()
        page.locator("[data-key='sort frechet']").click()
        lowest = cells().sort_values("frechet")["trial_id"]
        assert listed_trials(page) == list(lowest[:25])
        assert page.locator("th[aria-sort=ascending]").inner_text().startswith("Fréchet")

    def test_every_column_sorts(self, visit: Open) -> None:
        page = visit("#f.n_layer_g=2&f.n_layer_d=2")
        keys = page.locator("[data-key^='sort ']").evaluate_all("all => all.map(e => e.dataset.key)")
        assert len(keys) == 16
        for key in keys:
            page.locator(f"[data-key='{key}']").click()
            assert page.locator("th[aria-sort] button").get_attribute("data-key") == key
            assert page.locator(".list tbody tr").count() == 25

    def test_thumbnails_are_fetched_only_when_shown(self, browser: Any, folder: Path) -> None:
        page = browser.new_page(viewport={"width": 1200, "height": 300})
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((folder / PAGE).as_uri())
        page.wait_for_timeout(300)
        assert sum("/sheets/" in url for url in asked) < 25
        page.locator(".strip").first.scroll_into_view_if_needed()
        sync_api.expect(page.locator(".strip").first).to_have_js_property("naturalWidth", 384)
        page.close()


@pytest.mark.slow
class TestSamples:
    def test_the_gallery_goes_from_the_worst_to_the_best(self, visit: Open) -> None:
        page = visit("#view=samples")
        links = page.locator(".quantile").evaluate_all(
            "all => all.map(e => [...e.querySelectorAll('a')].map(a => a.hash.split('trial=')[1].split('&')[0]))"
        )
        values = finished_prefix(cells()).set_index("trial_id")["value"]
        assert [len(row) for row in links] == [3] * 7
        for place, family in enumerate(("gan", "ebgan", "ebgan_pt")):
            shown = [values[row[place]] for row in links]
            own = finished_prefix(cells()).loc[lambda rows, name=family: rows["family"] == name, "value"]
            wanted = own.quantile([0, 0.1, 0.25, 0.5, 0.75, 0.9, 1], interpolation="nearest")
            assert shown == pytest.approx(list(wanted), abs=0.02)
            assert shown[0] == own.min() and shown[-1] == own.max()


@pytest.mark.slow
class TestLines:
    def drag(self, page: Any, key: str, start: float, end: float) -> None:
        strip = page.locator(f"[data-strip='{key}']")
        strip.scroll_into_view_if_needed()
        box = strip.bounding_box()
        x = box["x"] + box["width"] / 2
        page.mouse.move(x, box["y"] + box["height"] * start)
        page.mouse.down()
        page.mouse.move(x, box["y"] + box["height"] * end, steps=4)
        page.mouse.up()

    def test_a_stroke_sets_the_same_filters(self, visit: Open) -> None:
        page = visit("#view=lines")
        self.drag(page, "f.n_layer_g", 0.5, 0.97)  # the lower half: 2 and 3 layers
        assert "f.n_layer_g=2,3" in address(page)
        assert option(page, "n_layer_g", "2").is_checked() and not option(page, "n_layer_g", "4").is_checked()
        same(numbers(page), expected({"n_layer_g": ["2", "3"]}, bins=25))
        self.drag(page, "f.n_layer_g", 0.5, 0.5)
        assert "n_layer_g" not in address(page)

    def test_a_stroke_on_the_score_sets_its_range(self, visit: Open) -> None:
        page = visit("#view=lines")
        self.drag(page, "range", 0.0, 0.5)
        low = float(page.locator("[data-range=range]").first.input_value())
        top = finished_prefix(cells())["value"].max()
        assert low == pytest.approx(top / 2, rel=0.1)
        total = numbers(page)[["GAN", "EBGAN", "EBGAN-PT"]].to_numpy().sum()
        assert total == (finished_prefix(cells())["value"] >= low).sum()

    def test_on_a_phone_the_axes_lie_one_below_the_other(self, visit: Open) -> None:
        page = visit("#view=lines", width=390)
        strips = page.locator("[data-strip]").evaluate_all("all => all.map(e => e.getBoundingClientRect().toJSON())")
        assert len(strips) == 9 and all(strip["width"] > 300 and strip["right"] <= 390 for strip in strips)
        page.locator("[data-strip='f.n_layer_g']").scroll_into_view_if_needed()
        box = page.locator("[data-strip='f.n_layer_g']").bounding_box()
        y = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + 2, y)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 2, y, steps=4)
        page.mouse.up()
        assert "f.n_layer_g=2,3" in address(page)
        assert page.locator("canvas").bounding_box()["width"] < 390

    def test_every_drawn_cell_has_its_line(self, visit: Open) -> None:
        page = visit("#view=lines&f.size_g=50")
        sync_api.expect(page.locator("canvas")).to_have_attribute("data-painted", str(len(finished_prefix(cells()))))
