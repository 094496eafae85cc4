"""Sellers' Markdown: what it may make, and what it must never make."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from catalog.markdown import ATTRIBUTES, SCHEMES, TAGS, render_markdown
from tests.hostile import HOSTILE


class Elements(HTMLParser):
    """The start tags of a document, as a browser would see them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    assert len(set(HOSTILE)) >= 100


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_makes_only_allowed_tags_attributes_and_schemes(text: str) -> None:
    for tag, attributes in Elements(render_markdown(text)).found:
        assert tag in TAGS
        assert set(attributes) <= ATTRIBUTES.get(tag, set()) | {"rel"}
        if "href" in attributes:
            assert (attributes["href"] or "").split(":")[0] in SCHEMES


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**bold** and *em*", "<p><strong>bold</strong> and <em>em</em></p>"),
        ("# Title", "<h3>Title</h3>"),
        ("###### Small", "<h6>Small</h6>"),
        ("- one\n- two", "<ul>\n<li>one</li>\n<li>two</li>\n</ul>"),
        ("3. three", '<ol start="3">\n<li>three</li>\n</ol>'),
        ("~~old~~", "<p><s>old</s></p>"),
        ("第一行", "<p>第一行</p>"),
    ],
)
def test_plain_markdown_is_kept_with_headings_below_those_of_the_page(text, html) -> None:
    assert render_markdown(text).strip() == html


def test_links_lead_out_without_saying_where_from() -> None:
    html = render_markdown("[docs](https://example.com/a)")

    assert '<a href="https://example.com/a" rel="nofollow noopener noreferrer">docs</a>' in html


def test_pictures_from_elsewhere_are_never_loaded() -> None:
    assert "<img" not in render_markdown("![x](https://evil.example/beacon.png)")
