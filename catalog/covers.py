"""Covers drawn by the program where a seller uploaded none.

A cover is a picture of 640 x 400 units that follows from what it shows alone: the field
gives colours and composition, the id of the course varies it, the title is set on the left.
The same course always gets the same picture.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from random import Random
from xml.etree.ElementTree import Element, SubElement, tostring

from django.urls import reverse

from catalog.cover_motifs import MOTIFS, PALETTES, Canvas, bubbles, signal
from catalog.cover_text import LEADING, cut, set_title
from catalog.models import Course, CourseKind

WIDTH, HEIGHT = 640, 400
MARGIN = 44
TITLE_WIDTH = 366
TITLE_HEIGHT = 252
TITLE_SIZES = (56, 48, 42, 36, 31, 27)
TITLE_LINES = 4
BYLINE_SIZE = 21
FONTS = "PingFang SC, Noto Sans CJK SC, Microsoft YaHei, Helvetica Neue, Arial, sans-serif"
# Changes whenever the drawing does, so that browsers fetch the new picture.
DRAWING = "1"


def course_cover_url(course: Course) -> str:
    """The address of the course's cover: the uploaded file, else the drawn one."""
    if course.cover:
        return course.cover.url
    return f"{reverse('catalog:cover', args=[course.pk])}?v={course_cover_version(course)}"


def course_cover_version(course: Course) -> str:
    """Twelve hexadecimal digits that change whenever the drawn cover would."""
    return cover_version(
        course.title, course.seller.display_name, course.category_id, course.kind, course.pk
    )


def draw_course_cover(course: Course) -> bytes:
    """The drawn cover of a course as an SVG document in UTF-8."""
    is_talk = course.kind == CourseKind.CONSULTATION
    return draw_cover(
        title=course.title,
        byline=course.seller.display_name,
        palette=course.category_id,
        motif=bubbles if is_talk else MOTIFS[(course.category_id * 3) % len(MOTIFS)],
        seed=f"course {course.pk}",
        has_spine=course.kind == CourseKind.EBOOK,
    )


def draw_session_cover(*, seller_id: int, host: str) -> bytes:
    """The drawn cover of a seller's live sessions as an SVG document in UTF-8.

    It names the host: the title stands beside it wherever it is shown.
    """
    return draw_cover(title=host, byline="", palette=seller_id * 7 + 5, motif=signal, seed=host)


def cover_version(*parts: object) -> str:
    """Twelve hexadecimal digits for what a drawn cover follows from."""
    # As text: a kind read from the database and the same one set by the program look different.
    return blake2b(repr((DRAWING, *map(str, parts))).encode(), digest_size=6).hexdigest()


def draw_cover(
    *,
    title: str,
    byline: str,
    palette: int,
    motif: Callable[[Canvas], None],
    seed: str,
    has_spine: bool = False,
) -> bytes:
    """One cover. `palette` counts round the palettes; the seed varies the motif."""
    colours = PALETTES[palette % len(PALETTES)]
    chance = Random(seed)  # noqa: S311  (it draws pictures)
    canvas = Canvas(WIDTH, HEIGHT, free=MARGIN + TITLE_WIDTH, palette=colours, chance=chance)
    svg = Element(
        "svg",
        {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {WIDTH} {HEIGHT}", "role": "img"},
        width=str(WIDTH),
        height=str(HEIGHT),
    )
    SubElement(svg, "title").text = printable(title)
    canvas.box(0, 0, WIDTH, HEIGHT, colours.ground)
    motif(canvas)
    left = MARGIN
    if has_spine:
        canvas.box(0, 0, 20, HEIGHT, colours.shade)
        canvas.box(20, 0, 2, HEIGHT, colours.light)
        left += 14
    svg.append(canvas.shapes)
    _write(svg, printable(title), printable(byline), left=left, ink=colours.ink)
    return tostring(svg, encoding="utf-8")


def printable(text: str) -> str:
    """The text without the control characters that no XML document may hold."""
    return "".join(c if c >= " " and c not in "\ufffe\uffff" else " " for c in text)


def _write(svg: Element, title: str, byline: str, *, left: int, ink: str) -> None:
    """Title from the top, byline at the bottom."""
    fitted = set_title(
        title,
        width=TITLE_WIDTH - (left - MARGIN),
        height=TITLE_HEIGHT,
        sizes=TITLE_SIZES,
        most_lines=TITLE_LINES,
    )
    text = SubElement(
        svg, "text", {"font-family": FONTS, "font-weight": "700", "fill": ink}, x=str(left)
    )
    text.set("font-size", str(fitted.size))
    leading = fitted.size * LEADING
    for number, line in enumerate(fitted.lines):
        y = MARGIN + fitted.size * 0.92 + number * leading
        SubElement(text, "tspan", x=str(left), y=f"{y:.0f}").text = line
    if byline:
        SubElement(
            svg,
            "text",
            {"font-family": FONTS, "font-size": str(BYLINE_SIZE), "fill": ink},
            x=str(left),
            y=str(HEIGHT - MARGIN + 6),
        ).text = cut(byline, (TITLE_WIDTH - (left - MARGIN)) / BYLINE_SIZE)
