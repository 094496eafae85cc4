"""A headless Chromium, a small market, and pages that fail a test when script fails on them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.conftest import missing
from tests.factories import PASSWORD

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def allow_database_beside_the_browser() -> Iterator[None]:
    """Playwright's sync face runs a loop in this thread, which Django takes for async code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield


@pytest.fixture(scope="session")
def browser(allow_database_beside_the_browser: None) -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        missing("chromium is not installed: sudo apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which set-up puts beside the other browser libraries."""
    file = Path(settings.VENDOR_DIR) / "axe.min.js"
    if not file.is_file():
        missing(f"no axe-core at {file}: make setup")
    return file.read_text()


@pytest.fixture
def open_page(browser: Browser, live_server) -> Iterator[OpenPage]:
    """A function that opens a path in a browser of its own: `open_page("/live/", width=390)`.

    Uncaught errors of script on the page fail the test at its end.
    """
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def open_page(
        path: str, *, width: int = 390, language: str = "en", person=None, **options: object
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 844},
            locale={"en": "en-GB", "zh": "zh-CN"}[language],
            timezone_id="Asia/Shanghai",
            **options,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        if person is not None:
            sign_in(page, live_server.url, person)
        page.goto(live_server.url + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


def sign_in(page: Page, server: str, person) -> None:
    page.goto(f"{server}/account/login/")
    page.fill("[name=login]", person.email)
    page.fill("[name=password]", PASSWORD)
    page.click(".entrance__actions button")
    page.wait_for_url(f"{server}/")
