"""The explorer in a real browser: it shows what pandas says, its address restores it, nothing leaves the folder."""

import numpy as np
from explored import best, cells, expected, same
from in_browser import Open, listed, listed_trials, needs_chromium, numbers, open_first, option, sync_api

from reports.numbers.prefix import finished_prefix

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
