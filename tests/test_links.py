"""Every link of every page leads somewhere."""

from __future__ import annotations

from collections import deque
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest
from django.contrib.staticfiles import finders

from tests.browser.market import make_market

pytestmark = pytest.mark.django_db

MOST_PAGES = 300


class Page(HTMLParser):
    """The addresses that a document names, and the places in it that an address can name."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.forms: set[str] = set()
        self.files: set[str] = set()
        self.ids: set[str] = set()
        # What stands in one is no part of the page until script fills it in.
        self.n_open_templates = 0
        self.feed(html)

    def handle_endtag(self, tag: str) -> None:
        self.n_open_templates -= tag == "template"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.n_open_templates += tag == "template"
        if self.n_open_templates:
            return
        has = dict(attrs)
        if has.get("id"):
            self.ids.add(has["id"] or "")
        if tag == "a":
            self.links.add(has.get("href") or "")
        elif tag == "form":
            self.forms.add(has.get("action") or "")
        elif address := has.get("src") or has.get("href"):
            self.files.add(address)


def crawl(client) -> dict[str, Page]:
    """Every page that can be reached from the home page by links, by its address."""
    pages: dict[str, Page] = {}
    waiting = deque(["/"])
    while waiting:
        address = waiting.popleft()
        if address in pages:
            continue
        assert len(pages) < MOST_PAGES, "the links lead on and on"
        response = client.get(address, follow=True, headers={"accept-language": "en"})
        assert response.status_code == 200, f"{address} answers {response.status_code}"
        pages[address] = Page(response.content.decode())
        if address.startswith("/admin/"):
            continue
        for link in pages[address].links:
            target = urldefrag(urljoin(address, link)).url
            assert link, f"a link without an address on {address}"
            if not urlsplit(target).netloc:
                waiting.append(target)
    return pages


@pytest.mark.parametrize("who", ["visitor", "viewer", "seller"])
def test_no_link_form_or_file_of_any_page_is_dead(client, who) -> None:
    market = make_market()
    if who != "visitor":
        client.force_login(market.viewer if who == "viewer" else market.course.seller)

    pages = crawl(client)

    assert len(pages) > 20
    for address, page in pages.items():
        if address.startswith("/admin/"):
            continue
        for link in page.links:
            target, fragment = urldefrag(urljoin(address, link))
            if fragment and target in pages:
                assert fragment in pages[target].ids, f"{address} links to {link}"
        for form in page.forms:
            target = urljoin(address, form)
            assert client.options(target).status_code != 404, f"{address} sends to {form}"
        for file in page.files:
            path = urlsplit(urljoin(address, file)).path
            found = (
                finders.find(path.removeprefix("/static/"))
                if path.startswith("/static/")
                else client.get(file, follow=True).status_code == 200
            )
            assert found, f"{address} needs {file}"


def test_no_link_speaks_a_scheme_that_runs_script(client) -> None:
    make_market()

    for page in crawl(client).values():
        schemes = {urlsplit(link).scheme for link in page.links}
        assert schemes <= {"", "http", "https", "mailto"}
