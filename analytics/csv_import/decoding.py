"""Which encoding a file has, and the fingerprint by which a repeated command knows it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from analytics.csv_import.errors import UnusableFile

UTF8_MARK = b"\xef\xbb\xbf"
# GB18030 contains GBK and GB2312; no byte of a character of either encoding here is a comma,
# a quotation mark or a line end, so that bytes can be cut into lines before they are decoded.
ENCODINGS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "gb18030": "gb18030",
    "gbk": "gb18030",
    "gb2312": "gb18030",
}
_BLOCK = 1 << 20
_NOT_TEXT = {
    b"PK\x03\x04": "a spreadsheet (.xlsx) or zip archive",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet (.xls)",
    b"\x1f\x8b": "compressed by gzip",
    b"%PDF": "a PDF",
}
_UTF16 = (
    "the file is UTF-16 or UTF-32 text, which is not read: save it as UTF-8 "
    '("CSV UTF-8" in a spreadsheet program)'
)


@dataclass(frozen=True)
class TextFile:
    """A file that was read once: where it is, how it is encoded, and what it weighs.

    `start` is the byte at which the text begins, after a byte order mark; `digest` is the
    SHA-256 of all bytes, in hexadecimal.
    """

    path: Path
    encoding: str
    start: int
    size: int
    digest: str


def inspect(path: Path, *, encoding: str | None = None) -> TextFile:
    """Read the file once, in blocks, and tell its encoding; UnusableFile where it has none.

    Without `encoding` it is UTF-8 if all lines are, else whichever of UTF-8 and GB18030 fails
    on fewer lines: one damaged line does not change how the others are read.
    """
    if encoding is not None and encoding.lower() not in ENCODINGS:
        raise UnusableFile(f"unknown encoding {encoding}: use utf-8 or gb18030")
    if not path.is_file():
        raise UnusableFile(f"no such file: {path}")
    digest = hashlib.sha256()
    n_bad = dict.fromkeys(("utf-8", "gb18030"), 0)
    size = start = 0
    rest = b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            if not size:
                _check_is_text(block)
                start = len(UTF8_MARK) if block.startswith(UTF8_MARK) else 0
            size += len(block)
            # Lines longer than a block are refused later; here they may be cut anywhere.
            whole, line_end, rest = (rest + block).rpartition(b"\n")
            if len(rest) > _BLOCK:
                rest = b""
            _count_bad_lines(whole + line_end, n_bad)
    _count_bad_lines(rest, n_bad)
    if size == start:
        raise UnusableFile("the file is empty")
    if encoding is not None:
        chosen = ENCODINGS[encoding.lower()]
    elif start:
        chosen = "utf-8"
    else:
        chosen = min(n_bad, key=lambda name: n_bad[name])
    return TextFile(path, chosen, start, size, digest.hexdigest())


def _check_is_text(block: bytes) -> None:
    for sign, what in _NOT_TEXT.items():
        if block.startswith(sign):
            raise UnusableFile(f"the file is {what}, not CSV text: save it as CSV")
    head = block[:4096]
    # Text of any other encoding has no NUL; in UTF-16 every ASCII character brings one.
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or head.count(0) * 4 > len(head):
        raise UnusableFile(_UTF16)


def _count_bad_lines(text: bytes, n_bad: dict[str, int]) -> None:
    for encoding in n_bad:
        try:
            text.decode(encoding)
        except UnicodeDecodeError:
            n_bad[encoding] += sum(not _is(line, encoding) for line in text.split(b"\n"))


def _is(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
