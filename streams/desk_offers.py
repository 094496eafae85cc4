"""Offers that a seller makes while live: promotions and coupons of one session, with an end.

What an offer may be is decided in the catalog; here it is tied to the session, and the rooms are
told. The room is locked first, so two desks of one session act one after the other.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.transactions import in_one_transaction
from catalog.models import Coupon, Course, Promotion
from catalog.new_coupons import bring_end_forward, make_coupon
from catalog.pricing import current_price
from catalog.promotions import begin_promotion, stop_promotion
from streams.live_orders import promotions_of_room
from streams.models import LiveSession, SessionCoupon, SessionPromotion
from streams.room_changes import touch_room

LONGEST_MINUTES = 24 * 60
# So much later may a press have been made that was heard first.
MEANWHILE = timedelta(minutes=1)


class OfferRefused(Exception):
    """The offer cannot be made now; the base of the reasons, whose words are for people."""


class OnlyWhileLive(OfferRefused):
    """Offers of a session hold while it is on air, at no other time."""

    def __init__(self) -> None:
        super().__init__(_("Offers of this session can be made while it is live."))


class NotOnOfferHere(OfferRefused):
    """Only what the session shows, and what is on sale, can be offered in it."""

    def __init__(self) -> None:
        super().__init__(_("Choose a course of the showcase that is on sale."))


class OfferRunning(OfferRefused):
    """Two offers for one course at once would show two prices and two clocks."""

    def __init__(self) -> None:
        super().__init__(_("An offer for this course is running here. End it first."))


class NotLowerThanNow(OfferRefused):
    """Everybody pays no more than that already."""

    def __init__(self, course: Course, price: Decimal) -> None:
        text = _("Everybody pays %(price)s for this course already: the offer must be below it.")
        super().__init__(text % {"price": f"{price} {course.currency}"})


class WrongLength(OfferRefused):
    def __init__(self) -> None:
        text = _("An offer lasts from 1 to %(n)d minutes.")
        super().__init__(text % {"n": LONGEST_MINUTES})


class CouponNotToHandOut(OfferRefused):
    """Only a running coupon of the session's seller with a use left can be handed out."""

    def __init__(self) -> None:
        super().__init__(_("This coupon is not running, or has been used up."))


@in_one_transaction
def start_promotion(
    session_id: int,
    course_id: int,
    *,
    price: Decimal,
    minutes: int,
    seats: int | None,
    by: User,
    moment: datetime,
) -> SessionPromotion:
    """Lower the price of a course of the showcase in this session alone, from now on.

    Raises OfferRefused, and what `catalog.promotions.begin_promotion` raises.
    """
    session = _live_session(session_id)
    lasts = _length(minutes)
    shown = Course.objects.published().filter(pk__in=session.showcase.values("course"))
    course = shown.filter(pk=course_id).first()
    if course is None:
        raise NotOnOfferHere
    # A press at another desk may have been made after this one, and come first all the same.
    running = Promotion.objects.filter(
        course=course,
        is_active=True,
        starts_at__lte=moment + MEANWHILE,
        ends_at__gt=moment,
    )
    if session.promotions.filter(promotion__in=running).exists():
        raise OfferRunning
    now = current_price(course, moment=moment, also=promotions_of_room(session))
    if now.is_reduced and price >= now.amount:
        raise NotLowerThanNow(course, now.amount)
    promotion = begin_promotion(
        course,
        price=price,
        seats=seats,
        is_public=False,
        by=by,
        moment=moment,
        lasts=lasts,
    )
    return SessionPromotion.objects.create(live_session=session, promotion=promotion)


@in_one_transaction
def end_promotion(session_id: int, promotion_id: int, *, by: User, moment: datetime) -> None:
    """End a promotion of this session at once; ended already, or of another, nothing changes."""
    touch_room(session_id)
    offer = (
        SessionPromotion.objects.filter(live_session=session_id, promotion=promotion_id)
        .select_related("promotion")
        .first()
    )
    if offer is not None:
        stop_promotion(offer.promotion, by=by, moment=moment)


@in_one_transaction
def hand_out_coupon(
    session_id: int, coupon_id: int, *, minutes: int | None, by: User, moment: datetime
) -> SessionCoupon:
    """Hand out a running coupon of the seller; handed out already, it stays so.

    With `minutes` the coupon itself ends by then, here and everywhere: an end is brought forward,
    never put off. Raises OfferRefused.
    """
    session = _live_session(session_id)
    coupon = coupons_to_hand_out(session, moment=moment).filter(pk=coupon_id).first()
    if coupon is None:
        raise CouponNotToHandOut
    if minutes is not None:
        bring_end_forward(coupon, to=moment + _length(minutes), by=by)
    handed_out, _is_new = SessionCoupon.objects.get_or_create(live_session=session, coupon=coupon)
    return handed_out


@in_one_transaction
def hand_out_new_coupon(
    session_id: int,
    *,
    kind: str,
    percent: int | None,
    amount: Decimal | None,
    max_uses: int | None,
    minutes: int,
    code: str = "",
    by: User,
    moment: datetime,
) -> SessionCoupon:
    """Make a coupon for everything of the seller and hand it out in this session.

    It is in the currency of what the session shows. Raises OfferRefused, and what
    `catalog.new_coupons.make_coupon` raises.
    """
    session = _live_session(session_id)
    shown = session.showcase.filter(course__status="published").select_related("course").first()
    if shown is None:
        raise NotOnOfferHere
    coupon = make_coupon(
        session.seller,
        kind=kind,
        percent=percent,
        amount=amount,
        currency=shown.course.currency,
        max_uses=max_uses,
        code=code,
        by=by,
        moment=moment,
        lasts=_length(minutes),
    )
    return SessionCoupon.objects.create(live_session=session, coupon=coupon)


@in_one_transaction
def stop_coupon(session_id: int, coupon_id: int) -> None:
    """Hand out the coupon no more; whoever claimed it keeps it until it ends."""
    touch_room(session_id)
    SessionCoupon.objects.filter(live_session=session_id, coupon=coupon_id).delete()


def coupons_to_hand_out(session: LiveSession, *, moment: datetime) -> QuerySet[Coupon]:
    """The running coupons of the session's seller with a use left."""
    has_use = Q(max_uses__isnull=True) | Q(n_used__lt=F("max_uses"))
    return Coupon.objects.running_at(moment).filter(has_use, seller=session.seller_id)


def _live_session(session_id: int) -> LiveSession:
    """The session, with its room locked. Raises OnlyWhileLive."""
    touch_room(session_id)
    session = LiveSession.objects.select_related("seller").get(pk=session_id)
    if not session.is_live:
        raise OnlyWhileLive
    return session


def _length(minutes: int) -> timedelta:
    if not 1 <= minutes <= LONGEST_MINUTES:
        raise WrongLength
    return timedelta(minutes=minutes)
