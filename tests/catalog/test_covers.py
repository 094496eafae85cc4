"""Drawn covers: valid pictures whatever the title is, and addresses that change with them."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.cover_motifs import MOTIFS, PALETTES
from catalog.cover_text import set_title
from catalog.covers import TITLE_LINES, TITLE_SIZES, course_cover_version, draw_cover
from catalog.models import CourseStatus
from tests.factories import CourseFactory, OperatorFactory, SellerFactory
from tests.hostile import HOSTILE

SVG = "{http://www.w3.org/2000/svg}"
HARMLESS = {"svg", "title", "g", "rect", "circle", "path", "text", "tspan", "polygon", "line"}

BLANK = ["", " ", "\x00\x01\x1f"]
LONG = ["a" * 200, "汉" * 200, "😀" * 90]
ODD = ["\ud7ff\ufffe\uffff", "\u202eabc", "]]>"]


def elements(svg: bytes) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg).iter())


@pytest.mark.parametrize("title", [*BLANK, *LONG, *ODD, *HOSTILE])
def test_a_cover_is_a_valid_picture_without_script_for_any_title(title: str) -> None:
    svg = draw_cover(title=title, byline=title, palette=3, motif=MOTIFS[0], seed=title)

    for element in elements(svg):
        assert element.tag.removeprefix(SVG) in HARMLESS
        assert not [name for name in element.attrib if name.startswith("on") or "href" in name]


@given(title=st.text(max_size=200))
@settings(deadline=None, derandomize=True, max_examples=60)
def test_a_title_never_needs_more_lines_than_there_are(title: str) -> None:
    fitted = set_title(title, width=366, height=252, sizes=TITLE_SIZES, most_lines=TITLE_LINES)

    assert len(fitted.lines) <= TITLE_LINES
    assert fitted.size in TITLE_SIZES


@pytest.mark.parametrize("motif", MOTIFS)
def test_every_motif_draws_in_every_palette_the_same_each_time(motif) -> None:
    for palette in range(len(PALETTES)):
        first, second = (
            draw_cover(title="T", byline="", palette=palette, motif=motif, seed="s")
            for _ in range(2)
        )
        assert first == second


pytestmark = pytest.mark.django_db


def test_the_address_of_a_cover_changes_with_what_it_shows(client) -> None:
    course = CourseFactory(title="Before")
    before = course_cover_version(course)
    course.title = "After"

    assert course_cover_version(course) != before


def test_a_published_cover_is_kept_for_good_under_its_version_alone(client) -> None:
    course = CourseFactory()
    address = reverse("catalog:cover", args=[course.pk])

    current = client.get(address, {"v": course_cover_version(course)})
    stale = client.get(address, {"v": "000000000000"})

    assert current["Content-Type"].startswith("image/svg+xml")
    assert current["Cache-Control"] == "public, max-age=31536000, immutable"
    assert stale["Cache-Control"] == "public, max-age=300"


def test_the_cover_of_a_draft_is_its_sellers_and_no_shared_cache_keeps_it(client) -> None:
    draft = CourseFactory(status=CourseStatus.DRAFT, published_at=None)
    address = reverse("catalog:cover", args=[draft.pk])

    assert client.get(address).status_code == 404
    client.force_login(SellerFactory())
    assert client.get(address).status_code == 404
    client.force_login(draft.seller)
    assert client.get(address)["Cache-Control"].startswith("private")
    client.force_login(OperatorFactory())
    assert client.get(address).status_code == 200
