"""What a seller's control desk shows of the showcase and of the offers of one live session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from catalog.models import Coupon, Course, CourseStatus
from catalog.pricing import Price, current_prices
from streams.desk_offers import coupons_to_hand_out
from streams.live_orders import coupons_of_room, promotions_of_room
from streams.models import LiveSession, SessionPromotion

# In one list to choose from; whoever has more finds the rest in the admin.
MOST_TO_CHOOSE = 200
# From here on the numbers of a scarce offer are marked.
FEW_SEATS = 5


@dataclass(frozen=True)
class DeskItem:
    """One course of the showcase, with what somebody pays who buys it from there now."""

    course: Course
    price: Price
    is_pinned: bool

    @property
    def is_on_sale(self) -> bool:
        return self.course.status == CourseStatus.PUBLISHED


def desk_items(session: LiveSession, *, moment: datetime) -> list[DeskItem]:
    """The showcase in its order, with three queries for all of it.

    What is no longer on sale is there as well: viewers see it no more, the seller should know.
    """
    items = list(session.showcase.select_related("course__seller"))
    courses = [item.course for item in items]
    also = promotions_of_room(session)
    prices = current_prices(courses, moment=moment, also=also)
    return [
        DeskItem(item.course, prices[item.course_id], item.pk == session.pinned_id)
        for item in items
    ]


def next_to_pin(items: Sequence[DeskItem]) -> DeskItem | None:
    """The course on sale that follows the pinned one, the first after the last; None for none."""
    pinned = next((place for place, item in enumerate(items) if item.is_pinned), -1)
    in_turn = [*items[pinned + 1 :], *items[: pinned + 1]]
    return next((item for item in in_turn if item.is_on_sale and not item.is_pinned), None)


def courses_to_add(session: LiveSession) -> QuerySet[Course]:
    """What of the seller's is on sale and not shown yet, by title."""
    courses = Course.objects.published().filter(seller=session.seller_id)
    return courses.exclude(pk__in=session.showcase.values("course")).order_by("title", "pk")[
        :MOST_TO_CHOOSE
    ]


def running_promotions(session: LiveSession, *, moment: datetime) -> list[SessionPromotion]:
    """The promotions of the session that run now, the one that ends first before."""
    if not session.is_live:
        return []
    running = session.promotions.filter(
        promotion__is_active=True,
        promotion__starts_at__lte=moment,
        promotion__ends_at__gt=moment,
    )
    return list(running.select_related("promotion__course").order_by("promotion__ends_at", "pk"))


def handed_out(session: LiveSession, *, moment: datetime) -> list[Coupon]:
    """The running coupons that viewers can claim now."""
    return coupons_of_room(session, moment=moment)


def coupons_to_offer(session: LiveSession, *, moment: datetime) -> list[Coupon]:
    """The seller's running coupons that are not handed out yet, the one that ends first before."""
    coupons = coupons_to_hand_out(session, moment=moment)
    others = coupons.exclude(pk__in=session.coupons.values("coupon"))
    return list(others.order_by("ends_at", "pk")[:MOST_TO_CHOOSE])
