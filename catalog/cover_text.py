"""Setting a title in Chinese, English or both into a few lines of a cover.

Widths are in em: the width of one Chinese character is 1. The reader's font is not known
when the picture is made, so the widths of Latin letters are those of a wide bold sans.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Characters that must not begin a line, and those that must not end one.
CLOSING = set("，。、：；！？）》」』】〉…—”’,.:;!?)]}%")
OPENING = set("（《「『【〈“‘([{#")
_PIECE = re.compile(r"\s+|[A-Za-z0-9À-ɏ+#&@_'’./%:$-]+|.", re.S)
_NARROW = set("iljtfrI.,:;'’!|()[]/-")
_WIDE = set("mwMWGOQ@%&")
ELLIPSIS = "…"
# Chinese words that join two phrases: a line may well begin with one.
JOINING = set("与和及或的·")
# Height of a line in em, and what a torn phrase and a further line cost beside unevenness.
LEADING = 1.28
TEAR = 0.5
LINE = 0.02


@dataclass(frozen=True)
class SetTitle:
    """A title in lines, and the size in pixels at which they fit."""

    lines: tuple[str, ...]
    size: int


def text_width(text: str) -> float:
    """The width of the text in em, rather too wide than too narrow."""
    return sum(_character_width(character) for character in text)


def set_title(
    title: str, *, width: float, height: float, sizes: Sequence[int], most_lines: int
) -> SetTitle:
    """The title at the largest size at which it fits, else cut with an ellipsis at the smallest.

    `width` and `height` are in pixels. A size up to two steps smaller is taken where it lets
    every line break fall between phrases: nobody can see the words of Chinese from outside.
    """
    pieces = list(_unbreakable(title))
    if not pieces:
        return SetTitle((), sizes[0])
    fitting = []
    for size in sizes:
        n_lines = min(most_lines, int(height / (size * LEADING)))
        layout = _layout(pieces, width / size, n_lines)
        if layout is not None:
            fitting.append(SetTitle(layout.lines, size))
            if layout.n_torn == 0:
                return fitting[-1]
        if len(fitting) == 3:
            break
    return fitting[0] if fitting else _cut_to_fit(pieces, width / sizes[-1], sizes[-1], most_lines)


def cut(text: str, em: float) -> str:
    """The text itself when it fits, else its beginning with an ellipsis."""
    if text_width(text) <= em:
        return text
    kept = text
    while kept and text_width(kept + ELLIPSIS) > em:
        kept = kept[:-1]
    return kept.rstrip(ELLIPSIS + " ") + ELLIPSIS


def _character_width(character: str) -> float:
    if unicodedata.east_asian_width(character) in ("W", "F"):
        return 1.0
    if character == " " or character in _NARROW:
        return 0.34
    if character in _WIDE:
        return 0.88
    return 0.7 if character.isupper() else 0.6


def _unbreakable(title: str) -> Iterator[str]:
    """Pieces between which a line may break; a piece that is a space is dropped at a break."""
    held = ""
    for piece in _PIECE.findall(title.strip()):
        if piece.isspace():
            if held:
                yield held
            held = ""
            yield " "
        elif piece[0] in CLOSING or (held and held[-1] in OPENING):
            held += piece
        else:
            if held:
                yield held
            held = piece
    if held:
        yield held


@dataclass(frozen=True)
class _Layout:
    """Lines, their cost, and how many breaks tear a phrase."""

    lines: tuple[str, ...]
    cost: float
    n_torn: int


def _layout(pieces: Sequence[str], em: float, most_lines: int) -> _Layout | None:
    """The lines that are most alike in length and tear fewest phrases; None when none fit."""
    fewest = _layouts(pieces, em, em)
    if fewest is None or len(fewest.lines) > most_lines:
        return None
    even = text_width("".join(pieces)) / len(fewest.lines)
    layout = _layouts(pieces, em, min(em, even * 1.12))
    return layout if layout and len(layout.lines) <= most_lines else fewest


def _layouts(pieces: Sequence[str], em: float, ideal: float) -> _Layout | None:
    """The cheapest layout of the pieces in lines of at most `em`, best about `ideal` long.

    Dynamic programming over the places where a line may end, as in Knuth and Plass,
    "Breaking paragraphs into lines" (1981), without hyphens and stretched spaces.
    """
    best: list[_Layout | None] = [_Layout((), 0.0, 0), *([None] * len(pieces))]
    for end in range(1, len(pieces) + 1):
        for start in range(end - 1, -1, -1):
            line = "".join(pieces[start:end]).strip()
            if text_width(line) > em:
                break
            before = best[start]
            if before is None or not line:
                continue
            is_torn = end < len(pieces) and not _is_between_phrases(pieces[end - 1], pieces[end])
            cost = before.cost + ((text_width(line) - ideal) / em) ** 2 + TEAR * is_torn + LINE
            known = best[end]
            if known is None or cost < known.cost:
                best[end] = _Layout((*before.lines, line), cost, before.n_torn + is_torn)
    return best[-1]


def _is_between_phrases(left: str, right: str) -> bool:
    """Whether a break here is one that a reader would make."""
    if left == " " or right == " " or left[-1] in CLOSING or right[0] in OPENING:
        return True
    return left[-1].isascii() != right[0].isascii() or right[0] in JOINING


def _cut_to_fit(pieces: Sequence[str], em: float, size: int, most_lines: int) -> SetTitle:
    """Lines filled one after the other, the last one ending in an ellipsis."""
    lines = [""]
    for piece in pieces:
        if lines[-1] and text_width(lines[-1] + piece.rstrip()) > em:
            lines.append("")
        if piece != " " or lines[-1]:
            lines[-1] += piece
    lines = [cut(line.strip(), em) for line in lines if line.strip()]
    if len(lines) > most_lines:
        lines = [*lines[: most_lines - 1], cut(lines[most_lines - 1] + ELLIPSIS * 2, em)]
    return SetTitle(tuple(lines), size)
