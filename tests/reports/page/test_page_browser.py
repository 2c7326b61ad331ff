"""The page in a real browser: its first screen, and a phone."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports.report import Section

sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright; get it by: pip install playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; get it by: apt-get install chromium"),
]
SCROLLING = """[...document.querySelectorAll("main *")].filter((one) => one.clientWidth
    && one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== "visible"
    && !one.closest(".whole-figure")).map((one) => one.outerHTML.slice(0, 80))"""
SCALES = """[...document.querySelectorAll("svg.part")].map((one) => one.clientWidth / one.viewBox.baseVal.width)"""


@pytest.fixture(scope="module")
def page(full_report: tuple[list[Section], dict[str, bytes], float], tmp_path_factory: Any) -> Iterator[Any]:
    file: Path = tmp_path_factory.mktemp("page") / "index.html"
    file.write_bytes(full_report[1]["index.html"])
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_page()
        opened.goto(f"file://{file}")
        yield opened
        browser.close()


def test_the_first_screen_shows_the_finding_the_bars_and_the_histogram(page: Any) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    places = [page.locator(one).first.bounding_box() for one in ("h1", ".bars", "#figure2 .whole-figure")]
    tops, bottoms = ([place["y"] + end * place["height"] for place in places] for end in (0, 1))
    assert tops == sorted(tops) and bottoms == sorted(bottoms)
    assert bottoms[-1] <= 900
    assert page.locator(".part:visible").count() == 0
    assert page.locator("details.reading").get_attribute("open") is None
    page.evaluate("scrollTo(0, 3000)")
    assert page.locator("nav ul").bounding_box()["y"] >= 0  # the contents stay in view
    page.evaluate("scrollTo(0, 0)")


def test_a_phone_reads_every_figure_without_scrolling_sideways(page: Any) -> None:
    page.set_viewport_size({"width": 320, "height": 568})
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate(SCROLLING) == []
    scales = page.evaluate(SCALES)
    assert len(scales) > 20
    assert min(scales) >= 0.95  # words are 8.5 to 9.5 units high
    assert page.locator(".whole-figure svg").first.bounding_box()["height"] == 0
