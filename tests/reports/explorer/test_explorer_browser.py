"""The explorer in a real browser: it shows what pandas says, its address restores it, nothing leaves the folder."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explored import best, cells, expected, same
from in_browser import Open, listed, listed_trials, needs_chromium, numbers, open_first, option, sync_api

from reports.numbers.prefix import finished_prefix
from reports.page.output_folder import PAGE

pytestmark = needs_chromium
ADDRESS = (
    "#bins=50&f.n_layer_g=2,3&families=gan,ebgan&score=fraction&sort=frechet&unit=count&bar=ebgan:20&range=0.05%2C0.6"
)


class TestOnePass:
    """What the quick tests look at: the chart, the list behind a bar, a trial, and an address."""

    def test_it_equals_pandas_on_known_cells(self, visit: Open) -> None:
        page = visit()
        same(numbers(page), expected())
        sizes = finished_prefix(cells())["family"].value_counts()
        assert 0 < sizes["gan"] < 6144
        shown = f"Shown: {sizes['gan']:,} of 6,144 GAN, {sizes['ebgan']:,} of 512 EBGAN"
        assert shown in page.locator(".said").inner_text()

    def test_a_bar_says_its_numbers_and_lists_its_trials(self, visit: Open) -> None:
        page = visit("#bins=10")
        wanted = expected(bins=10)["EBGAN"]
        bar = page.locator("[data-key='ebgan:4']")
        bar.hover(force=True)
        share = f"{wanted[4]:,} trials, {100 * wanted[4] / wanted.sum():.1f} %"
        assert share in page.locator(".tip").inner_text()
        bar.click(force=True)
        assert listed(page).startswith(f"{wanted[4]:,} trials in the bar of EBGAN")
        chosen = finished_prefix(cells())
        edges = np.linspace(0, chosen["value"].max(), 11)
        own = chosen[(chosen["family"] == "ebgan") & (chosen["value"] >= edges[4]) & (chosen["value"] < edges[5])]
        first = own.sort_values("score", ascending=False)["trial_id"].iloc[:25]
        assert listed_trials(page) == list(first)

    def test_it_shows_all_that_is_known(self, visit: Open) -> None:
        page = visit()
        page.locator("[data-family=gan]").uncheck()
        page.locator("[data-family=ebgan_pt]").uncheck()
        open_first(page)
        words = " ".join(page.locator(".one").inner_text().split())
        row = cells().set_index("trial_id").loc[best()]
        assert f"Trial {best()} EBGAN, scored {row['score']:.3f} nats" in words
        assert f"size_g {row['size_g']} size_d {row['size_d']}" in words and "margin 10" in words
        assert f"300 {row['score']:.3f} {row['inception_score']:.2f} {row['coverage']}" in words  # at the end
        line = page.locator(".growth").get_attribute("aria-label")
        told = [f"{row['score'] * n:.2f} after {step} updates" for n, step in ((0.25, 100), (0.5, 200), (1, 300))]
        assert line == "Score during training: " + ", ".join(told)
        assert page.locator(".growth circle").count() == 3
        assert "FAILED memory 2026-01-02 03:04:05 UTC 2026-01-02 03:05:06 UTC" in words
        assert f"python -m sweep rerun {best()} --db 'sqlite:///runs/my results.db'" in words
        assert page.evaluate("document.activeElement.textContent") == f"Trial {best()}"
        sync_api.expect(page.locator(".sheet")).to_have_js_property("naturalWidth", 384)

    def test_everything_in_an_address_is_restored(self, visit: Open) -> None:
        page = visit(ADDRESS)
        assert page.locator("[data-control=bins]").input_value() == "50"
        assert page.locator("[data-control=unit]").input_value() == "count"
        assert not page.locator("[data-family=ebgan_pt]").is_checked()
        assert option(page, "n_layer_g", "3").is_checked() and not option(page, "n_layer_g", "4").is_checked()
        assert page.locator("[data-range=range]").nth(1).input_value() == "0.6"
        chosen = finished_prefix(cells())
        fraction = chosen["value"] / 15
        inside = chosen[fraction.between(0.05, 0.6) & chosen["n_layer_g"].isin([2, 3])]
        found = numbers(page)
        assert found["GAN"].sum() == (inside["family"] == "gan").sum()
        assert listed(page).startswith(f"{found['EBGAN'][20]:,.0f} trial")


@pytest.mark.slow
class TestPage:
    def test_it_is_small_opens_soon_and_answers_at_once(self, visit: Open, folder: Path) -> None:
        assert (folder / PAGE).stat().st_size < 3_000_000
        loaded = "performance.getEntriesByType('navigation')[0].loadEventEnd"
        *others, page = visit(), visit(), visit()
        assert min(one.evaluate(loaded) for one in (page, *others)) < 1000  # other programs share the processor
        click = """selector => { const start = performance.now(); document.querySelector(selector).click();
            document.body.offsetHeight; return performance.now() - start; }"""
        for view in ("trials", "samples", "lines"):
            page.locator(f"[data-key={view}]").click()
            times = [page.evaluate(click, f"[data-preset={key}]") for key in ("layers4", "layers3", "all") * 3]
            assert min(times) < 100, view  # the least, for other programs share the processor

    @pytest.mark.parametrize("hash", ["", "#view=samples", "#view=lines", f"#trial={best()}"])
    def test_a_phone_scrolls_one_way(self, visit: Open, hash: str) -> None:
        page = visit(hash, width=375)
        if page.locator(".cells").is_visible():
            page.locator(".filters summary").click()
            numbers(page)
        assert page.evaluate("document.documentElement.scrollWidth") == 375

    def test_every_control_has_a_name(self, visit: Open) -> None:
        page = visit()
        option(page, "lr", "0.01")
        nameless = page.locator(".explorer :is(button, input, select, [role=button])").evaluate_all(
            """all => all.filter(e => !(e.textContent.trim() && e.matches('button') || e.ariaLabel ||
                (e.labels && [...e.labels].some(l => l.textContent.trim())))).map(e => e.outerHTML)"""
        )
        assert nameless == []
        assert page.locator(".said").get_attribute("role") == "status"

    def test_print_shows_the_chart_and_no_controls(self, visit: Open) -> None:
        page = visit()
        page.emulate_media(media="print")
        assert page.locator(".chart svg").is_visible()
        assert not page.locator(".choices").is_visible() and not page.locator(".tabs").is_visible()

    def test_no_script_but_the_pages_own_runs(self, browser: Any, folder: Path) -> None:
        page = browser.new_page()
        page.goto((folder / PAGE).as_uri())
        page.evaluate(
            """() => { const script = document.createElement('script');
            script.textContent = 'document.title = "ran"'; document.body.append(script);
            const image = document.createElement('img'); image.setAttribute('onerror', 'document.title = "ran"');
            image.src = 'x'; document.body.append(image); }"""
        )
        page.wait_for_timeout(200)
        assert page.title() != "ran"
        page.close()
