"""What a line of chat may say: its tidied form, and what links and blocked words look like in it.

Pure functions of text. What cannot be told surely to be a link is let through: a refused honest
line costs more than a link that a moderator hides.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

# Marks above or below one letter. Every living script gets by with these; towers of them do not.
MOST_MARKS = 4
# Spaces or signs between two letters of a blocked word.
MOST_BETWEEN = 3

_MARKS = ("Mn", "Me")
_JOINERS = "\u200c\u200d"
# Letters by their category that show nothing, with which an empty line would look like a message.
_BLANK_LETTERS = "\u115f\u1160\u3164\uffa0\u2800"


def tidied(text: str) -> str:
    """The text as it is stored: one line, in NFC, without what nobody can see.

    Controls, overrides of the direction of writing, invisible characters, private and broken
    ones are dropped; a joiner stays between two visible characters, for emoji and the scripts
    that need it; of combining marks, MOST_MARKS stay on a letter; white space becomes one space.
    """
    kept: list[str] = []
    n_marks = 0
    for character in unicodedata.normalize("NFC", text):
        if character.isspace() or character in _BLANK_LETTERS:
            kept.append(" ")
            n_marks = 0
            continue
        category = unicodedata.category(character)
        if category in _MARKS:
            n_marks += 1
            if n_marks <= MOST_MARKS and kept and kept[-1] != " ":
                kept.append(character)
        elif character in _JOINERS:
            if kept and kept[-1] not in _JOINERS and kept[-1] != " ":
                kept.append(character)
        elif category in ("Cc", "Cf", "Co", "Cs") or _is_no_character(character):
            continue
        else:
            n_marks = 0
            kept.append(character)
    line = " ".join("".join(kept).split())
    return re.sub(f"[{_JOINERS}]+( |$)", r"\1", line)


def _is_no_character(character: str) -> bool:
    point = ord(character)
    return point & 0xFFFE == 0xFFFE or 0xFDD0 <= point <= 0xFDEF


# Endings of addresses that stand for a link wherever they follow a name and a dot. Those that are
# words ("it.is", "thanks.in") or endings of files ("main.rs") need a path behind them.
_SURE = (
    "com|net|org|cn|top|xyz|vip|shop|info|biz|cc|tv|app|dev|site|club|store|icu|wang|ltd|ren"
    "|asia|hk|tw|jp|kr|ru|de|uk|eu|fr|io|ai|gg|ly|中国|公司|网络|网址|在线"
)
_NAME = r"(?<![a-z0-9-])[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ENDS = r"(?![a-z0-9-])"
_VEILED_DOT = r"\s?[\[({]\s?(?:[.。]|dot|点)\s?[\])}]\s?"
_LINK = re.compile(
    "|".join(
        (
            r"(?<![a-z])[a-z][a-z0-9+]{1,15}://\S",
            rf"(?<![a-z0-9])www\s?[.。]\s?{_NAME}",
            # A dot that is written out, set apart or put into brackets stays a dot.
            rf"{_NAME}(?:[.。]| [.。] ?|{_VEILED_DOT})(?:{_SURE}){_ENDS}",
            rf"{_NAME}点(?:com|cn|net|org|cc|top|xyz|vip){_ENDS}",
            rf"{_NAME}\.[a-z]{{2,24}}(?::\d{{2,5}})?/[\w?#%-]",
            r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?::\d{2,5}|/)",
        )
    )
)


def has_link(text: str) -> bool:
    """Whether the text names an address on the net: a URL, a domain or a thinly veiled one."""
    return _LINK.search(_folded(text)) is not None


def has_blocked_word(text: str, blocked_words: str) -> bool:
    """Whether one of the words (one a line) stands in the text.

    Letter case and width do not matter, nor do up to MOST_BETWEEN spaces or signs between the
    letters. Words of letters match as a whole word ("ass" is not in "class" nor "as soon");
    Chinese, Japanese and Korean, which write no spaces, match anywhere.
    """
    words = _words(blocked_words)
    if not words:
        return False
    line = _folded(text)
    places = [place for place, character in enumerate(line) if character.isalnum()]
    letters = "".join(line[place] for place in places)
    for word in words:
        if not word[0].isalnum():
            # Signs or emoji alone.
            if word in line:
                return True
            continue
        found = letters.find(word)
        while found >= 0:
            if _is_word(line, places[found : found + len(word)]):
                return True
            found = letters.find(word, found + 1)
    return False


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


@lru_cache(maxsize=256)
def _words(blocked_words: str) -> frozenset[str]:
    """The words folded, of those with letters the letters alone."""
    words = (_folded(line).strip() for line in blocked_words.splitlines())
    return frozenset("".join(filter(str.isalnum, word)) or word for word in words if word)


def _is_word(line: str, places: list[int]) -> bool:
    """Whether the letters at these places of the line stand together, and by themselves."""
    first, last = places[0], places[-1]
    if any(after - before > MOST_BETWEEN + 1 for before, after in pairwise(places)):
        return False
    if first > 0 and _is_of_words(line[first]) and _is_of_words(line[first - 1]):
        return False
    is_at_end = last + 1 == len(line)
    return is_at_end or not (_is_of_words(line[last]) and _is_of_words(line[last + 1]))


_WITHOUT_SPACES = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af]")


def _is_of_words(character: str) -> bool:
    """Whether it is a letter or digit of a script that puts spaces between words."""
    return character.isalnum() and not _WITHOUT_SPACES.match(character)
