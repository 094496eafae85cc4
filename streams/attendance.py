"""Stays of viewers in live rooms, as rows: when they came, how long they watched, what they liked.

A process keeps the stays of its viewers in memory and stores all that have changed every few
seconds, so that the number of statements grows with time and not with heartbeats. What is told
twice, late or by two processes is the same: the larger number counts.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection

from accounts.models import User
from accounts.transactions import in_one_transaction
from streams.models import LiveSession, Source, Visit

# Clocks tick apart: so many seconds more than the clock shows may be told.
TOLERANCE_SECONDS = 2
# Stays that one transaction stores.
STAYS_AT_ONCE = 500


@dataclass
class Stay:
    """One viewer's stay as their process knows it.

    `watched_seconds` is what the client has told of the whole stay, `n_likes` counts those that
    are not stored yet.
    """

    key: uuid.UUID
    session_id: int
    user_id: int | None
    visitor_id: uuid.UUID | None
    source: Source
    joined_at: datetime
    last_seen_at: datetime
    watched_seconds: int = 0
    n_likes: int = 0
    is_changed: bool = True

    def tell(self, seconds: float, *, moment: datetime) -> None:
        """The viewer says how long they have watched in all; nobody watched longer than they stay.

        That is held when it is stored: another process may know when the stay began.
        """
        self.is_changed = True
        self.last_seen_at = max(self.last_seen_at, moment)
        self.watched_seconds = max(self.watched_seconds, int(min(seconds, 86_400)))


def stay_of(
    *,
    client_key: uuid.UUID,
    session_id: int,
    user: User | None,
    visitor_id: uuid.UUID,
    source: str,
    moment: datetime,
) -> Stay:
    """A stay that begins, or goes on when the same viewer's client comes again with its key.

    The key of the row is derived from the client's and the viewer, so that a key that somebody
    learned opens nobody else's stay. Of a person who refuses personalisation the stay is counted
    and not linked to them: it has a visitor that means nothing outside this session.
    """
    known = Source.values
    who = f"user:{user.pk}" if user is not None else f"visitor:{visitor_id.hex}"
    key = _derived(f"stay:{session_id}:{who}:{client_key.hex}")
    user_id: int | None = user.pk if user is not None else None
    kept_visitor: uuid.UUID | None = None if user is not None else visitor_id
    if user is not None and not user.is_personalised:
        user_id, kept_visitor = None, unlinked_visitor(session_id=session_id, user_id=user.pk)
    return Stay(
        key=key,
        session_id=session_id,
        user_id=user_id,
        visitor_id=kept_visitor,
        source=Source(source) if source in known else Source.OTHER,
        joined_at=moment,
        last_seen_at=moment,
    )


def unlinked_visitor(*, session_id: int, user_id: int) -> uuid.UUID:
    """The visitor that a person who refuses personalisation is in that session."""
    return _derived(f"unlinked:{session_id}:user:{user_id}")


def _derived(text: str) -> uuid.UUID:
    secret = settings.SECRET_KEY.encode()
    digest = hmac.new(secret, f"streams.attendance:{text}".encode(), hashlib.sha256).digest()
    return uuid.UUID(bytes=digest[:16], version=4)


def store_stays(stays: Sequence[Stay]) -> None:
    """Store what is known of the stays; a few statements for STAYS_AT_ONCE of them.

    Nobody is credited with more seconds than have passed on air since the stay began. Stays of
    people whose account has ended meanwhile are left out, as is what is no stay in a live room.
    The likes are those since the stay was last stored.
    """
    by_key: dict[uuid.UUID, Stay] = {stay.key: stay for stay in stays}
    ordered = [by_key[key] for key in sorted(by_key)]
    for start in range(0, len(ordered), STAYS_AT_ONCE):
        _store(ordered[start : start + STAYS_AT_ONCE])


@in_one_transaction
def _store(stays: Sequence[Stay]) -> None:
    sessions = LiveSession.objects.in_bulk({stay.session_id for stay in stays})
    counted = [
        stay
        for stay in stays
        if (session := sessions.get(stay.session_id)) is not None
        and session.started_at is not None
        and (session.ended_at is None or stay.joined_at < session.ended_at)
    ]
    rows = _locked(counted)
    missing = [stay for stay in counted if stay.key not in rows]
    if missing:
        _begin(missing)
        rows = _locked(counted)
    changed = []
    for stay in counted:
        row = rows.get(stay.key)
        if row is None:
            continue
        session = sessions[stay.session_id]
        seen = min(stay.last_seen_at, session.ended_at or stay.last_seen_at)
        row.last_seen_at = max(row.last_seen_at, seen)
        row.watched_seconds = max(row.watched_seconds, _credited(stay, row, session))
        row.n_likes += stay.n_likes
        changed.append(row)
    _update(changed, ["last_seen_at", "watched_seconds", "n_likes"])


def _update(rows: Sequence[Visit], fields: list[str]) -> None:
    """What `bulk_update` does, of locked rows, at a fifth of its cost: its conditions take so long
    to build that the sockets of a full room would wait for them."""
    has_target = connection.features.supports_update_conflicts_with_target
    Visit.objects.bulk_create(
        rows,
        update_conflicts=True,
        update_fields=fields,
        unique_fields=["id"] if has_target else None,
    )


def _locked(stays: Sequence[Stay]) -> dict[uuid.UUID, Visit]:
    rows = Visit.objects.select_for_update().filter(key__in=[stay.key for stay in stays])
    return {row.key: row for row in rows.order_by("pk")}


def _begin(stays: Sequence[Stay]) -> None:
    """Make rows with nothing counted; another process may make the same at this moment."""
    people = {stay.user_id for stay in stays if stay.user_id is not None}
    # Locked, as erasure locks them: no stay is written behind it.
    there = set(
        User.objects.select_for_update()
        .filter(pk__in=people, is_active=True)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    Visit.objects.bulk_create(
        [
            Visit(
                key=stay.key,
                live_session_id=stay.session_id,
                user_id=stay.user_id,
                visitor_id=stay.visitor_id,
                source=stay.source,
                joined_at=stay.joined_at,
                last_seen_at=stay.joined_at,
            )
            for stay in stays
            if stay.user_id is None or stay.user_id in there
        ],
        ignore_conflicts=True,
    )


def _credited(stay: Stay, row: Visit, session: LiveSession) -> int:
    begins = max(row.joined_at, session.started_at or row.joined_at)
    ends = min(stay.last_seen_at, session.ended_at or stay.last_seen_at)
    passed = int((ends - begins).total_seconds()) + TOLERANCE_SECONDS
    return max(0, min(stay.watched_seconds, passed))
