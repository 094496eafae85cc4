"""The calendar file of a live session: read back as calendars read it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from icalendar import Calendar, Event

from streams.calendar_file import NoBeginning, calendar_of
from streams.models import LiveSession
from streams.room_changes import touch_room
from tests.factories import LiveSessionFactory, SellerFactory, UserFactory
from tests.hostile import HOSTILE

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
BEGINS = datetime(2026, 6, 11, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def site(settings) -> None:
    settings.SITE_URL = "https://courses.example.com"


def event_of(session: LiveSession, *, moment: datetime = NOW) -> Event:
    calendar = Calendar.from_ical(calendar_of(session, moment=moment))
    (event,) = calendar.walk("VEVENT")
    return event


def test_it_says_when_what_and_where_in_the_zone_of_the_platform() -> None:
    session = LiveSessionFactory(title="Knots", scheduled_at=BEGINS, planned_minutes=45)
    calendar = Calendar.from_ical(calendar_of(session, moment=NOW))
    (event,) = calendar.walk("VEVENT")

    assert event.start == datetime(2026, 6, 11, 20, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert event["DTSTART"].params["TZID"] == "Asia/Shanghai"
    assert [zone["TZID"] for zone in calendar.walk("VTIMEZONE")] == ["Asia/Shanghai"]
    assert event.end - event.start == timedelta(minutes=45)
    assert event["SUMMARY"] == "Knots"
    page = f"https://courses.example.com/live/{session.pk}/?from=calendar"
    assert event["URL"] == event["LOCATION"] == page


def test_it_rings_as_long_before_as_reminders_are_sent(settings) -> None:
    settings.REMINDER_MINUTES = 20
    (alarm,) = event_of(LiveSessionFactory()).walk("VALARM")
    assert alarm["ACTION"] == "DISPLAY"
    assert alarm["TRIGGER"].dt == timedelta(minutes=-20)


def test_taken_in_again_after_a_change_it_replaces_what_was_there() -> None:
    session = LiveSessionFactory(scheduled_at=BEGINS)
    first = event_of(session)
    session.scheduled_at = BEGINS + timedelta(hours=2)
    session.save()
    touch_room(session.pk)
    second = event_of(session, moment=NOW + timedelta(hours=1))

    assert second["UID"] == first["UID"] == f"live-session-{session.pk}@courses.example.com"
    assert second["SEQUENCE"] > first["SEQUENCE"]
    assert second["DTSTAMP"].dt > first["DTSTAMP"].dt
    assert second.start - first.start == timedelta(hours=2)


def test_what_has_begun_is_placed_where_it_was_and_rings_no_more() -> None:
    session = LiveSessionFactory(ended=True)
    event = event_of(session)
    assert (event.start, event.end) == (session.started_at, session.ended_at)
    assert not event.walk("VALARM")


def test_no_text_breaks_out_of_its_line() -> None:
    session = LiveSessionFactory()
    breaking = ["a\r\nEND:VEVENT\r\nBEGIN:VEVENT", "a;b,c\\n:d", "谢" * 90]
    for text in (*HOSTILE, *breaking):
        session.title = session.summary = text
        written = calendar_of(session, moment=NOW)
        assert max(len(line) for line in written.split(b"\r\n")) <= 75
        event = event_of(session)
        assert event["SUMMARY"] == text.replace("\r\n", "\n")
        assert len(event.subcomponents) == 1


def test_a_session_without_a_time_has_no_file(client) -> None:
    draft = LiveSessionFactory(draft=True)
    with pytest.raises(NoBeginning):
        calendar_of(draft, moment=NOW)
    client.force_login(draft.seller)
    assert client.get(reverse("streams:calendar", args=[draft.pk])).status_code == 404


def test_anybody_may_take_it_but_that_of_a_draft(client) -> None:
    session = LiveSessionFactory(title="Knots")
    address = reverse("streams:calendar", args=[session.pk])
    answer = client.get(address)
    assert answer["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer["Content-Disposition"] == f'inline; filename="livecourse-{session.pk}.ics"'
    assert b"SUMMARY:Knots" in answer.content
    assert client.post(address).status_code == 405

    draft = LiveSessionFactory(draft=True, scheduled_at=BEGINS)
    address = reverse("streams:calendar", args=[draft.pk])
    for stranger in (None, UserFactory(), SellerFactory()):
        if stranger:
            client.force_login(stranger)
        assert client.get(address).status_code == 404
