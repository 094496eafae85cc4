"""A live session as a file that calendars take in (RFC 5545)."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from icalendar import Alarm, Calendar, Event

from streams.models import LiveSession, Room


class NoBeginning(Exception):
    """Nobody has said when the session begins."""


def calendar_of(session: LiveSession, *, moment: datetime) -> bytes:
    """The session as UTF-8 text with CRLF line ends. Raises NoBeginning.

    Taken in again after a change it replaces what the calendar has: the UID stays, and the
    version of the room, which every change of the session counts up, is its SEQUENCE.
    """
    begins = session.started_at or session.scheduled_at
    if begins is None:
        raise NoBeginning
    planned_end = begins + timedelta(minutes=session.planned_minutes)
    page = settings.SITE_URL + reverse("streams:session_detail", args=[session.pk])
    address = f"{page}?from=calendar"
    event = Event.new(
        uid=f"live-session-{session.pk}@{urlsplit(settings.SITE_URL).hostname}",
        stamp=moment,
        start=timezone.localtime(begins),
        end=timezone.localtime(max(begins, session.ended_at or planned_end)),
        summary=session.title,
        description="\n".join(part for part in (session.summary, address) if part),
        location=address,
        url=address,
        sequence=_n_changes(session),
    )
    if session.started_at is None:
        event.add_component(_alarm(session))
    calendar = Calendar.new(prodid="-//LiveCourse//Live sessions//EN", method="PUBLISH")
    calendar.add_component(event)
    calendar.add_missing_timezones(first_date=begins.date(), last_date=planned_end.date())
    return calendar.to_ical()


def _n_changes(session: LiveSession) -> int:
    version = Room.objects.filter(pk=session.pk).values_list("version", flat=True).first()
    return version or 0


def _alarm(session: LiveSession) -> Alarm:
    alarm = Alarm.new(description=session.title)
    alarm.add("action", "DISPLAY")
    alarm.add("trigger", timedelta(minutes=-settings.REMINDER_MINUTES))
    return alarm
