"""A report in a folder, and a browser that opens it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from explored import full_report_in

from reports.page.output_folder import PAGE


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, sweeps: pd.DataFrame) -> Path:
    return full_report_in(tmp_path_factory.mktemp("explored"), sweeps)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from in_browser import CHROMIUM, sync_api

    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def context(browser: Any) -> Iterator[Any]:
    """What all pages share: the page stores nothing, so none sees what another one did."""
    shared = browser.new_context()
    yield shared
    shared.close()


@pytest.fixture
def visit(context: Any, request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Opens the page at a hash, of the report in `folder` or another one.

    In the end the console must have been silent and all requests local.
    """
    said: list[str] = []
    asked: list[str] = []
    roots, pages = set(), []

    def open_page(hash: str = "", at: Path | None = None, width: int = 1200) -> Any:
        at = at or request.getfixturevalue("folder")
        page = context.new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": 900})
        page.set_default_timeout(10_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{(at / PAGE).as_uri()}{hash}")
        roots.add(f"{at.as_uri()}/")
        return page

    yield open_page
    for page in pages:
        page.close()
    assert said == []
    assert asked and [url for url in asked if not url.startswith((*roots, "data:"))] == []
