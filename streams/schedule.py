"""Live sessions as viewers see them: what is on, what comes, what was shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby

from django.utils import timezone

from catalog.cards import CourseCard, course_cards
from catalog.models import Course, Promotion
from catalog.pricing import Price
from streams.models import LiveSession, SessionPromotion, SessionStatus
from streams.querysets import LiveSessionQuerySet

# Sellers begin some minutes late; whoever comes on time must still find the session.
LATE_SHOWN_FOR = timedelta(minutes=30)


@dataclass(frozen=True)
class Day:
    """The sessions of one calendar day in the platform's time zone."""

    date: date
    sessions: list[LiveSession]


@dataclass(frozen=True)
class ShowcaseCard:
    """One course of a showcase: its card, the promotion of this session, whether it is pinned."""

    card: CourseCard
    promotion: SessionPromotion | None
    is_pinned: bool

    @property
    def price(self) -> Price:
        """What somebody pays who buys it from there now."""
        if self.promotion is None:
            return self.card.price
        promotion = self.promotion.promotion
        return replace(self.card.price, amount=promotion.price, promotion=promotion)


def by_day(sessions: Iterable[LiveSession]) -> list[Day]:
    """Sessions ordered by time, grouped by the day on which they begin."""
    return [
        Day(day, list(of_day))
        for day, of_day in groupby(
            sessions, key=lambda session: timezone.localdate(session.scheduled_at)
        )
    ]


def announced(sessions: LiveSessionQuerySet, *, moment: datetime) -> LiveSessionQuerySet:
    """The scheduled sessions to come, soonest first, and those that are a little late."""
    return sessions.coming_up(moment - LATE_SHOWN_FOR)


def is_overdue(session: LiveSession, *, moment: datetime) -> bool:
    """Whether the session should have begun and has not."""
    if session.status != SessionStatus.SCHEDULED or session.scheduled_at is None:
        return False
    return session.scheduled_at < moment


def showcase_cards(session: LiveSession, *, moment: datetime) -> list[ShowcaseCard]:
    """The published courses of the showcase in their order, the pinned one first.

    A promotion of the session is given only while it runs, has a seat left and is below the
    price that everybody pays; of several the lowest.
    """
    items = list(session.showcase.filter(course__status="published"))
    courses = (
        Course.objects.with_ratings()
        .select_related("seller", "category")
        .in_bulk([item.course_id for item in items])
    )
    offers = {
        offer.promotion.course_id: offer
        for offer in session.promotions.filter(
            promotion__in=Promotion.objects.running_at(moment).with_seat_left()
        )
        .select_related("promotion")
        .order_by("-promotion__price", "pk")
    }
    cards = course_cards([courses[item.course_id] for item in items], moment=moment)
    shown = [
        ShowcaseCard(
            card, _if_lower(offers.get(item.course_id), card), item.pk == session.pinned_id
        )
        for item, card in zip(items, cards, strict=True)
    ]
    return sorted(shown, key=lambda one: not one.is_pinned)


def _if_lower(offer: SessionPromotion | None, card: CourseCard) -> SessionPromotion | None:
    is_lower = offer is not None and offer.promotion.price < card.price.amount
    return offer if is_lower else None


def next_showing(course: Course, *, moment: datetime, n: int = 3) -> list[LiveSession]:
    """The sessions that show the course now, then the next ones that will; at most `n`."""
    showing = LiveSession.objects.showing(course).select_related("seller")
    live = list(showing.live_now()[:n])
    return live + list(announced(showing, moment=moment)[: n - len(live)])
