"""Telling the processes that hold a live room that it has changed.

The database is the truth: each change counts up the version of the room, in the transaction that
makes it, and every process that holds sockets of the room looks at that number several times a
second. The channel layer only makes them look at once; where it is in memory, or away, they see
the change at their next look.
"""

from __future__ import annotations

import logging

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction
from django.db.models import F, Max
from redis.exceptions import RedisError

from streams.models import ChatMessage, Room

logger = logging.getLogger(__name__)


def room_of(session_id: int) -> Room:
    """The room of a live session, made when it is first asked for."""
    found = Room.objects.filter(pk=session_id).first()
    if found is not None:
        return found
    # What was said before there was a row for the room, such as by an import.
    newest = ChatMessage.objects.filter(live_session=session_id).aggregate(v=Max("pk"))["v"]
    defaults = {"last_message_id": newest or 0}
    room, _is_new = Room.objects.get_or_create(live_session_id=session_id, defaults=defaults)
    return room


def touch_room(session_id: int) -> None:
    """Say, as part of the caller's transaction, that something the room shows has changed."""
    if not Room.objects.filter(pk=session_id).update(version=F("version") + 1):
        room_of(session_id)
        Room.objects.filter(pk=session_id).update(version=F("version") + 1)
    transaction.on_commit(lambda: wake_room(session_id))


def wake_room(session_id: int) -> None:
    """Let the processes that hold the room look at it now instead of at their next look."""
    if not settings.REDIS_URL:
        return
    layer = get_channel_layer()
    assert layer is not None, "the settings name a channel layer"
    message = {"type": "room.changed", "room": session_id}
    try:
        async_to_sync(layer.group_send)(group_of(session_id), message)
    except (RedisError, OSError) as error:
        # They look by themselves, a moment later.
        logger.warning("room %d could not be woken: %s", session_id, error)


def group_of(session_id: int) -> str:
    """The name under which the processes that hold the room listen."""
    return f"room.{session_id}"
