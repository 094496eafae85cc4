"""Orders that come from a live room: the promotions that hold there, and to whom they count."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.utils.translation import gettext as _

from accounts.models import User
from catalog import checkout
from catalog.checkout import OrderRequest
from catalog.coupons import CouponNotRunning, claim_coupon
from catalog.models import Coupon, CouponClaim, Course, Order
from catalog.pricing import Quote
from streams.models import LiveSession, OrderAttribution, SessionStatus

# A replay sells as well; before the start there is no room to come from.
OPEN_ROOMS = (SessionStatus.LIVE, SessionStatus.ENDED, SessionStatus.REPLAY)


class NotFromThere(Exception):
    """The order cannot have come from that live session."""

    def __init__(self) -> None:
        super().__init__(
            _("There is no such live session, it has not begun, or it shows none of these courses.")
        )


def place_order(
    *,
    buyer: User,
    request: OrderRequest,
    key: str,
    session: LiveSession | None,
    moment: datetime,
) -> Order:
    """Place an order, from a live session where there is one; it is then attributed to it.

    While the session is live its own promotions hold. The attribution is written with the order
    or not at all. Raises NotFromThere and what `catalog.checkout.place_order` raises.
    """
    if session is None:
        return checkout.place_order(buyer=buyer, request=request, key=key, moment=moment)
    # Sent again, it is the same order, whatever has become of the session.
    if (placed := checkout.order_of_key(buyer, key, request)) is not None:
        return placed
    ensure_from_there(session, request.courses)

    def attribute(order: Order) -> None:
        OrderAttribution.objects.create(order=order, live_session=session)

    return checkout.place_order(
        buyer=buyer,
        request=request,
        key=key,
        moment=moment,
        also=promotions_of_room(session),
        also_write=attribute,
    )


def quote_for(*, request: OrderRequest, session: LiveSession | None, moment: datetime) -> Quote:
    """What the order would cost now. Raises NotFromThere and what catalog raises."""
    if session is None:
        return checkout.quote_for(request=request, moment=moment)
    ensure_from_there(session, request.courses)
    return checkout.quote_for(request=request, moment=moment, also=promotions_of_room(session))


def ensure_from_there(session: LiveSession, course_ids: Collection[int]) -> None:
    """Raise NotFromThere unless the session has begun and has to do with one of the courses.

    Those in its showcase count, and any of its seller's: what was just taken off the showcase was
    shown all the same.
    """
    if session.status not in OPEN_ROOMS:
        raise NotFromThere
    is_shown = session.showcase.filter(course__in=course_ids).exists()
    if (
        not is_shown
        and not Course.objects.filter(seller=session.seller_id, pk__in=course_ids).exists()
    ):
        raise NotFromThere


def promotions_of_room(session: LiveSession) -> list[int]:
    """Ids of the promotions that hold in the session; none unless it is live."""
    if session.status != SessionStatus.LIVE:
        return []
    return list(session.promotions.values_list("promotion", flat=True))


def coupons_of_room(session: LiveSession, *, moment: datetime) -> list[Coupon]:
    """The running coupons that the session hands out; none unless it is live."""
    if session.status != SessionStatus.LIVE:
        return []
    handed_out = session.coupons.values("coupon")
    return list(Coupon.objects.running_at(moment).filter(pk__in=handed_out).order_by("pk"))


def claim_in_room(
    *, viewer: User, session: LiveSession, coupon: Coupon, moment: datetime
) -> CouponClaim:
    """Take a coupon that the session hands out. Raises CouponNotRunning and CouponSpent."""
    if coupon not in coupons_of_room(session, moment=moment):
        raise CouponNotRunning
    return claim_coupon(person=viewer, coupon=coupon, moment=moment)
