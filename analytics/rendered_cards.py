"""Cards of courses as JSON, held by the process for a moment and joined to answers as they are.

A list of recommendations is asked for much more often than anything on its cards changes: prices,
seats and ratings of all cards that are wanted are read together, once in HOLDS_SECONDS, and only
cards of which something did change are written again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Model
from django.utils import timezone
from django.utils.translation import get_language
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from catalog.cards import CourseCard, course_cards
from catalog.models import Course
from catalog.serializers import CourseSerializer

# No price, seat or rating that is shown is older.
HOLDS_SECONDS = 2.0
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


@dataclass
class _Shelf:
    """The cards of one language and one address of the platform, all read after `read_at`."""

    read_at: float
    cards: dict[int, RenderedCard | None] = field(default_factory=dict)


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
        if shelf is None or self.clock() - shelf.read_at >= HOLDS_SECONDS:
            shelf = self._read_again(key, course_ids, request)
        missing = [one for one in course_ids if one not in shelf.cards]
        if missing:
            shelf.cards.update(self._rendered(missing, {}, request))
        held = shelf.cards
        return {one: card for one in course_ids if (card := held[one]) is not None}

    def forget(self) -> None:
        self._shelves.clear()

    def _read_again(
        self, key: tuple[str | None, str], course_ids: Collection[int], request: Request
    ) -> _Shelf:
        # The others wait: what they have is too old to be shown.
        with self._lock:
            old = self._shelves.get(key)
            if old is not None and self.clock() - old.read_at < HOLDS_SECONDS:
                return old
            before = dict(old.cards) if old else {}
            wanted = {*course_ids, *before} if len(before) < MOST_CARDS else set(course_ids)
            shelf = _Shelf(self.clock())
            shelf.cards.update(self._rendered(wanted, before, request))
            if len(self._shelves) >= MOST_SHELVES:
                self._shelves.clear()
            self._shelves[key] = shelf
            return shelf

    def _rendered(
        self,
        course_ids: Collection[int],
        before: dict[int, RenderedCard | None],
        request: Request,
    ) -> dict[int, RenderedCard | None]:
        now = self.clock()
        courses = (
            Course.objects.filter(pk__in=course_ids)
            .with_ratings()
            .select_related("category", "seller")
            .defer("description")
        )
        found: dict[int, RenderedCard | None] = dict.fromkeys(course_ids)
        for card in course_cards(courses, moment=timezone.now()):
            facts = _facts(card)
            had = before.get(card.course.pk)
            if had and had.facts == facts and now - had.written_at < WRITTEN_FOR_SECONDS:
                found[card.course.pk] = had
                continue
            written = json_bytes(CourseSerializer(card, context={"request": request}).data)
            found[card.course.pk] = RenderedCard(
                title=card.course.title,
                category=card.course.category.name,
                is_published=card.course.is_published,
                published_at=card.course.published_at,
                opened=written[:-1],
                facts=facts,
                written_at=now,
            )
        return found


def _facts(card: CourseCard) -> object:
    """Everything that a card is written from."""
    course, price = card.course, card.price
    promotion = price.promotion
    return (
        *(_columns(row) for row in (course, course.category, course.seller)),
        (price.amount, price.list_price, price.currency),
        promotion and (promotion.ends_at, promotion.seats_left),
    )


def _columns(row: Model) -> dict[str, Any]:
    return {name: value for name, value in vars(row).items() if not name.startswith("_")}


_held = Shelves()


def rendered_cards(course_ids: Collection[int], *, request: Request) -> dict[int, RenderedCard]:
    """The cards of those of the courses that exist, at most HOLDS_SECONDS old."""
    return _held.cards(course_ids, request=request)


def forget() -> None:
    """Read anew at the next call: for a process whose database was changed under it."""
    _held.forget()
