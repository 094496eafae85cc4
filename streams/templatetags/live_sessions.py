"""What pages show of live sessions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import template
from django.conf import settings
from django.utils import timezone

from catalog.models import Course
from streams import covers, schedule
from streams.models import LiveSession, Reminder

register = template.Library()


@dataclass(frozen=True)
class Waiting:
    """Who waits for a session: whether the viewer does, how many do, and how long before the
    beginning, in minutes, they are told."""

    is_set: bool
    n_waiting: int
    minutes: int


@register.filter
def session_cover_url(session: LiveSession) -> str:
    return covers.session_cover_url(session)


@register.filter
def is_late(session: LiveSession) -> bool:
    """Whether the session should have begun and has not."""
    return schedule.is_overdue(session, moment=timezone.now())


@register.simple_tag
def sessions_showing(course: Course) -> list[LiveSession]:
    """The live sessions that show the course now or next."""
    return schedule.next_showing(course, moment=timezone.now())


@register.simple_tag
def any_live_now() -> bool:
    """Whether somebody is live, for the mark in the menu."""
    return LiveSession.objects.live_now().exists()


@register.inclusion_tag("components/moment.html")
def moment(at: datetime, style: str = "full") -> dict[str, object]:
    """A time in the platform's zone, which the page turns into the viewer's own.

    `style` is full (day and hour), hour, or day.
    """
    return {"at": timezone.localtime(at), "style": style}


@register.simple_tag
def zone_label() -> str:
    """The platform's offset from UTC now: UTC+08:00."""
    offset = timezone.localtime().strftime("%z")
    return f"UTC{offset[:3]}:{offset[3:]}"


@register.simple_tag(takes_context=True)
def reminder_of(context: dict[str, Any], session: LiveSession) -> Waiting:
    """Whether the viewer asked to be reminded of the session, and how many did."""
    user = context["request"].user
    wishes = Reminder.objects.filter(live_session=session)
    return Waiting(
        is_set=user.is_authenticated and wishes.filter(user=user).exists(),
        n_waiting=wishes.count(),
        minutes=settings.REMINDER_MINUTES,
    )
