"""What the video server asks and tells: may this stream come, does it still come, has it ended.

The answer decides: 204 lets a stream in or on, 403 turns it away. Only who knows
STREAM_HOOK_SECRET is listened to. What comes in holds a stream key and is never logged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from streams import broadcast, replays
from streams.broadcast import Publication, StreamRefused

logger = logging.getLogger(__name__)

# Names of streams are ids of sessions; no id is longer.
LONGEST_NAME = 18


def _told(view: Callable[[HttpRequest, int], None]) -> Callable[[HttpRequest], HttpResponse]:
    """Give the view the session that the stream is named for, when the video server calls."""

    @csrf_exempt
    @require_POST
    @wraps(view)
    def hear(request: HttpRequest) -> HttpResponse:
        said = request.headers.get("Authorization", "")
        if not constant_time_compare(said, f"Bearer {settings.STREAM_HOOK_SECRET}"):
            return HttpResponse(status=403)
        name = request.POST.get("name", "")
        if not (name.isascii() and name.isdigit() and len(name) <= LONGEST_NAME):
            return HttpResponse(status=403)
        try:
            view(request, int(name))
        except StreamRefused as error:
            logger.warning("stream refused: %s", error)
            return HttpResponse(status=403)
        return HttpResponse(status=204)

    return hear


@_told
def publish(request: HttpRequest, session_id: int) -> None:
    """Somebody wants to send."""
    broadcast.admit_stream(
        session_id,
        key=request.POST.get("key", ""),
        publication=_publication(request),
        moment=timezone.now(),
    )


@_told
def update(request: HttpRequest, session_id: int) -> None:
    """Somebody still sends, or receives: the server makes the smaller pictures by receiving."""
    if request.POST.get("call") != "update_publish":
        return
    broadcast.hear_stream(
        session_id,
        key=request.POST.get("key", ""),
        publication=_publication(request),
        moment=timezone.now(),
    )


@_told
def publish_done(request: HttpRequest, session_id: int) -> None:
    """Somebody who was let in sends no more."""
    broadcast.lose_stream(session_id, publication=_publication(request), moment=timezone.now())


@_told
def record_done(request: HttpRequest, session_id: int) -> None:
    """What was sent lies ready to be watched."""
    replays.store_recordings(session_id, moment=timezone.now())


def _publication(request: HttpRequest) -> Publication:
    """Raises StreamRefused for what no video server sends."""
    numbers = request.headers.get("X-Video-Run", ""), request.POST.get("clientid", "")
    if not all(number.isascii() and number.isdigit() for number in numbers):
        raise StreamRefused("a stream without its number")
    return Publication(*map(int, numbers))
