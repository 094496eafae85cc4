"""Live sessions, chat and reminders through the API."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from streams.models import LiveSession, Reminder
from tests.factories import (
    ChatMessageFactory,
    CourseFactory,
    LiveSessionFactory,
    PromotionFactory,
    SessionPromotionFactory,
    ShowcaseItemFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db
SESSIONS = "/api/v1/live-sessions/"


@pytest.fixture
def api() -> APIClient:
    return APIClient()


def ids(response) -> list[int]:
    return [row["id"] for row in response.json()["results"]]


def test_scheduled_sessions_come_soonest_first_and_others_newest_first(api: APIClient) -> None:
    now = timezone.now()
    late = LiveSessionFactory(scheduled_at=now + timedelta(days=3))
    soon = LiveSessionFactory(scheduled_at=now + timedelta(days=1))
    live, ended = LiveSessionFactory(live=True), LiveSessionFactory(ended=True)

    assert ids(api.get(SESSIONS, {"status": "scheduled"})) == [soon.pk, late.pk]
    assert ids(api.get(SESSIONS)) == [late.pk, soon.pk, live.pk, ended.pk]
    assert ids(api.get(SESSIONS, {"status": "live"})) == [live.pk]
    assert api.get(SESSIONS, {"status": "draft"}).status_code == 400


@pytest.mark.mariadb
def test_pages_of_sessions_hold_each_once(api: APIClient) -> None:
    at = timezone.now() + timedelta(days=1)
    sessions = [LiveSessionFactory(scheduled_at=at) for _ in range(5)]
    first = api.get(SESSIONS, {"limit": 2, "status": "scheduled"})
    second = api.get(first.json()["next"])
    third = api.get(second.json()["next"])

    assert ids(first) + ids(second) + ids(third) == [one.pk for one in sessions]
    assert third.json()["next"] is None


def test_a_list_takes_the_same_query_however_long(
    api: APIClient, django_assert_num_queries
) -> None:
    for _ in range(6):
        ShowcaseItemFactory()

    with django_assert_num_queries(1):
        shown = api.get(SESSIONS).json()["results"]

    assert [row["n_courses"] for row in shown] == [1] * 6


def test_a_session_shows_the_pinned_course_first_and_its_own_price(
    api: APIClient, django_assert_num_queries
) -> None:
    session = LiveSessionFactory(live=True)
    ShowcaseItemFactory(live_session=session)
    pinned = ShowcaseItemFactory(live_session=session)
    ShowcaseItemFactory(live_session=session, course=CourseFactory(status="draft"))
    session.pinned = pinned
    session.save()
    promotion = PromotionFactory(
        course=pinned.course, price=Decimal("40.00"), is_public=False, seats=9, seats_left=3
    )
    SessionPromotionFactory(live_session=session, promotion=promotion)

    with django_assert_num_queries(5):
        shown = api.get(f"{SESSIONS}{session.pk}/").json()["showcase"]

    assert (shown[0]["course"]["id"], shown[0]["is_pinned"]) == (pinned.course_id, True)
    assert len(shown) == 2
    assert shown[0]["course"]["price"] == "100.00"
    assert (shown[0]["offer"]["price"], shown[0]["offer"]["currency"]) == ("40.00", "CNY")
    assert shown[0]["offer"]["seats_left"] == 3
    assert shown[1]["offer"] is None


def test_chat_never_shows_hidden_messages(api: APIClient) -> None:
    session = LiveSessionFactory(live=True)
    first = ChatMessageFactory(live_session=session)
    ChatMessageFactory(live_session=session, hidden_at=timezone.now(), text="hidden")
    last = ChatMessageFactory(live_session=session)
    ChatMessageFactory()

    newest = api.get(f"{SESSIONS}{session.pk}/messages/")
    after = api.get(f"{SESSIONS}{session.pk}/messages/", {"after": 0})

    assert ids(newest) == [last.pk, first.pk]
    assert ids(after) == [first.pk, last.pk]


def test_reading_on_after_an_id_leaves_no_gap(api: APIClient, django_assert_num_queries) -> None:
    session = LiveSessionFactory(live=True)
    messages = [ChatMessageFactory(live_session=session) for _ in range(7)]
    address = f"{SESSIONS}{session.pk}/messages/"

    with django_assert_num_queries(2):
        page = api.get(address, {"after": messages[1].pk, "limit": 3})
    rest = api.get(page.json()["next"])

    assert ids(page) + ids(rest) == [one.pk for one in messages[2:]]


def test_chat_tells_names_not_addresses(api: APIClient) -> None:
    author = UserFactory(display_name="")
    message = ChatMessageFactory(author=author)
    api.force_authenticate(author)

    response = api.get(f"{SESSIONS}{message.live_session_id}/messages/")

    assert response.json()["results"][0]["author"] == "学员"
    assert response.json()["results"][0]["is_mine"]
    assert "@" not in response.content.decode()


def test_a_reminder_asked_twice_is_one_and_can_be_dropped_twice(api: APIClient) -> None:
    session = LiveSessionFactory()
    api.force_authenticate(UserFactory())
    address = f"{SESSIONS}{session.pk}/reminder/"

    assert [api.put(address).status_code for _ in range(2)] == [200, 200]
    assert Reminder.objects.count() == 1
    assert api.get(f"{SESSIONS}{session.pk}/").json()["has_reminder"]
    assert [api.delete(address).status_code for _ in range(2)] == [204, 204]
    assert not Reminder.objects.exists()


def test_dropping_a_reminder_leaves_those_of_others(api: APIClient) -> None:
    session = LiveSessionFactory()
    kept = Reminder.objects.create(live_session=session, user=UserFactory())
    api.force_authenticate(UserFactory())

    api.delete(f"{SESSIONS}{session.pk}/reminder/")

    assert list(Reminder.objects.all()) == [kept]


def test_nobody_is_reminded_of_what_has_begun(api: APIClient) -> None:
    session: LiveSession = LiveSessionFactory(live=True)
    api.force_authenticate(UserFactory())

    response = api.put(f"{SESSIONS}{session.pk}/reminder/")

    assert (response.status_code, response.json()["errors"][0]["code"]) == (409, "not_scheduled")
