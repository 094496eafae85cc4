"""Over HTTP, recommendations follow the last event, say why, and stop where consent stops."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import requests
from django.utils import timezone

from accounts.models import User
from accounts.tokens import tokens_of
from analytics import exposure
from analytics.models import Event, ListExposure
from catalog.models import Course
from tests.analytics.models_of import served_model
from tests.factories import CourseFactory, UserFactory


class App:
    """The app of one person."""

    def __init__(self, address: str, person: User) -> None:
        self.address = f"{address}/api/v1/"
        self.session = requests.Session()
        token = tokens_of(person)["access"]
        self.session.headers["Authorization"] = f"Bearer {token}"
        self.session.headers["Accept-Language"] = "en"

    def first(self) -> dict[str, Any]:
        answer = self.session.get(f"{self.address}recommendations/", timeout=20)
        assert answer.status_code == 200
        return answer.json()["results"][0]

    def did(self, kind: str, course: Course) -> None:
        event = {
            "id": str(uuid.uuid4()),
            "kind": kind,
            "occurred_at": timezone.now().isoformat(),
            "course": course.pk,
        }
        answer = self.session.post(f"{self.address}events/", json={"events": [event]}, timeout=20)
        assert answer.json() == {"received": 1, "stored": 1}


@pytest.fixture
def courses() -> list[Course]:
    """Whoever looks at A may want B, whoever looks at C may want D; E is popular."""
    courses = [CourseFactory(title=f"Course {letter}") for letter in "ABCDE"]
    served_model(courses, after={0: {1: 0.9}, 2: {3: 0.9}}, popular=[0, 0, 0, 0, 1])
    return courses


@pytest.fixture
def person() -> User:
    return UserFactory()


@pytest.fixture
def app(live_server, courses, person) -> App:
    return App(live_server.url, person)


def test_the_next_list_follows_the_event_and_names_it(app, courses) -> None:
    assert app.first()["reason"] == "Popular with learners here"

    app.did("view", courses[0])
    first = app.first()
    assert (first["id"], first["reason_code"]) == (courses[1].pk, "history")
    assert first["reason"] == "Because you looked at “Course A”"
    score = first["score"]

    app.did("add_to_cart", courses[2])
    first = app.first()
    assert first["id"] == courses[3].pk
    assert first["reason"] == "Because you looked at “Course C”"

    # Without the event that is named, the score goes with the reason.
    Event.objects.filter(course=courses[2]).delete()
    assert app.first()["score"] == score
    Event.objects.all().delete()
    assert app.first()["reason"] == "Popular with learners here"


def test_what_was_done_by_one_person_changes_nothing_for_another(app, courses, live_server) -> None:
    other = App(live_server.url, UserFactory())
    before = other.first()
    app.did("add_to_cart", courses[0])
    assert app.first()["id"] == courses[1].pk
    assert other.first() == before


def test_with_consent_withdrawn_it_is_what_is_popular_at_once_and_nothing_is_stored(
    app, courses, person
) -> None:
    app.did("view", courses[0])
    assert app.first()["reason_code"] == "history"

    app.session.patch(
        f"{app.address}me/", json={"is_personalised": False}, timeout=20
    ).raise_for_status()
    first = app.first()
    assert (first["id"], first["reason_code"]) == (courses[4].pk, "popular")
    exposure.flush()
    # Of lists there are counts of courses by day, and no column that could name anybody.
    assert {field.name for field in ListExposure._meta.get_fields()} == {
        "id", "day", "course", "n_shown", "n_explored",
    }  # fmt: skip
