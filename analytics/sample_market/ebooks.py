"""E-books of the sample market: small EPUB files of what the market has to say of a book."""

from __future__ import annotations

import io
import uuid
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils.html import escape

# A name of its own for each book, the same whenever it is made.
_NAMESPACE = uuid.UUID("b7a0a1de-6c55-4c0f-8d0e-3a8a1f1b9c42")
# The oldest time that a zip can hold. No file of it tells when the market was made.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_CONTAINER = """<?xml version="1.0" encoding="utf-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles>
<rootfile full-path="book.opf" media-type="application/oebps-package+xml"/>
</rootfiles>
</container>
"""
_PACKAGE = """<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="{language}">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">urn:uuid:{identifier}</dc:identifier>
<dc:title>{title}</dc:title>
<dc:creator>{author}</dc:creator>
<dc:language>{language}</dc:language>
<meta property="dcterms:modified">{modified}</meta>
</metadata>
<manifest>
<item id="contents" href="contents.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="text" href="text.xhtml" media-type="application/xhtml+xml"/>
</manifest>
<spine><itemref idref="contents"/><itemref idref="text"/></spine>
</package>
"""  # noqa: E501
_PAGE = """<?xml version="1.0" encoding="utf-8"?>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" xml:lang="{language}" lang="{language}">
<head><title>{title}</title></head>
<body>
{body}
</body>
</html>
"""  # noqa: E501


@dataclass(frozen=True)
class Chapter:
    """One chapter: its title and its text."""

    title: str
    text: str


def make_epub(
    *,
    name: str,
    title: str,
    author: str,
    language: str,
    note: str,
    chapters: Sequence[Chapter],
    written_at: datetime,
) -> bytes:
    """A valid EPUB 3 of a title page with the contents, and the chapters.

    `name` tells the book from all others, `note` stands on its title page. Equal arguments give
    equal bytes.
    """
    heading = f"<h1>{escape(title)}</h1>\n<p>{escape(author)}</p>\n<p>{escape(note)}</p>"
    contents = "\n".join(
        f'<li><a href="text.xhtml#c{number}">{escape(chapter.title)}</a></li>'
        for number, chapter in enumerate(chapters, start=1)
    )
    text = "\n".join(
        f'<section id="c{number}"><h2>{escape(chapter.title)}</h2>'
        f"<p>{escape(chapter.text)}</p></section>"
        for number, chapter in enumerate(chapters, start=1)
    )
    package = _PACKAGE.format(
        identifier=uuid.uuid5(_NAMESPACE, name),
        title=escape(title),
        author=escape(author),
        language=language,
        modified=written_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    navigation = f'<nav epub:type="toc" id="toc"><ol>\n{contents}\n</ol></nav>'
    page = {"title": escape(title), "language": language}
    return _zipped(
        [
            # First and not compressed: that is how a reader knows what the file is.
            ("mimetype", "application/epub+zip"),
            ("META-INF/container.xml", _CONTAINER),
            ("book.opf", package),
            ("contents.xhtml", _PAGE.format(body=f"{heading}\n{navigation}", **page)),
            ("text.xhtml", _PAGE.format(body=text, **page)),
        ]
    )


def _zipped(files: Iterable[tuple[str, str]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for place, (name, text) in enumerate(files):
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            # The same on every system that it is made on.
            entry.create_system = 3
            entry.compress_type = zipfile.ZIP_DEFLATED if place else zipfile.ZIP_STORED
            archive.writestr(entry, text)
    return out.getvalue()
