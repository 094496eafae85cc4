"""Lucky draws that everybody can check.

When a draw opens, a secret is made and its SHA-256, the commitment, is published; it can be no
other secret afterwards. Each entry gets a ticket, which is public. Once the draw has closed, the
winners are the tickets with the smallest HMAC-SHA256 under the secret, which is then published
with them: from the page alone anybody computes the same ones.

An entry does not touch the room: see `streams.polls`.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypedDict

from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.outbox import put_letter
from accounts.rules import is_operator
from accounts.templatetags.people import masked_name
from accounts.transactions import in_one_transaction
from streams.models import Draw, DrawEntry, LiveSession, Moderator, Room, SessionStatus
from streams.room_changes import room_of, touch_room
from streams.taking_part import NotLive, ensure_may_take_part

logger = logging.getLogger(__name__)

WON_LETTER = "draw_won"
MOST_WINNERS = 100
SHORTEST = timedelta(seconds=10)
LONGEST = timedelta(hours=24)
LONGEST_PRIZE = 120
# Without 0 and O, 1 and I: tickets are read out aloud and typed.
_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
TICKET_LENGTH = 10


class DrawRefused(Exception):
    """The base of what may be wrong with a draw or an entry."""


class DrawAlreadyOpen(DrawRefused):
    """The session has a draw that is not over; it comes to an end before the next one."""

    def __init__(self) -> None:
        super().__init__(_("A lucky draw is open: it ends before the next one."))


class NotADraw(DrawRefused):
    """No prize, no winner or too many, or it closes too soon or too late."""

    def __init__(self) -> None:
        super().__init__(
            _("A lucky draw has a prize, 1 to 100 winners, and closes within 10 seconds to a day.")
        )


class DrawClosed(DrawRefused):
    """The draw takes no entries any more."""

    def __init__(self) -> None:
        super().__init__(_("This lucky draw is closed."))


class MayNotEnter(DrawRefused):
    """Whoever runs the session has no part in its luck."""

    def __init__(self) -> None:
        super().__init__(_("Who runs this live session cannot enter its lucky draw."))


class WinnerPart(TypedDict):
    ticket: str
    name: str


class DrawPart(TypedDict):
    """What a room shows of a draw; `secret` and `winners` only when it is over."""

    id: int
    prize: str
    n_winners: int
    commitment: str
    closes_at: str
    n_entries: int
    is_drawn: bool
    secret: str | None
    winners: list[WinnerPart]


def commitment_to(secret: str) -> str:
    """The SHA-256 of the secret's text, as 64 hexadecimal digits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def winning_tickets(secret: str, tickets: Iterable[str], n_winners: int) -> list[str]:
    """The tickets with the smallest HMAC-SHA256 under the secret, the first winner first."""

    def rank(ticket: str) -> str:
        return hmac.new(secret.encode(), ticket.encode(), hashlib.sha256).hexdigest()

    return sorted(tickets, key=rank)[:n_winners]


@in_one_transaction
def open_draw(
    session_id: int, *, prize: str, n_winners: int, closes_at: datetime, moment: datetime
) -> Draw:
    """Open a draw and bind its outcome. Raises NotLive, DrawAlreadyOpen or NotADraw."""
    prize = prize.strip()
    is_in_time = SHORTEST <= closes_at - moment <= LONGEST
    if not prize or not 1 <= n_winners <= MOST_WINNERS or not is_in_time:
        raise NotADraw
    room = room_of(session_id)
    # One at a time: no unique index of MariaDB has a condition, so the room decides.
    Room.objects.select_for_update().get(pk=room.pk)
    if not LiveSession.objects.filter(pk=session_id, status=SessionStatus.LIVE).exists():
        raise NotLive
    if Draw.objects.filter(live_session=session_id, drawn_at=None).exists():
        raise DrawAlreadyOpen
    secret = secrets.token_hex(32)
    draw = Draw.objects.create(
        live_session_id=session_id,
        prize=prize,
        n_winners=n_winners,
        secret=secret,
        commitment=commitment_to(secret),
        opened_at=moment,
        closes_at=closes_at,
    )
    touch_room(session_id)
    return draw


@in_one_transaction
def enter_draw(draw_id: int, *, viewer: User, moment: datetime) -> DrawEntry:
    """Give the viewer a ticket; asked again, it is the same one.

    One need not be in the room, but signed in. Raises DrawClosed, MayNotEnter, NotLive or Banned.
    """
    draw = Draw.objects.select_related("live_session").get(pk=draw_id)
    if (has := entry_in(draw, viewer)) is not None:
        return has
    if draw.drawn_at is not None or draw.closes_at <= moment:
        raise DrawClosed
    ensure_may_take_part(viewer=viewer, session=draw.live_session, moment=moment)
    if runs_session(viewer, draw.live_session):
        raise MayNotEnter
    ticket = "".join(secrets.choice(_LETTERS) for _place in range(TICKET_LENGTH))
    try:
        with transaction.atomic():
            made = DrawEntry.objects.create(
                draw_id=draw_id, entrant=viewer, ticket=ticket, entered_at=moment
            )
    except IntegrityError:
        # The same viewer from another tab, a moment ago.
        if (has := entry_in(draw, viewer)) is None:
            raise
        return has
    # Only now: by its foreign key the entry holds the row of the draw, shared with other entries,
    # so that drawing waits for it. Where drawing came first, the secret is out.
    if not Draw.objects.filter(pk=draw_id, drawn_at=None).exists():
        raise DrawClosed
    return made


def runs_session(person: User, session: LiveSession) -> bool:
    """Whether the person is the seller, a moderator of the session, or an operator."""
    if person.pk == session.seller_id or is_operator(person):
        return True
    return Moderator.objects.filter(live_session=session, user=person).exists()


@in_one_transaction
def draw_winners(draw_id: int, *, moment: datetime) -> bool:
    """Pick the winners of a draw that has closed, and publish the secret; once.

    Returns False for one that is over, or open still. Whoever won is written to.
    """
    due = Draw.objects.filter(pk=draw_id, drawn_at=None, closes_at__lte=moment)
    # The row is locked from here on: entries under way are in, and others find the draw over.
    if not due.update(drawn_at=moment):
        return False
    draw = Draw.objects.get(pk=draw_id)
    entries = {entry.ticket: entry for entry in DrawEntry.objects.filter(draw=draw_id)}
    winners = [entries[one] for one in winning_tickets(draw.secret, entries, draw.n_winners)]
    for place, entry in enumerate(winners, start=1):
        entry.place = place
        if entry.entrant_id is not None:
            put_letter(
                kind=WON_LETTER,
                key=f"draw-won-{entry.pk}",
                recipient_id=entry.entrant_id,
                subject_id=entry.pk,
                moment=moment,
            )
    DrawEntry.objects.bulk_update(winners, ["place"])
    touch_room(draw.live_session_id)
    return True


def draw_due(moment: datetime) -> int:
    """Pick the winners of every draw that has closed; returns of how many.

    One that fails holds up no other, and is tried again at the next call.
    """
    n_drawn = 0
    due = Draw.objects.filter(drawn_at=None, closes_at__lte=moment).order_by("closes_at", "pk")
    for draw_id in list(due.values_list("pk", flat=True)):
        try:
            n_drawn += draw_winners(draw_id, moment=moment)
        except Exception:  # one draw's trouble is its own
            logger.exception("the winners of draw %d could not be picked", draw_id)
    return n_drawn


def draw_part(session_id: int) -> DrawPart | None:
    """The newest draw of a session, as the room shows it; None without one."""
    draw = newest_draw(session_id)
    if draw is None:
        return None
    return {
        "id": draw.pk,
        "prize": draw.prize,
        "n_winners": draw.n_winners,
        "commitment": draw.commitment,
        "closes_at": draw.closes_at.isoformat(),
        "n_entries": draw.entries.count(),
        "is_drawn": draw.drawn_at is not None,
        "secret": secret_of(draw),
        "winners": [{"ticket": entry.ticket, "name": name_of(entry)} for entry in winners_of(draw)],
    }


def newest_draw(session_id: int) -> Draw | None:
    """The open draw of a session, or the last one that was open."""
    return Draw.objects.filter(live_session=session_id).order_by("-pk").first()


def secret_of(draw: Draw) -> str | None:
    """The secret of a draw that is over; nobody gets it before."""
    return draw.secret if draw.drawn_at is not None else None


def winners_of(draw: Draw) -> list[DrawEntry]:
    """The entries that won, the first winner first; none before the draw is over."""
    if draw.drawn_at is None:
        return []
    won = draw.entries.filter(place__isnull=False).select_related("entrant")
    return list(won.order_by("place"))


def name_of(entry: DrawEntry) -> str:
    """A winner's name with all but its first character covered; empty for who has left."""
    if entry.entrant is None:
        return ""
    return masked_name(entry.entrant)


def tickets_of(draw: Draw) -> list[str]:
    """Every ticket of the draw, in the order of entry."""
    return list(draw.entries.order_by("pk").values_list("ticket", flat=True))


def entry_in(draw: Draw, user: User | AnonymousUser) -> DrawEntry | None:
    """The viewer's entry in the draw."""
    if not user.is_authenticated:
        return None
    return DrawEntry.objects.filter(draw=draw, entrant=user).first()


def entry_of(user: User | AnonymousUser, session_id: int) -> str | None:
    """The viewer's ticket in the session's newest draw."""
    draw = newest_draw(session_id)
    entry = entry_in(draw, user) if draw else None
    return entry.ticket if entry else None
