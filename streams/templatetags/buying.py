"""What pages show of buying: the cart's size, prices of a live session, coupons handed out."""

from __future__ import annotations

from collections.abc import Iterable

from django import template
from django.utils import timezone
from django.utils.translation import gettext as _

from catalog.consultations import free_times
from catalog.coupons import claimed_coupons
from catalog.models import ConsultationSlot, Coupon, Course, DiscountKind
from catalog.templatetags.catalog_pages import money
from streams.cart import Cart, owned_courses
from streams.live_orders import OPEN_ROOMS, coupons_of_room
from streams.models import LiveSession
from streams.room_offers import RoomOffer, offer_in_room
from streams.schedule import ShowcaseCard

register = template.Library()

LONGEST_NUMBER = 18


@register.simple_tag(takes_context=True)
def cart_size(context: template.Context) -> int:
    """How many courses are in the visitor's cart."""
    session = getattr(context.get("request"), "session", None)
    return 0 if session is None else len(Cart(session))


@register.simple_tag(takes_context=True)
def room_offer(context: template.Context, course: Course) -> RoomOffer | None:
    """The offer of the live session that the address names in `live`, if it made one."""
    request = context["request"]
    asked = request.GET.get("live", "")
    if not (asked.isascii() and asked.isdigit() and len(asked) <= LONGEST_NUMBER):
        return None
    return offer_in_room(course, session_id=int(asked), viewer=request.user, moment=timezone.now())


@register.simple_tag(takes_context=True)
def is_in_cart(context: template.Context, course: Course) -> bool:
    return course.pk in Cart(context["request"].session)


@register.simple_tag
def times_of(course: Course) -> list[ConsultationSlot]:
    """The times of a consultation that can be booked."""
    return free_times([course], moment=timezone.now()).get(course.pk, [])


@register.simple_tag(takes_context=True)
def owned_among(context: template.Context, showcase: Iterable[ShowcaseCard]) -> set[int]:
    """Ids of the courses of a showcase that the viewer has."""
    courses = [one.card.course.pk for one in showcase]
    return owned_courses(context["request"].user, courses)


@register.filter
def sells(session: LiveSession) -> bool:
    """Whether orders can come from the session: it has begun."""
    return session.status in OPEN_ROOMS


@register.simple_tag(takes_context=True)
def room_coupons(context: template.Context, session: LiveSession) -> list[Coupon]:
    """The coupons that the session hands out now, each with `is_claimed` by the viewer."""
    moment, viewer = timezone.now(), context["request"].user
    coupons = coupons_of_room(session, moment=moment)
    claimed = claimed_coupons(viewer, moment=moment) if coupons and viewer.is_authenticated else []
    for coupon in coupons:
        coupon.is_claimed = coupon in claimed  # type: ignore[attr-defined]
    return coupons


@register.filter
def coupon_terms(coupon: Coupon) -> str:
    """What a coupon takes off and from which sum on: 10% off from ¥100."""
    if coupon.kind == DiscountKind.PERCENT:
        off = _("%(n)d%% off") % {"n": coupon.percent}
    else:
        off = _("%(amount)s off") % {"amount": money(coupon.amount, coupon.currency)}
    if coupon.minimum_spend:
        least = money(coupon.minimum_spend, coupon.currency)
        return _("%(off)s from %(least)s on") % {"off": off, "least": least}
    return off


@register.filter
def of(mapping: dict, key: object) -> object:
    """The value of a key that is in a variable."""
    return mapping.get(key)
