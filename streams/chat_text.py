"""What a line of chat may say: its tidied form, and what links and blocked words look like in it.

Pure functions of text. What cannot be told surely to be a link is let through: a refused honest
line costs more than a link that a moderator hides.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Marks above or below one letter. Every living script gets by with these; towers of them do not.
MOST_MARKS = 4

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

    Letter case and width do not matter, nor do up to three spaces or signs between the letters.
    Words of letters match as a whole word ("ass" is not in "class" nor "as soon"); Chinese,
    Japanese and Korean, which write no spaces, match anywhere.
    """
    pattern = _words_pattern(blocked_words)
    return pattern is not None and pattern.search(_folded(text)) is not None


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


_WITHOUT_SPACES = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af"
_LETTER_OF_WORDS = rf"[^\W_{_WITHOUT_SPACES}]"
_BETWEEN = r"[\W_]{0,3}"


@lru_cache(maxsize=256)
def _words_pattern(blocked_words: str) -> re.Pattern[str] | None:
    """One pattern for all words; None when there are none."""
    words = {word for line in blocked_words.splitlines() if (word := _folded(line).strip())}
    if not words:
        return None
    return re.compile("|".join(_word_pattern(word) for word in sorted(words)))


def _word_pattern(word: str) -> str:
    letters = re.sub(r"[\W_]", "", word)
    if not letters:
        # Signs or emoji alone.
        return re.escape(word)
    before = rf"(?<!{_LETTER_OF_WORDS})" if re.match(_LETTER_OF_WORDS, letters[0]) else ""
    after = rf"(?!{_LETTER_OF_WORDS})" if re.match(_LETTER_OF_WORDS, letters[-1]) else ""
    return before + _BETWEEN.join(letters) + after
