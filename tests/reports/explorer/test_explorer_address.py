"""The address of the explorer in a browser: it restores what was chosen."""

import pytest
from in_browser import Open, address, needs_chromium, numbers, open_first, option, sync_api

pytestmark = needs_chromium


@pytest.mark.slow
class TestAddress:
    def test_a_shared_view_opens_as_it_was(self, visit: Open) -> None:
        page = visit()
        page.locator("[data-family=ebgan_pt]").uncheck()
        option(page, "size_d", "64").check()
        page.locator("[data-control=score]").select_option("inception_score")
        page.locator("[data-control=bins]").select_option("20")
        page.locator(".bar").nth(1).click(force=True)
        other = visit(address(page))
        for selector in (".said", ".listed", ".filters summary", ".list"):
            assert other.locator(selector).inner_text() == page.locator(selector).inner_text()
        assert numbers(other).equals(numbers(page))

    def test_back_and_forward(self, visit: Open) -> None:
        page = visit()
        start = page.locator(".said").inner_text()
        page.locator("[data-preset=layers3]").click()
        narrowed = page.locator(".said").inner_text()
        open_first(page)
        assert narrowed != start and not page.locator(".cells").is_visible()
        page.go_back()
        page.locator(".cells").wait_for()
        assert page.locator(".said").inner_text() == narrowed
        page.go_back()
        sync_api.expect(page.locator(".said")).to_have_text(start)
        page.go_forward()
        sync_api.expect(page.locator(".said")).to_have_text(narrowed)

    @pytest.mark.parametrize(
        "hash", ["#%", "#bins=7&score=x&page=-3&sort=y&view=z&grid=9", "#bar=a:b&f.lr=%E0%A4", "#__proto__=1"]
    )
    def test_a_broken_address_is_still_a_page(self, visit: Open, hash: str) -> None:
        assert visit(hash).locator(".list tbody tr").count() >= 0
        assert "Shown: " in visit(hash).locator(".said").inner_text()
