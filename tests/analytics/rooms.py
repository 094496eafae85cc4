"""A live room that tests fill: who came, what they did, what they bought."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from accounts.models import User
from analytics.models import Event, EventKind
from catalog.models import Course, Purchase
from streams.models import LiveSession, SessionStatus, Visit
from tests.factories import (
    LONG_AGO,
    EventFactory,
    LiveSessionFactory,
    OrderAttributionFactory,
    OrderFactory,
    PurchaseFactory,
)

# The room is live since START; tests look at it at NOW, ten minutes later.
START = LONG_AGO
NOW = START + timedelta(minutes=10)


def at(minutes: float) -> datetime:
    """So many minutes after the beginning."""
    return START + timedelta(minutes=minutes)


def live_room(**columns: object) -> LiveSession:
    return LiveSessionFactory(live=True, started_at=START, scheduled_at=START, **columns)


def ended_room(seller: User, *, days_ago: int, minutes: int = 60) -> LiveSession:
    started = START - timedelta(days=days_ago)
    return LiveSessionFactory(
        seller=seller,
        status=SessionStatus.ENDED,
        scheduled_at=started,
        started_at=started,
        ended_at=started + timedelta(minutes=minutes),
    )


def came(
    session: LiveSession,
    user: User | None = None,
    *,
    minute: float = 0,
    watched: int = 60,
    visitor: uuid.UUID | None = None,
    source: str = "direct",
    n_likes: int = 0,
    **columns: object,
) -> Visit:
    """A visit from that minute on, `watched` seconds long."""
    joined = session.started_at + timedelta(minutes=minute)
    values = {
        "key": uuid.uuid4(),
        "live_session": session,
        "user": user,
        "visitor_id": None if user else visitor or uuid.uuid4(),
        "source": source,
        "joined_at": joined,
        "last_seen_at": joined + timedelta(seconds=watched),
        "watched_seconds": watched,
        "n_likes": n_likes,
    }
    return Visit.objects.create(**{**values, **columns})


def did(
    session: LiveSession,
    kind: EventKind,
    *,
    user: User | None = None,
    visitor: uuid.UUID | None = None,
    minute: float = 0,
    course: Course | None = None,
    value: float | None = None,
) -> Event:
    return EventFactory(
        kind=kind,
        live_session=session,
        user=user,
        visitor_id=None if user else visitor or uuid.uuid4(),
        course=course,
        value=value,
        occurred_at=session.started_at + timedelta(minutes=minute),
    )


def bought(
    session: LiveSession,
    buyer: User,
    *courses: Course,
    price: int = 100,
    minute: float = 0,
    **columns: object,
) -> list[Purchase]:
    """A paid order from the session."""
    paid_at = session.started_at + timedelta(minutes=minute)
    order = OrderFactory(buyer=buyer, paid_at=paid_at, **columns)
    OrderAttributionFactory(order=order, live_session=session)
    return [
        PurchaseFactory(order=order, course=one, price=price, list_price=500) for one in courses
    ]
