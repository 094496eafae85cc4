"""The video of a live session in templates."""

from __future__ import annotations

import json
from dataclasses import dataclass

from django import template
from django.conf import settings

from streams.broadcast import StreamHealth, stream_health, video_part
from streams.models import LiveSession, StreamKey
from streams.replays import Chapter, chapters
from streams.stream_keys import valid_key_of

register = template.Library()


@dataclass(frozen=True)
class Sending:
    """What a seller's program needs to know to send."""

    server: str
    key: StreamKey | None
    health: StreamHealth


@register.filter
def video_json(session: LiveSession) -> str:
    """What the session plays, in the shape of the wire."""
    return json.dumps(video_part(session))


@register.filter
def minutes_of(seconds: int | None) -> int:
    """Whole minutes, of which a short recording has one as well."""
    return max(1, round((seconds or 0) / 60))


@register.simple_tag
def chapters_of(session: LiveSession) -> list[Chapter]:
    """The chapters of its replay."""
    return chapters(session)


@register.simple_tag
def stream_of(session: LiveSession) -> StreamHealth:
    """How its stream is."""
    return stream_health(session)


@register.simple_tag
def sending(session: LiveSession) -> Sending:
    """How to send to it, and how that goes."""
    return Sending(settings.RTMP_URL, valid_key_of(session.seller), stream_health(session))
