"""What a course costs to somebody who comes from a live session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from catalog.models import Course
from catalog.pricing import Price, current_price
from streams.live_orders import NotFromThere, ensure_from_there, promotions_of_room
from streams.models import LiveSession

if TYPE_CHECKING:
    from accounts.rules import Person


@dataclass(frozen=True)
class RoomOffer:
    """A course as a live session offers it; `price` is what an order from there is charged."""

    session: LiveSession
    price: Price


def offer_in_room(
    course: Course, *, session_id: int, viewer: Person, moment: datetime
) -> RoomOffer | None:
    """The offer of that session, or None when the course cannot have come from there."""
    session = LiveSession.objects.visible_to(viewer).filter(pk=session_id).first()
    if session is None:
        return None
    try:
        ensure_from_there(session, [course.pk])
    except NotFromThere:
        return None
    also = promotions_of_room(session)
    return RoomOffer(session, current_price(course, moment=moment, also=also))
