"""Stays in live rooms as events: what people watched, liked and said there, each once.

Visits and messages stay the truth about the room; these events are for what learns from
behaviour. The room's page sends none of them itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from analytics import frames, room_frames
from analytics.models import Event, EventKind
from analytics.room_frames import SaidLine, Stay

# A viewer whose connection was lost goes on with the same visit; after this it is over.
SILENT_FOR = timedelta(minutes=30)
# What is dated before its transaction ends: look back a little further than the last look.
OVERLAP = timedelta(hours=1)
# People whose rows are locked at once, for the length of one insert.
BATCH = 200
_NAMESPACE = uuid.UUID("0f3a9f5e-6f0c-4d53-8f1b-2a9c8d7e4b60")


def record_visits(*, since: datetime | None, now: datetime) -> int:
    """Add the events of visits that ended, and of chat sent, after `since` (None: ever).

    A visit gives one WATCH event with its own key, one LIKE event where there were likes, and a
    message one CHAT event. Run twice, late or in parallel it adds nothing twice. A visit that
    went on after all raises the value of its event. Only signed-in people who allow
    personalisation get any. Returns how many visits and messages were looked at.
    """
    n_rows = 0
    seen_since = None if since is None else since - SILENT_FOR - OVERLAP
    for stays in room_frames.finished_stays(since=seen_since, silent_since=now - SILENT_FOR):
        n_rows += len(stays)
        watched = [_watch_event(stay, now=now) for stay in stays if stay.watched_seconds]
        liked = [_like_event(stay, now=now) for stay in stays if stay.n_likes]
        _add([*watched, *liked])
    said_since = None if since is None else since - OVERLAP
    for lines in room_frames.said_lines(since=said_since):
        n_rows += len(lines)
        _add([_chat_event(line, now=now) for line in lines])
    return n_rows


def _watch_event(stay: Stay, *, now: datetime) -> Event:
    return _of_stay(stay, stay.key, EventKind.WATCH, stay.watched_seconds, now=now)


def _like_event(stay: Stay, *, now: datetime) -> Event:
    key = uuid.uuid5(_NAMESPACE, f"likes of {stay.key}")
    return _of_stay(stay, key, EventKind.LIKE, stay.n_likes, now=now)


def _of_stay(stay: Stay, key: uuid.UUID, kind: EventKind, value: int, *, now: datetime) -> Event:
    return Event(
        uuid=key,
        kind=kind,
        user_id=stay.user_id,
        live_session_id=stay.live_session_id,
        value=float(value),
        occurred_at=stay.last_seen_at,
        received_at=now,
    )


def _chat_event(line: SaidLine, *, now: datetime) -> Event:
    return Event(
        uuid=uuid.uuid5(_NAMESPACE, f"message {line.message_id}"),
        kind=EventKind.CHAT,
        user_id=line.user_id,
        live_session_id=line.live_session_id,
        occurred_at=line.sent_at,
        received_at=now,
    )


def _add(events: Sequence[Event]) -> None:
    """Store those that are not there, and raise the value of those that have grown."""
    known = dict(
        Event.objects.filter(uuid__in=[event.uuid for event in events]).values_list("uuid", "value")
    )
    # In one order for all: two processes at once wait instead of deadlocking.
    new = sorted((one for one in events if one.uuid not in known), key=lambda one: one.uuid)
    for start in range(0, len(new), BATCH):
        _store(new[start : start + BATCH])
    for event in events:
        if event.uuid in known and (event.value or 0) > (known[event.uuid] or 0):
            _raise(event)


def _store(events: Sequence[Event]) -> None:
    with transaction.atomic():
        people = {event.user_id for event in events if event.user_id}
        allowed = frames.lock_personalised(sorted(people))
        Event.objects.bulk_create(
            [event for event in events if event.user_id in allowed],
            # Another process may add the same at the same moment: the unique uuid decides.
            ignore_conflicts=True,
        )


def _raise(event: Event) -> None:
    """Only of its own kind and person: an app may have named another event by the same key."""
    Event.objects.filter(
        uuid=event.uuid,
        kind=event.kind,
        user=event.user_id,
        live_session=event.live_session_id,
        value__lt=event.value,
    ).update(value=event.value, occurred_at=event.occurred_at)
