"""Who is in a live room right now, over all processes that hold its viewers.

Each process says every few seconds whom it holds, in one row a room. What a process that is gone
last said counts for STALE_AFTER and no longer, so that a crash heals by itself.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.db.models.functions import Greatest

from accounts.transactions import in_one_transaction
from streams.models import LiveSession, Room, RoomMinute, RoomPresence
from streams.room_changes import room_of

# How long the word of a process counts, and how often it says whom it holds.
STALE_AFTER = timedelta(seconds=settings.PRESENCE_SECONDS)
SAY_EVERY = STALE_AFTER / 6
# Rows of processes that are long gone are removed.
FORGET_AFTER = timedelta(minutes=10)
HASH_BYTES = 8
# What a hand can give; more of one viewer counts no further.
MOST_LIKES_A_SECOND = 20


def viewer_hash(*, session_id: int, user_id: int | None, visitor_id: uuid.UUID) -> bytes:
    """8 bytes that stand for one viewer of one room; nobody can tell who it is without the key."""
    who = f"user:{user_id}" if user_id is not None else f"visitor:{visitor_id.hex}"
    text = f"streams.presence:{session_id}:{who}".encode()
    return hmac.new(settings.SECRET_KEY.encode(), text, hashlib.sha256).digest()[:HASH_BYTES]


@in_one_transaction
def say_present(
    process: uuid.UUID, held: Mapping[int, Iterable[bytes]], *, moment: datetime
) -> None:
    """Say which viewers the process holds, by session; a session with none loses its row.

    Three statements, whatever the number of rooms and viewers.
    """
    there = set(LiveSession.objects.filter(pk__in=list(held)).values_list("pk", flat=True))
    rows = [
        RoomPresence(
            live_session_id=session_id,
            process=process,
            viewers=b"".join(sorted(set(viewers))),
            seen_at=moment,
        )
        for session_id, viewers in sorted(held.items())
        if session_id in there
    ]
    kept = [row for row in rows if row.viewers]
    RoomPresence.objects.filter(process=process).exclude(
        live_session__in=[row.live_session_id for row in kept]
    ).delete()
    if kept:
        RoomPresence.objects.bulk_create(
            kept,
            update_conflicts=True,
            update_fields=["viewers", "seen_at"],
            # MySQL takes no names of the fields that meet.
            unique_fields=_unique_fields(),
        )


def _unique_fields() -> list[str] | None:
    has_targets = connection.features.supports_update_conflicts_with_target
    return ["live_session", "process"] if has_targets else None


def count_viewers(session_ids: Iterable[int], *, moment: datetime) -> dict[int, int]:
    """How many different viewers each room has now; one query."""
    seen: dict[int, set[bytes]] = {session_id: set() for session_id in session_ids}
    rows = RoomPresence.objects.filter(
        live_session__in=list(seen), seen_at__gt=moment - STALE_AFTER
    )
    for session_id, viewers in rows.values_list("live_session_id", "viewers"):
        packed = bytes(viewers)
        seen[session_id].update(
            packed[start : start + HASH_BYTES] for start in range(0, len(packed), HASH_BYTES)
        )
    return {session_id: len(viewers) for session_id, viewers in seen.items()}


def held_by_processes(*, moment: datetime) -> tuple[int, int]:
    """How many processes hold viewers now, and how many viewers in all."""
    rows = RoomPresence.objects.filter(seen_at__gt=moment - STALE_AFTER)
    held = list(rows.values_list("process", "viewers"))
    n_viewers = sum(len(viewers) // HASH_BYTES for _process, viewers in held)
    return len({process for process, _viewers in held}), n_viewers


def viewers_now(session_id: int, *, moment: datetime) -> int:
    """How many different viewers the room has now."""
    return count_viewers([session_id], moment=moment)[session_id]


def note_peak(session_id: int, n_viewers: int) -> None:
    """Remember the largest number of viewers present at once."""
    Room.objects.filter(pk=session_id, peak_viewers__lt=n_viewers).update(peak_viewers=n_viewers)


def note_minute(session_id: int, *, minute: datetime, n_viewers: int, n_likes: int) -> None:
    """Add to one minute of the room's curve: the most viewers at once, and further likes."""
    if not LiveSession.objects.filter(pk=session_id).exists():
        return
    begins = minute.replace(second=0, microsecond=0)
    RoomMinute.objects.get_or_create(live_session_id=session_id, minute=begins)
    RoomMinute.objects.filter(live_session=session_id, minute=begins).update(
        n_viewers=Greatest(F("n_viewers"), n_viewers), n_likes=F("n_likes") + n_likes
    )


def add_likes(session_id: int, n: int) -> None:
    """Count further likes of the room; those of a session that is gone go with it."""
    more = {"n_likes": F("n_likes") + n}
    is_counted = Room.objects.filter(pk=session_id).update(**more)
    if not is_counted and LiveSession.objects.filter(pk=session_id).exists():
        room_of(session_id)
        Room.objects.filter(pk=session_id).update(**more)


def forget_gone(*, moment: datetime) -> int:
    """Remove the rows of processes that have said nothing for long; returns how many."""
    n_gone, _by_table = RoomPresence.objects.filter(seen_at__lt=moment - FORGET_AFTER).delete()
    return n_gone
