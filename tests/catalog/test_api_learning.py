"""Enrollments and progress through the API."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from rest_framework.test import APIClient

from catalog.models import Lesson, LessonProgress
from tests.factories import (
    CourseFactory,
    EnrollmentFactory,
    LessonFactory,
    SectionFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def lesson() -> Lesson:
    return LessonFactory(duration_seconds=600)


@pytest.fixture
def api(lesson: Lesson) -> APIClient:
    """A learner of the lesson's course."""
    client = APIClient()
    client.force_authenticate(EnrollmentFactory(course=lesson.section.course).user)
    return client


def address(lesson: Lesson) -> str:
    return f"/api/v1/lessons/{lesson.pk}/progress/"


def report(api: APIClient, lesson: Lesson, seconds: int, position: int = 0, **more: object):
    body = {"seconds": seconds, "position_seconds": position, **more}
    return api.put(address(lesson), body)


def test_before_the_first_report_everything_is_zero(api: APIClient, lesson: Lesson) -> None:
    assert api.get(address(lesson)).json() == {
        "lesson": lesson.pk,
        "seconds": 0,
        "position_seconds": 0,
        "is_completed": False,
        "opened_at": None,
        "completed_at": None,
    }
    assert not LessonProgress.objects.exists()


@pytest.mark.mariadb
def test_a_report_sent_twice_counts_once(api: APIClient, lesson: Lesson) -> None:
    first = report(api, lesson, 300, 250).json()
    again = report(api, lesson, 300, 250).json()

    assert first == again
    assert (again["seconds"], again["position_seconds"]) == (300, 250)
    assert LessonProgress.objects.count() == 1


def test_studied_time_never_goes_down_and_done_stays_done(api: APIClient, lesson: Lesson) -> None:
    done = report(api, lesson, 600, 600, is_completed=True).json()
    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        later = report(api, lesson, 20, 10, is_completed=False).json()

    assert later["is_completed"]
    assert later["completed_at"] == done["completed_at"]
    assert (later["seconds"], later["position_seconds"]) == (600, 10)
    assert later["opened_at"] == done["opened_at"]


@pytest.mark.parametrize(
    "body,attr",
    [
        ({"seconds": -1, "position_seconds": 0}, "seconds"),
        ({"seconds": 360_001, "position_seconds": 0}, "seconds"),
        ({"seconds": 1, "position_seconds": 601}, "position_seconds"),
        ({"seconds": 1, "position_seconds": -1}, "position_seconds"),
        ({"seconds": 1}, "position_seconds"),
        ({"seconds": 10**30, "position_seconds": 1}, "seconds"),
    ],
)
def test_a_report_out_of_bounds_is_refused(
    api: APIClient, lesson: Lesson, body: dict, attr: str
) -> None:
    response = api.put(address(lesson), body)

    assert response.status_code == 400
    assert [error["attr"] for error in response.json()["errors"]] == [attr]
    assert not LessonProgress.objects.exists()


def test_a_lesson_that_is_free_to_try_needs_no_enrollment() -> None:
    lesson = LessonFactory(is_preview=True)
    api = APIClient()
    api.force_authenticate(UserFactory())

    assert report(api, lesson, 5).status_code == 200


def test_a_learner_goes_on_with_a_course_that_is_off_sale() -> None:
    section = SectionFactory(course=CourseFactory(status="archived"))
    lesson = LessonFactory(section=section)
    learner = EnrollmentFactory(course=section.course).user
    api = APIClient()
    api.force_authenticate(learner)

    assert report(api, lesson, 5).status_code == 200

    api.force_authenticate(UserFactory())
    assert report(api, lesson, 5).status_code == 404


def test_access_that_was_taken_back_ends(lesson: Lesson) -> None:
    learner = EnrollmentFactory(course=lesson.section.course, is_active=False).user
    api = APIClient()
    api.force_authenticate(learner)

    response = report(api, lesson, 5)

    assert (response.status_code, response.json()["errors"][0]["code"]) == (403, "not_enrolled")


def test_ones_courses_come_newest_first_with_few_queries(django_assert_num_queries) -> None:
    learner = UserFactory()
    mine = [EnrollmentFactory(user=learner) for _ in range(5)]
    EnrollmentFactory(user=learner, is_active=False)
    EnrollmentFactory()
    api = APIClient()
    api.force_authenticate(learner)

    with django_assert_num_queries(3):
        shown = api.get("/api/v1/enrollments/").json()["results"]

    assert [row["course"]["id"] for row in shown] == [one.course_id for one in mine[::-1]]
