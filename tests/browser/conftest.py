"""A headless Chromium, a small market, and pages that fail a test when script fails on them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from accounts.models import User
from tests.concurrency.shop import is_up, url_of_test_database
from tests.conftest import missing
from tests.operation.processes import BIN, environment, eventually, started
from tests.servers import free_port
from tests.streams.live_room import cookie_of

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
    with page_opener(browser, live_server.url) as open_page:
        yield open_page


@pytest.fixture(scope="session")
def room_server(django_db_setup, tmp_path_factory) -> Iterator[str]:
    """The address of a server of pages and sockets, as `make run` starts it."""
    folder, port = tmp_path_factory.mktemp("rooms"), free_port()
    env = environment(
        folder,
        DJANGO_SETTINGS_MODULE="tests.settings",
        DATABASE_URL=url_of_test_database(),
        SECRET_KEY=settings.SECRET_KEY,
        SITE_URL=f"http://127.0.0.1:{port}",
        VENDOR_DIR=str(settings.VENDOR_DIR),
        LOG_LEVEL="WARNING",
    )
    listen = ["--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
    command = [f"{BIN}/uvicorn", "livecourse.asgi:application", *listen, "--lifespan", "off"]
    log = folder / "rooms.log"
    with started(command, env=env, log=log):
        eventually(lambda: is_up(port), what="the server of rooms answers", log=log)
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def open_room(browser: Browser, room_server: str) -> Iterator[OpenPage]:
    """Like `open_page`, from a server that has sockets."""
    with page_opener(browser, room_server) as open_page:
        yield open_page


@contextmanager
def page_opener(browser: Browser, server: str) -> Iterator[OpenPage]:
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def open_page(
        path: str,
        *,
        width: int = 390,
        language: str = "en",
        person: User | None = None,
        **options: object,
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
            sign_in(context, server, person)
        page.goto(server + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


def sign_in(context: BrowserContext, server: str, person: User) -> None:
    """The session that the form of the sign-in page begins, without the three pages it takes."""
    name, _is, value = cookie_of(person).partition("=")
    context.add_cookies([{"name": name, "value": value, "url": server}])
