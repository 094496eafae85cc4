"""One text of a file to one checked value. Each parser raises BadCell, which says what is wrong.

Numbers and times are matched, not tried: `float` and `int` take "nan", "1_000" and the digits
of other scripts, which in a file are accidents.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone

from analytics.csv_import.errors import BadCell

Parser = Callable[[str], Any]

# With these a spreadsheet begins to calculate what it should show (OWASP, "CSV Injection").
FORMULA_STARTS = ("=", "+", "-", "@")
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
LARGEST_COUNT = 2_147_483_647
_NUMBER = re.compile(r"[+-]?\d{1,400}(\.\d{1,400})?([eE][+-]?\d{1,4})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,400}(\.0{1,6})?", re.ASCII)
_SLASHED = re.compile(r"(\d{4})[/.](\d{1,2})[/.](\d{1,2})(.*)", re.ASCII)
_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}([ T]\d{1,2}:\d{2}(:\d{2}([.,]\d{1,6})?)? ?(Z|[+-]\d{2}:?\d{2})?)?", re.ASCII
)
_SHOWN = 40


def shown(cell: str) -> str:
    """A cell as a reason quotes it: short, on one line, nothing that moves a terminal."""
    plain = "".join(c if c.isprintable() else "?" for c in cell[: _SHOWN + 1])
    return f'"{plain[:_SHOWN]}..."' if len(cell) > _SHOWN else f'"{plain}"'


def text(most: int, *, has_lines: bool = False) -> Parser:
    """Text of at most `most` characters; with `has_lines` it may have line ends and tabs."""
    allowed = "\n\r\t" if has_lines else ""

    def parse(cell: str) -> str:
        if cell.startswith(FORMULA_STARTS):
            raise BadCell(f"{shown(cell)} begins like a spreadsheet formula")
        if len(cell) > most:
            raise BadCell(f"is {len(cell):,} characters long, at most {most:,} fit")
        # What is printable has no control characters; the rest is looked at one by one.
        if not cell.isprintable():
            for character in cell:
                if unicodedata.category(character) in ("Cc", "Cs") and character not in allowed:
                    raise BadCell(
                        "contains a line break"
                        if character in "\n\r"
                        else f"contains a control character (U+{ord(character):04X})"
                    )
        return cell

    return parse


def text_list(most_items: int, most: int) -> Parser:
    """Texts joined by a bar; empty ones and repetitions are dropped."""
    parse_item = text(most)

    def parse(cell: str) -> list[str]:
        items = dict.fromkeys(parse_item(item.strip()) for item in cell.split("|") if item.strip())
        if len(items) > most_items:
            raise BadCell(f"has {len(items)} values, at most {most_items} fit")
        return list(items)

    return parse


def number(low: float, high: float) -> Parser:
    """A finite number from `low` to `high`, with a point before its decimals."""

    def parse(cell: str) -> float:
        if not _NUMBER.fullmatch(cell):
            raise BadCell(f"{shown(cell)} is not a number")
        value = float(cell)
        if not low <= value <= high:
            raise BadCell(f"{shown(cell)} is not between {low:g} and {high:g}")
        return value

    return parse


def whole(low: int = 0, high: int = LARGEST_COUNT) -> Parser:
    """A whole number from `low` to `high`; "3.0" is one, since spreadsheets write it so."""

    def parse(cell: str) -> int:
        if not _WHOLE.fullmatch(cell):
            raise BadCell(f"{shown(cell)} is not a whole number")
        value = int(cell.partition(".")[0])
        if not low <= value <= high:
            raise BadCell(f"{shown(cell)} is not between {low} and {high}")
        return value

    return parse


def money(most: Decimal) -> Parser:
    """An amount from 0 to `most` with at most two decimals."""

    def parse(cell: str) -> Decimal:
        if not _NUMBER.fullmatch(cell) or "e" in cell.lower():
            raise BadCell(f"{shown(cell)} is not an amount")
        value = Decimal(cell)
        if not 0 <= value <= most:
            raise BadCell(f"{shown(cell)} is not between 0 and {most}")
        cents = value.quantize(Decimal("0.01"))
        if cents != value:
            raise BadCell(f"{shown(cell)} has more than two decimals")
        return cents

    return parse


def past_moment(now: datetime) -> Parser:
    """A date, or date and time, in ISO 8601 or with slashes, from 1990 up to `now`.

    Without an offset it is a time of the platform's zone; a date alone is its midnight.
    """
    zone = timezone.get_current_timezone()

    def parse(cell: str) -> datetime:
        slashed = _SLASHED.fullmatch(cell)
        iso = cell
        if slashed:
            year, month, day, rest = slashed.groups()
            iso = f"{year}-{int(month):02}-{int(day):02}{rest}"
        if not _TIME.fullmatch(iso):
            raise BadCell(f"{shown(cell)} is not a date or time such as 2026-01-31 20:00")
        date, _, clock = iso.replace("T", " ").partition(" ")
        if clock[1:2] == ":":
            clock = f"0{clock}"
        try:
            moment = datetime.fromisoformat(f"{date} {clock.replace(' ', '')}".strip())
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=zone)
            moment = moment.astimezone(UTC)
        except (ValueError, OverflowError):
            raise BadCell(f"{shown(cell)} is a date or time that does not exist") from None
        if moment < EARLIEST:
            raise BadCell(f"{shown(cell)} is before {EARLIEST.year}")
        if moment > now:
            raise BadCell(f"{shown(cell)} is in the future")
        return moment

    return parse


def choice(values: Mapping[str, object]) -> Parser:
    """One of the given words, in any case."""
    names = ", ".join(values)

    def parse(cell: str) -> object:
        try:
            return values[cell.lower()]
        except KeyError:
            raise BadCell(f"{shown(cell)} is none of {names}") from None

    return parse


def currency(cell: str) -> str:
    """A currency code of three capital letters (ISO 4217)."""
    if not re.fullmatch(r"[A-Z]{3}", cell, re.ASCII):
        raise BadCell(f"{shown(cell)} is not a currency code such as CNY")
    return cell
