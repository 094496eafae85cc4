"""Cards of courses as JSON, held by the process for a moment and joined to answers as they are.

A list of recommendations is asked for much more often than anything on its cards changes. Once in
HOLDS_SECONDS the prices and seats of all cards that are wanted are read together, and when each
course was edited last; a whole card, with its rating and names, is read where one of these changed,
or once in READ_AGAIN_SECONDS, and written where anything on it did.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Model
from django.utils import timezone
from django.utils.translation import get_language
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from accounts.plain_rows import fetch_rows
from catalog.cards import CourseCard, course_cards
from catalog.models import Course
from catalog.pricing import Price, current_prices
from catalog.serializers import CourseSerializer

# No price and no seat that is shown is older, nor anything else that a seller edits.
HOLDS_SECONDS = 2.0
# Nor any rating or name of a seller or a field.
READ_AGAIN_SECONDS = 30.0
# A card of which nothing changed is written again all the same: the address of a file may expire.
WRITTEN_FOR_SECONDS = 300.0
# Languages and addresses of the platform for which cards are held, and cards of each.
MOST_SHELVES, MOST_CARDS = 16, 5_000

json_bytes = JSONRenderer().render


@dataclass(frozen=True)
class RenderedCard:
    """What answers need of a course, and its card as a JSON object, without the bracket that
    closes it."""

    title: str
    category: str
    is_published: bool
    published_at: datetime | None
    opened: bytes
    facts: object
    written_at: float


@dataclass(frozen=True)
class _Held:
    """A card, or that there is no such course, with what was looked at and when it was read."""

    card: RenderedCard | None
    looked_at: object
    read_at: float


@dataclass
class _Shelf:
    """Cards of one language and one address of the platform, all looked at after `looked_at`."""

    looked_at: float
    cards: dict[int, _Held] = field(default_factory=dict)


@dataclass
class Shelves:
    """What one process holds, shared by its threads."""

    clock: Callable[[], float] = time.monotonic
    _shelves: dict[tuple[str | None, str], _Shelf] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def cards(self, course_ids: Collection[int], *, request: Request) -> dict[int, RenderedCard]:
        """The cards of those of the courses that exist, in the language of the request."""
        key = (get_language(), f"{request.scheme}://{request.get_host()}")
        shelf = self._shelves.get(key)
        if shelf is None or self.clock() - shelf.looked_at >= HOLDS_SECONDS:
            shelf = self._look_again(key, course_ids, request)
        missing = [one for one in course_ids if one not in shelf.cards]
        if missing:
            shelf.cards.update(self._read(missing, {}, request))
        held = shelf.cards
        return {one: card for one in course_ids if (card := held[one].card) is not None}

    def forget(self) -> None:
        self._shelves.clear()

    def _look_again(
        self, key: tuple[str | None, str], course_ids: Collection[int], request: Request
    ) -> _Shelf:
        # The others wait: what they have is too old to be shown.
        with self._lock:
            old = self._shelves.get(key)
            now = self.clock()
            if old is not None and now - old.looked_at < HOLDS_SECONDS:
                return old
            before = dict(old.cards) if old else {}
            wanted = {*course_ids, *before} if len(before) < MOST_CARDS else set(course_ids)
            known = wanted & before.keys()
            looks = _looks(known) if known else {}
            kept = {
                one: had
                for one, had in before.items()
                if one in known
                and had.looked_at == looks.get(one)
                and now - had.read_at < READ_AGAIN_SECONDS - HOLDS_SECONDS
            }
            shelf = _Shelf(now, kept)
            if due := wanted - kept.keys():
                shelf.cards.update(self._read(due, before, request))
            if len(self._shelves) >= MOST_SHELVES:
                self._shelves.clear()
            self._shelves[key] = shelf
            return shelf

    def _read(
        self, course_ids: Collection[int], before: Mapping[int, _Held], request: Request
    ) -> dict[int, _Held]:
        now = self.clock()
        courses = (
            Course.objects.filter(pk__in=course_ids)
            .with_ratings()
            .select_related("category", "seller")
            .defer("description")
        )
        found = dict.fromkeys(course_ids, _Held(None, None, now))
        for card in course_cards(courses, moment=timezone.now()):
            pk = card.course.pk
            had = before[pk].card if pk in before else None
            written = _written(card, had, request, now=now)
            # As on this very card: what changes between a look and this is seen at the next look.
            found[pk] = _Held(written, _look(card.course, card.price), now)
        return found


def _looks(course_ids: Collection[int]) -> dict[int, object]:
    """What is looked at of each of the courses that exist."""
    courses = fetch_rows(
        Course, fields=("status", "list_price", "currency", "updated_at"), pk=course_ids
    )
    prices = current_prices(courses, moment=timezone.now())
    return {one.pk: _look(one, prices[one.pk]) for one in courses}


def _look(course: Course, price: Price) -> object:
    return course.status, course.updated_at, *_price_facts(price)


def _written(
    card: CourseCard, had: RenderedCard | None, request: Request, *, now: float
) -> RenderedCard:
    """The card that was there, where it was written a moment ago of the same, or a new one."""
    facts = _facts(card)
    if had and had.facts == facts and now - had.written_at < WRITTEN_FOR_SECONDS:
        return had
    written = json_bytes(CourseSerializer(card, context={"request": request}).data)
    return RenderedCard(
        title=card.course.title,
        category=card.course.category.name,
        is_published=card.course.is_published,
        published_at=card.course.published_at,
        opened=written[:-1],
        facts=facts,
        written_at=now,
    )


def _facts(card: CourseCard) -> object:
    """Everything that a card is written from."""
    course = card.course
    rows = (course, course.category, course.seller)
    return (*(_columns(row) for row in rows), *_price_facts(card.price))


def _price_facts(price: Price) -> tuple[object, ...]:
    promotion = price.promotion
    seats = (promotion.ends_at, promotion.seats_left) if promotion else None
    return price.amount, price.list_price, price.currency, seats


def _columns(row: Model) -> dict[str, Any]:
    return {name: value for name, value in vars(row).items() if not name.startswith("_")}


_held = Shelves()


def rendered_cards(course_ids: Collection[int], *, request: Request) -> dict[int, RenderedCard]:
    """The cards of those of the courses that exist; see HOLDS_SECONDS for how old they may be."""
    return _held.cards(course_ids, request=request)


def forget() -> None:
    """Read anew at the next call: for a process whose database was changed under it."""
    _held.forget()
