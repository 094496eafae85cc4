"""What a look at live rooms finds in the database: called by the hub, in its threads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from catalog.models import LedgerEntry, MoneyMove, Promotion
from streams.chat import messages_after
from streams.models import LiveSession, Moderator, OrderAttribution, Restriction, Room, ShowcaseItem
from streams.restrictions import restrictions_in
from streams.room_changes import room_of
from streams.room_state import room_parts

MESSAGES_AT_ONCE = 200
# What is read again with each new version of a room.
VERSIONED = ("status", "video", "showcase", "coupons", "poll", "draw", "chat", "hidden")
# Entries of the ledger are not committed in the order of their keys: so many are seen again.
OVERLAP = 50


@dataclass(frozen=True)
class Known:
    """What a process has shown of a room: its version (-1: nothing yet), last message, likes."""

    version: int
    last_message_id: int
    n_likes: int | None


@dataclass(frozen=True)
class People:
    """Who is restricted in a room, and who keeps order there, by their ids; operators besides."""

    restricted: dict[int, Restriction]
    keepers: frozenset[int]


@dataclass(frozen=True)
class News:
    """What is new of a room. `people` and `course_ids` come with a new version alone."""

    parts: dict[str, Any]
    version: int = -1
    messages: Sequence[dict[str, Any]] = ()
    last_message_id: int = 0
    people: People | None = None
    course_ids: frozenset[int] | None = None


@dataclass(frozen=True)
class Sales:
    """What can be bought and was, in all rooms asked for.

    `offers`: (course, promotion, price, seats left, whether it has begun), in order; `newest` is
    the last entry of the ledger, `bought` has (session, order) of what was paid lately.
    """

    offers: list[tuple[Any, ...]] = field(default_factory=list)
    newest: int = 0
    bought: frozenset[tuple[int, int]] = frozenset()


def look(known: dict[int, Known], *, moment: datetime) -> dict[int, News | None]:
    """The news of those rooms that have any, by session; None for a session that is gone.

    One query while there are none.
    """
    rows = {row.pk: row for row in Room.objects.filter(pk__in=list(known))}
    found: dict[int, News | None] = {}
    for session_id, before in known.items():
        row = rows.get(session_id)
        is_same = (
            row is not None
            and row.version == before.version
            and row.last_message_id <= before.last_message_id
            and row.n_likes == before.n_likes
        )
        if not is_same:
            try:
                found[session_id] = _news(session_id, row, before, moment)
            except LiveSession.DoesNotExist:
                found[session_id] = None
    return found


def _news(session_id: int, row: Room | None, before: Known, moment: datetime) -> News:
    if row is None:
        # Raises for a session that is gone, of which nobody may make a room.
        LiveSession.objects.only("pk").get(pk=session_id)
        row = room_of(session_id)
    parts: dict[str, Any] = {}
    people = course_ids = None
    is_first = before.version < 0
    if row.version != before.version:
        parts = room_parts(session_id, names=None if is_first else VERSIONED, moment=moment)
        session = LiveSession.objects.get(pk=session_id)
        people = _people(session, moment)
        items = ShowcaseItem.objects.filter(live_session=session_id)
        course_ids = frozenset(items.values_list("course_id", flat=True))
    parts["likes"] = row.n_likes
    messages: Sequence[dict[str, Any]] = ()
    if is_first:
        messages = messages_after(session_id, None, limit=MESSAGES_AT_ONCE)
    elif row.last_message_id > before.last_message_id:
        messages = messages_after(session_id, before.last_message_id, limit=MESSAGES_AT_ONCE)
    return News(
        parts=parts,
        version=row.version,
        messages=messages,
        last_message_id=row.last_message_id,
        people=people,
        course_ids=course_ids,
    )


def _people(session: LiveSession, moment: datetime) -> People:
    moderators = Moderator.objects.filter(live_session=session).values_list("user_id", flat=True)
    return People(
        restricted=restrictions_in(session, moment=moment),
        keepers=frozenset([session.seller_id, *moderators]),
    )


def parts_of(session_id: int, names: Iterable[str], *, moment: datetime) -> dict[str, Any]:
    """Some parts of a room; none of a session that is gone."""
    try:
        return room_parts(session_id, names=names, moment=moment)
    except LiveSession.DoesNotExist:
        return {}


def messages_between(session_id: int, after: int, up_to: int, *, most: int) -> list[dict[str, Any]]:
    """The messages with ids above `after` up to `up_to`, in order: of very many, the newest."""
    found: list[dict[str, Any]] = []
    while after < up_to:
        more = messages_after(session_id, after, limit=MESSAGES_AT_ONCE)
        found += [one for one in more if one["id"] <= up_to]
        if len(more) < MESSAGES_AT_ONCE:
            break
        if len(found) > most:
            newest = messages_after(session_id, None, limit=most)
            return [one for one in newest if one["id"] <= up_to]
        after = more[-1]["id"]
    return found


def look_at_sales(
    course_ids: set[int], session_ids: Iterable[int], *, newest: int, moment: datetime
) -> Sales:
    """Offers of the courses, and what was paid from the rooms since a little before `newest`.

    Three queries for all rooms.
    """
    promotions = Promotion.objects.filter(course__in=course_ids, is_active=True, ends_at__gt=moment)
    offers = sorted(
        (course_id, pk, price, seats_left, starts_at <= moment)
        for course_id, pk, price, seats_left, starts_at in promotions.values_list(
            "course_id", "pk", "price", "seats_left", "starts_at"
        )
    )
    last = LedgerEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    charged = LedgerEntry.objects.filter(
        pk__gt=(newest or last) - OVERLAP, pk__lte=last, kind=MoneyMove.CHARGE
    )
    bought = OrderAttribution.objects.filter(
        order__in=charged.values("order_id"), live_session__in=list(session_ids)
    )
    return Sales(
        offers=offers,
        newest=last,
        bought=frozenset(bought.values_list("live_session_id", "order_id")),
    )
