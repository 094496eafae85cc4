"""What a live room shows, part by part, in the shape of the wire (docs/api.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.models import User
from accounts.templatetags.people import masked_name
from catalog.covers import course_cover_url
from catalog.models import Purchase
from streams.broadcast import video_part
from streams.chat import author_tag, chat_part, hidden_ids, rules_of
from streams.draws import draw_part, entry_of
from streams.live_orders import coupons_of_room
from streams.models import LiveSession, OrderAttribution, Restriction, Room
from streams.moderation import may_moderate
from streams.polls import poll_part, vote_of
from streams.presence import viewers_now
from streams.restrictions import is_pause, restrictions_in
from streams.schedule import showcase_cards

MOST_BOUGHT = 5


def room_parts(
    session_id: int, *, names: Iterable[str] | None = None, moment: datetime | None = None
) -> dict[str, Any]:
    """The parts of the room with these names (None: all). Raises LiveSession.DoesNotExist."""
    session = LiveSession.objects.get(pk=session_id)
    now = moment or timezone.now()
    return {name: PARTS[name](session, now) for name in (PARTS if names is None else names)}


def me_part(
    session: LiveSession, viewer: User | AnonymousUser, *, moment: datetime
) -> dict[str, Any]:
    """What the room means to one viewer: whether they may write, what they chose and won."""
    if not viewer.is_authenticated:
        nobody = standing(held=None, keeps_order=False, is_open=False)
        return {"is_signed_in": False, "tag": None, **nobody, "vote": None, "entry": None}
    return {
        "is_signed_in": True,
        "tag": author_tag(session.pk, viewer.pk),
        **standing(
            held=restrictions_in(session, [viewer.pk], moment=moment).get(viewer.pk),
            keeps_order=may_moderate(viewer, session),
            is_open=session.is_live and rules_of(session).is_open,
        ),
        "vote": vote_of(viewer, session.pk),
        "entry": entry_of(viewer, session.pk),
    }


def standing(*, held: Restriction | None, keeps_order: bool, is_open: bool) -> dict[str, Any]:
    """The part of `me` that others change: whether one may write, until when not, and why.

    Whoever wrote too fast has a pause, and is not muted by anybody; who keeps order has none.
    """
    if held is not None and keeps_order and is_pause(held):
        held = None
    return {
        "can_write": held is None and (is_open or keeps_order),
        "is_muted": held is not None and not is_pause(held),
        "muted_until": held.until.isoformat() if held is not None and held.until else None,
        "is_moderator": keeps_order,
    }


def _status(session: LiveSession, moment: datetime) -> str:
    return session.status


def _video(session: LiveSession, moment: datetime) -> Any:
    return video_part(session)


def _viewers(session: LiveSession, moment: datetime) -> int:
    return viewers_now(session.pk, moment=moment)


def _likes(session: LiveSession, moment: datetime) -> int:
    return Room.objects.filter(pk=session.pk).values_list("n_likes", flat=True).first() or 0


def _showcase(session: LiveSession, moment: datetime) -> list[dict[str, Any]]:
    places = dict(session.showcase.values_list("course_id", "pk"))
    order = {course_id: place for place, course_id in enumerate(places)}
    shown = []
    for one in showcase_cards(session, moment=moment):
        course, price = one.card.course, one.price
        promotion = price.promotion
        shown.append(
            {
                "item": places[course.pk],
                "course": course.pk,
                "slug": course.slug,
                "title": course.title,
                "kind": course.kind,
                "cover": course_cover_url(course),
                "is_pinned": one.is_pinned,
                "list_price": f"{course.list_price:.2f}",
                "price": f"{price.amount:.2f}",
                "currency": price.currency,
                "seats_left": promotion.seats_left if promotion else None,
                "offer_ends_at": promotion.ends_at.isoformat() if promotion else None,
            }
        )
    return sorted(shown, key=lambda one: order[one["course"]])


def _coupons(session: LiveSession, moment: datetime) -> list[dict[str, Any]]:
    return [
        {
            "id": coupon.pk,
            "code": coupon.code,
            "kind": coupon.kind,
            "percent": coupon.percent,
            "amount": None if coupon.amount is None else f"{coupon.amount:.2f}",
            "minimum_spend": f"{coupon.minimum_spend:.2f}",
            "currency": coupon.currency,
            "ends_at": coupon.ends_at.isoformat(),
        }
        for coupon in coupons_of_room(session, moment=moment)
    ]


def _poll(session: LiveSession, moment: datetime) -> Any:
    return poll_part(session.pk)


def _draw(session: LiveSession, moment: datetime) -> Any:
    return draw_part(session.pk)


def _chat(session: LiveSession, moment: datetime) -> dict[str, Any]:
    return chat_part(session.pk)


def _bought(session: LiveSession, moment: datetime) -> list[dict[str, Any]]:
    """The newest orders from here that were paid, with the buyer's name covered."""
    paid = OrderAttribution.objects.filter(live_session=session, order__paid_at__isnull=False)
    orders = paid.order_by("-pk").values_list("order_id", flat=True)[:MOST_BOUGHT]
    lines = (
        Purchase.objects.filter(order__in=list(orders))
        .select_related("order__buyer", "course")
        .order_by("-order", "pk")
    )
    firsts = {line.order_id: line for line in reversed(lines)}
    return [
        {
            # Keyed: the numbers of rows would tell how much the platform sells.
            "id": salted_hmac("streams.bought", str(line.pk), algorithm="sha256").hexdigest()[:12],
            "name": masked_name(line.order.buyer),
            "course": line.course_id,
            "title": line.course.title,
            "at": line.order.paid_at.isoformat() if line.order.paid_at else None,
        }
        for line in sorted(firsts.values(), key=lambda line: -line.order_id)
    ]


def _hidden(session: LiveSession, moment: datetime) -> list[int]:
    return hidden_ids(session.pk)


PARTS: dict[str, Callable[[LiveSession, datetime], Any]] = {
    "status": _status,
    "video": _video,
    "viewers": _viewers,
    "likes": _likes,
    "showcase": _showcase,
    "coupons": _coupons,
    "poll": _poll,
    "draw": _draw,
    "chat": _chat,
    "bought": _bought,
    "hidden": _hidden,
}
