"""What tests of the explorer do in a browser: read its tables, press its controls."""

import shutil
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright; get it by: pip install playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; get it by: apt-get install chromium")

Open = Callable[..., Any]


def numbers(page: Any) -> pd.DataFrame:
    """The chart's own table, as it stands on the page."""
    if page.locator(".numbers[open]").count() == 0:
        page.locator(".numbers summary").click()
    page.wait_for_selector(".numbers table")
    rows = page.locator(".numbers table").evaluate(
        "table => [...table.rows].map(row => [...row.cells].map(cell => cell.textContent.replaceAll(',', '')))"
    )
    names = [name.replace(" trials", "") for name in rows[0]]
    return pd.DataFrame(rows[1:], columns=names).replace("\N{EN DASH}", "nan").astype(float)


def listed(page: Any) -> str:
    return str(page.locator(".listed").inner_text())


def address(page: Any) -> str:
    """The hash as the page has it now; what playwright knows of it comes later."""
    return str(page.evaluate("location.hash"))


def listed_trials(page: Any) -> list[str]:
    """The ids in the table, in its order."""
    links = page.locator(".list tbody td.trial a")
    return [title.removeprefix("trial ") for title in links.evaluate_all("all => all.map(a => a.title)")]


def open_first(page: Any) -> None:
    page.locator(".list tbody a").first.click()
    page.locator(".one h4").wait_for()


def option(page: Any, axis: str, value: str) -> Any:
    if page.locator(".filters[open]").count() == 0:
        page.locator(".filters summary").click()
    return page.locator(f"[data-axis={axis}][value='{value}']")
