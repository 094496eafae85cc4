"""Planning a live session: what may be announced, taken back, pinned and moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from catalog.models import CourseStatus
from streams.models import ChangeCause, LiveSession, Room, SessionStatus
from streams.session_life import (
    NothingToShow,
    NoTimeSet,
    SomebodyWaits,
    announce_sessions,
    start_session,
    take_back_sessions,
)
from tests.factories import (
    CourseFactory,
    LiveSessionFactory,
    OperatorFactory,
    ReminderFactory,
    ShowcaseItemFactory,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)


def draft(**fields: Any) -> LiveSession:
    session = LiveSessionFactory(draft=True, **{"scheduled_at": NOW + timedelta(days=1), **fields})
    ShowcaseItemFactory(live_session=session, course=CourseFactory(seller=session.seller))
    return session


def test_it_announces_drafts_and_leaves_other_sessions_alone() -> None:
    session, ended = draft(), LiveSessionFactory(ended=True)
    assert announce_sessions([session, ended], by=session.seller, moment=NOW) == 1
    session.refresh_from_db()
    ended.refresh_from_db()
    assert (session.status, ended.status) == (SessionStatus.SCHEDULED, SessionStatus.ENDED)


@pytest.mark.parametrize("begins", [None, NOW, NOW - timedelta(days=1)])
def test_it_announces_no_session_without_a_beginning_ahead(begins: datetime | None) -> None:
    ready, session = draft(), draft(scheduled_at=begins)
    with pytest.raises(NoTimeSet):
        announce_sessions([ready, session], by=session.seller, moment=NOW)
    assert set(LiveSession.objects.values_list("status", flat=True)) == {SessionStatus.DRAFT}


def test_it_announces_no_session_without_a_course_on_sale() -> None:
    session = LiveSessionFactory(draft=True, scheduled_at=NOW + timedelta(days=1))
    ShowcaseItemFactory(live_session=session, course__status=CourseStatus.ARCHIVED)
    with pytest.raises(NothingToShow):
        announce_sessions([session], by=session.seller, moment=NOW)


def test_it_takes_back_only_what_nobody_waits_for() -> None:
    session = LiveSessionFactory()
    assert take_back_sessions([session], by=session.seller, moment=NOW) == 1
    awaited = ReminderFactory().live_session
    with pytest.raises(SomebodyWaits):
        take_back_sessions([awaited], by=awaited.seller, moment=NOW)
    awaited.refresh_from_db()
    assert awaited.status == SessionStatus.SCHEDULED


def saved(session: LiveSession, person: Any, **fields: Any) -> Any:
    client = Client(headers={"accept-language": "en"})
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    data = {"title": session.title, "planned_minutes": 60, "pinned": ""}
    for prefix in ("showcase", "promotions", "coupons", "chat_rules", "moderators"):
        data |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    address = reverse("admin:streams_livesession_change", args=[session.pk])
    return client.post(address, data | fields)


def test_it_pins_only_what_its_own_showcase_holds() -> None:
    session = LiveSessionFactory(live=True)
    own = ShowcaseItemFactory(live_session=session)
    other = ShowcaseItemFactory(live_session__seller=session.seller)
    assert saved(session, session.seller, pinned=other.pk).status_code == 200
    assert saved(session, session.seller, pinned=own.pk).status_code == 302
    session.refresh_from_db()
    assert session.pinned == own


def test_the_form_moves_neither_the_status_nor_the_time_of_a_session_on_air() -> None:
    session = LiveSessionFactory(live=True)
    begun = session.started_at
    answer = saved(
        session,
        OperatorFactory(),
        title="Renamed",
        status=SessionStatus.ENDED,
        scheduled_at_0="2030-01-01",
        scheduled_at_1="20:00:00",
        started_at_0="2030-01-01",
        started_at_1="20:00:00",
    )
    assert answer.status_code == 302
    planned = session.scheduled_at
    session.refresh_from_db()
    assert (session.title, session.status) == ("Renamed", SessionStatus.LIVE)
    assert (session.started_at, session.scheduled_at) == (begun, planned)


def test_a_scheduled_session_keeps_a_beginning() -> None:
    session = LiveSessionFactory()
    answer = saved(session, session.seller, scheduled_at_0="", scheduled_at_1="")
    assert answer.status_code == 200
    assert "needs a beginning" in answer.content.decode()


def test_an_operator_cannot_show_a_course_of_another_seller() -> None:
    session, course = LiveSessionFactory(), CourseFactory()
    answer = saved(
        session,
        OperatorFactory(),
        scheduled_at_0="2030-01-01",
        scheduled_at_1="20:00:00",
        **{
            "showcase-TOTAL_FORMS": 1,
            "showcase-0-course": course.pk,
            "showcase-0-live_session": session.pk,
            "showcase-0-position": 0,
        },
    )
    assert answer.status_code == 200
    assert not session.showcase.exists()


def test_the_page_of_a_session_shows_who_changed_what_and_when() -> None:
    session = draft()
    announce_sessions([session], by=session.seller, moment=NOW)
    start_session(session.pk, by=None, cause=ChangeCause.STREAM, moment=NOW + timedelta(hours=1))

    client = Client(headers={"accept-language": "en"})
    client.force_login(session.seller, backend="django.contrib.auth.backends.ModelBackend")
    address = reverse("admin:streams_livesession_change", args=[session.pk])
    html = client.get(address).content.decode()

    announced = f"06/10/2026 8 p.m. · draft → scheduled · the seller · {session.seller}"
    assert f"{announced}<br>06/10/2026 9 p.m. · scheduled → live · the stream" in html
    assert f'href="/live/{session.pk}/desk/"' in html


def test_a_change_of_the_plan_is_told_to_the_room() -> None:
    session = LiveSessionFactory(live=True)
    assert saved(session, session.seller, title="Renamed").status_code == 302
    assert Room.objects.get(pk=session.pk).version == 1
