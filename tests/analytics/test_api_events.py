"""Events coming in: whose they are, once each, all of a batch or none."""

from __future__ import annotations

import threading
import time
import uuid
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from analytics.events import CLIENT_KINDS, MOST_EVENTS, NewEvent, take_in
from analytics.models import Event, EventKind
from catalog.models import Course
from streams.models import LiveSession
from tests.factories import CourseFactory, EnrollmentFactory, LiveSessionFactory, UserFactory

EVENTS = "/api/v1/events/"


def event(course: Course | None = None, /, **changes: object) -> dict:
    return {
        "id": str(uuid.uuid4()),
        "kind": "view",
        "occurred_at": timezone.now().isoformat(),
        "course": course and course.pk,
        "live_session": None,
        "value": None,
        **changes,
    }


def send(client: APIClient, *events: dict, **extra: object):
    return client.post(EVENTS, {"events": list(events)}, format="json", **extra)


@pytest.fixture
def api() -> APIClient:
    return APIClient()


@pytest.mark.django_db
class TestWhose:
    def test_they_belong_to_who_is_signed_in(self, api: APIClient) -> None:
        person = UserFactory()
        api.force_authenticate(person)

        response = send(api, event(CourseFactory()))

        assert response.json() == {"received": 1, "stored": 1}
        stored = Event.objects.get()
        assert (stored.user, stored.visitor_id, stored.kind) == (person, None, EventKind.VIEW)
        assert not response.cookies

    def test_an_anonymous_visitor_is_known_again_by_a_random_cookie(self, api: APIClient) -> None:
        course = CourseFactory()

        first = send(api, event(course))
        send(api, event(course))
        other = send(APIClient(), event(course))

        cookie = first.cookies["visitor"]
        assert cookie["httponly"] and cookie["samesite"] == "Lax"
        assert uuid.UUID(cookie.value).version == 4
        mine = Event.objects.filter(visitor_id=cookie.value, user=None)
        assert mine.count() == 2
        assert other.cookies["visitor"].value != cookie.value

    def test_a_cookie_that_somebody_edited_is_replaced(self, api: APIClient) -> None:
        api.cookies["visitor"] = "me@example.com"

        response = send(api, event(CourseFactory()))

        assert str(Event.objects.get().visitor_id) == response.cookies["visitor"].value

    def test_an_app_names_its_visitor_in_a_header(self, api: APIClient) -> None:
        visitor = uuid.uuid4()

        response = send(api, event(CourseFactory()), headers={"X-Visitor-Id": str(visitor)})
        wrong = send(api, event(CourseFactory()), headers={"X-Visitor-Id": "me"})

        assert Event.objects.get().visitor_id == visitor
        assert not response.cookies
        assert wrong.status_code == 400

    def test_of_people_who_refused_personalisation_nothing_is_stored(self, api: APIClient) -> None:
        api.force_authenticate(UserFactory(is_personalised=False))

        response = send(api, event(CourseFactory()))

        assert response.json() == {"received": 1, "stored": 0}
        assert not Event.objects.exists()

    def test_a_signed_in_browser_must_send_the_token_of_its_page(self) -> None:
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(UserFactory())
        course = CourseFactory()
        page = browser.get(f"/courses/{course.slug}/").content.decode()
        token = page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
        body = {"events": [event(course)]}

        refused = browser.post(EVENTS, body, content_type="application/json")
        taken = browser.post(
            EVENTS, body, content_type="application/json", headers={"X-CSRFToken": token}
        )

        assert (refused.status_code, taken.status_code) == (403, 200)
        assert Event.objects.count() == 1


@pytest.mark.django_db
class TestOnce:
    @pytest.mark.mariadb
    def test_a_batch_sent_twice_is_stored_once(self, api: APIClient) -> None:
        course = CourseFactory()
        batch = [event(course) for _ in range(3)]
        send(api, *batch)

        again = send(api, *batch, event(course))

        assert again.json() == {"received": 4, "stored": 1}
        assert Event.objects.count() == 4

    def test_an_id_twice_in_one_batch_is_stored_once_as_it_came_first(self, api: APIClient) -> None:
        course = CourseFactory()
        first = event(course)

        response = send(api, first, {**first, "kind": "click"})

        assert response.json()["stored"] == 1
        assert Event.objects.get().kind == EventKind.VIEW

    def test_what_was_stored_stays_as_it_is(self, api: APIClient) -> None:
        first = event(CourseFactory())
        send(api, first)
        api.force_authenticate(UserFactory())

        send(api, {**first, "kind": "click"})

        stored = Event.objects.get()
        assert (stored.kind, stored.user) == (EventKind.VIEW, None)


WRONG = [
    ({"kind": "purchase"}, "kind", "invalid_choice", "add_to_cart"),
    ({"kind": "dance"}, "kind", "invalid_choice", "impression"),
    ({"kind": "view", "value": 3}, "value", "no_value", "value"),
    ({"kind": "watch"}, "value", "value_not_allowed", "86400"),
    ({"kind": "watch", "value": 0}, "value", "value_not_allowed", "86400"),
    ({"kind": "watch", "value": 86_401}, "value", "value_not_allowed", "86400"),
    ({"kind": "watch", "value": "nan"}, "value", "invalid", "number"),
    ({"kind": "like", "value": 1001}, "value", "value_not_allowed", "1000"),
    ({"kind": "chat"}, "live_session", "required", "live session"),
    ({"kind": "lesson_progress", "course": None, "value": 5}, "course", "required", "course"),
    ({"course": None}, "course", "required", "course"),
    ({"course": 9_999_999}, "course", "unknown_course", "course"),
    ({"live_session": 9_999_999}, "live_session", "unknown_session", "session"),
    ({"course": 2**63}, "course", "max_value", "9223372036854775807"),
    ({"id": "7"}, "id", "invalid", "UUID"),
    ({"occurred_at": "2026-01-01T00:00:00"}, "occurred_at", "no_zone", "Z"),
    ({"occurred_at": "yesterday"}, "occurred_at", "invalid", "YYYY"),
    ({"occurred_at": None}, "occurred_at", "null", "null"),
]


@pytest.mark.django_db
class TestAllOrNothing:
    @pytest.mark.parametrize("change,field,code,allowed", WRONG)
    def test_one_wrong_event_refuses_the_batch_and_is_named(
        self, api: APIClient, change: dict, field: str, code: str, allowed: str
    ) -> None:
        course = CourseFactory()
        wrong = event(course, **change)

        response = api.post(
            EVENTS,
            {"events": [event(course), wrong, event(course), wrong]},
            format="json",
            headers={"Accept-Language": "en"},
        )

        assert response.status_code == 400
        (error,) = response.json()["errors"]
        assert (error["attr"], error["code"]) == (f"events.1.{field}", code)
        assert allowed in error["detail"]
        assert not Event.objects.exists()

    @pytest.mark.parametrize(
        "shift,is_taken",
        [
            (timedelta(minutes=4), True),
            (timedelta(minutes=6), False),
            (-timedelta(days=29), True),
            (-timedelta(days=31), False),
        ],
    )
    def test_events_are_of_the_last_thirty_days(
        self, api: APIClient, shift: timedelta, is_taken: bool
    ) -> None:
        at = (timezone.now() + shift).isoformat()

        response = send(api, event(CourseFactory(), occurred_at=at))

        assert (response.status_code == 200) is is_taken
        assert Event.objects.exists() is is_taken
        if not is_taken:
            assert response.json()["errors"][0]["code"] == "time_not_allowed"

    def test_drafts_are_unknown_to_all_but_their_seller(self, api: APIClient) -> None:
        course = CourseFactory(status="draft")
        session = LiveSessionFactory(draft=True)

        assert send(api, event(course)).status_code == 400
        assert send(api, event(live_session=session.pk)).status_code == 400
        api.force_authenticate(course.seller)
        assert send(api, event(course)).status_code == 200

    def test_a_course_off_sale_may_still_be_told_of(self, api: APIClient) -> None:
        assert send(api, event(CourseFactory(status="archived"))).status_code == 200

    def test_every_kind_of_a_client_is_taken_with_a_fitting_value(self, api: APIClient) -> None:
        course, session = CourseFactory(), LiveSessionFactory(live=True)
        learner = EnrollmentFactory(course=course).user
        api.force_authenticate(learner)
        valued = {EventKind.WATCH: 30, EventKind.LESSON_PROGRESS: 12.5, EventKind.LIKE: 3}

        response = send(
            api,
            *(
                event(
                    course,
                    kind=kind.api_name,
                    live_session=session.pk,
                    value=valued.get(kind),
                )
                for kind in CLIENT_KINDS
            ),
        )

        assert response.json()["stored"] == len(CLIENT_KINDS)
        stored = dict(Event.objects.values_list("kind", "value"))
        assert {kind: stored[kind] for kind in valued} == valued

    @pytest.mark.parametrize("events", [[], None, {}, "x", [None], [[]], ["x"], [{}], [1] * 3])
    def test_what_is_no_batch_is_refused(self, api: APIClient, events: object) -> None:
        response = api.post(EVENTS, {"events": events}, format="json")

        assert response.status_code == 400
        assert response.json()["type"] == "validation_error"

    def test_a_batch_has_at_most_five_hundred(self, api: APIClient) -> None:
        course = CourseFactory()

        assert send(api, *[event(course)] * (MOST_EVENTS + 1)).status_code == 400
        assert send(api, *[event(course)] * MOST_EVENTS).status_code == 200

    def test_a_batch_takes_the_same_few_queries_however_long(
        self, api: APIClient, django_assert_max_num_queries
    ) -> None:
        course, session = CourseFactory(), LiveSessionFactory(live=True)
        batch = [event(course, live_session=session.pk) for _ in range(MOST_EVENTS)]

        # The insert is split where the database bounds the number of parameters.
        with django_assert_max_num_queries(12):
            assert send(api, *batch).json()["stored"] == MOST_EVENTS

    def test_five_hundred_events_are_taken_within_a_second(self, api: APIClient) -> None:
        course = CourseFactory()
        send(api, event(course))
        # A machine that others share may stand still for a moment: what is slow is slow each time.
        for _ in range(3):
            batch = [event(course) for _ in range(MOST_EVENTS)]
            started = time.perf_counter()
            response = send(api, *batch)
            seconds = time.perf_counter() - started
            assert response.json()["stored"] == MOST_EVENTS
            if seconds < 1:
                break

        assert seconds < 1, f"{MOST_EVENTS / seconds:.0f} events per second"
        print(f"{MOST_EVENTS / seconds:.0f} events per second")


@pytest.mark.django_db
class TestWhatCannotBeMadeUp:
    """Events that would change figures, or what is recommended, without having happened."""

    @pytest.mark.parametrize("learns", ["nothing", "another course", "no longer"])
    def test_only_learners_of_a_course_make_progress_in_it(
        self, api: APIClient, learns: str
    ) -> None:
        course = CourseFactory()
        person = UserFactory()
        if learns == "another course":
            EnrollmentFactory(user=person)
        if learns == "no longer":
            EnrollmentFactory(user=person, course=course, is_active=False)
        api.force_authenticate(person)

        response = send(api, event(course, kind="lesson_progress", value=600))

        (error,) = response.json()["errors"]
        assert (response.status_code, error["attr"], error["code"]) == (
            400,
            "events.0.course",
            "not_enrolled",
        )
        assert not Event.objects.exists()

    def test_somebody_who_is_not_signed_in_makes_no_progress(self, api: APIClient) -> None:
        assert send(api, event(CourseFactory(), kind="lesson_progress", value=9)).status_code == 400

    @pytest.mark.parametrize("kind,value", [("watch", 60), ("chat", None)])
    def test_nothing_is_watched_or_said_before_a_session_begins_or_after_it(
        self, api: APIClient, kind: str, value: float | None
    ) -> None:
        now = timezone.now()
        scheduled = LiveSessionFactory()
        live = LiveSessionFactory(live=True)
        ended = LiveSessionFactory(
            status="ended", started_at=now - timedelta(hours=3), ended_at=now - timedelta(hours=2)
        )

        def tell(session: LiveSession, ago: timedelta) -> int:
            told = event(kind=kind, value=value, live_session=session.pk)
            return send(api, {**told, "occurred_at": (now - ago).isoformat()}).status_code

        assert tell(scheduled, timedelta()) == 400
        assert tell(live, timedelta(hours=2)) == 400
        assert tell(ended, timedelta(hours=1)) == 400
        assert not Event.objects.exists()
        # What an app sends late was true when it happened.
        assert tell(live, timedelta(minutes=10)) == 200
        assert tell(ended, timedelta(hours=2, minutes=30)) == 200

    def test_a_replay_is_watched_later_but_nobody_chats_in_it(self, api: APIClient) -> None:
        session = LiveSessionFactory(ended=True, status="replay")

        watched = send(api, event(kind="watch", value=60, live_session=session.pk))
        said = send(api, event(kind="chat", live_session=session.pk))

        assert (watched.status_code, said.status_code) == (200, 400)

    def test_nobody_watched_longer_than_the_session_is_on_air(self, api: APIClient) -> None:
        session = LiveSessionFactory(live=True)

        response = send(api, event(kind="watch", value=7_200, live_session=session.pk))

        assert response.status_code == 400
        assert response.json()["errors"][0]["attr"] == "events.0.value"

    def test_events_of_a_request_that_an_erasure_overtakes_are_not_stored(self) -> None:
        course, asking = CourseFactory(), UserFactory()
        # Another request took the consent back after this one had read its person.
        User.objects.filter(pk=asking.pk).update(is_personalised=False)

        intake = take_in(
            [NewEvent(uuid.uuid4(), EventKind.VIEW, timezone.now(), course=course.pk)],
            viewer=asking,
            visitor_id=None,
            now=timezone.now(),
        )

        assert (intake.n_received, intake.n_stored) == (1, 0)
        assert not Event.objects.exists()


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
def test_one_batch_sent_by_many_connections_at_once_is_stored_once() -> None:
    assert connection.vendor == "mysql"
    person: User = UserFactory()
    course = CourseFactory()
    now = timezone.now()
    batch = [
        NewEvent(uuid.uuid4(), EventKind.VIEW, now, course=course.pk) for _ in range(MOST_EVENTS)
    ]
    n_senders, failures = 4, []
    barrier = threading.Barrier(n_senders)

    def send_once(number: int) -> None:
        try:
            # Each in another order, as clients that retry a part would send them.
            mine = batch if number % 2 else batch[::-1]
            barrier.wait()
            take_in(mine, viewer=person, visitor_id=None, now=now)
        except Exception as error:  # noqa: BLE001  (the main thread asserts that there is none)
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send_once, args=(n,)) for n in range(n_senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert Event.objects.count() == MOST_EVENTS
