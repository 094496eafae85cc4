"""What pages and API read of the served run."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import translation

from analytics.methods.reasons import Reason
from analytics.models import CourseNeighbours, PopularCourses, Recommendation
from analytics.serving import recommended_courses, similar_courses
from catalog.models import Course, CourseStatus
from tests.factories import CourseFactory, EnrollmentFactory, ModelRunFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


@pytest.fixture
def courses() -> list[Course]:
    return [CourseFactory(title=f"Course {letter}") for letter in "ABCDE"]


@pytest.fixture
def viewer(courses):
    """Has course A and a list of B (because of A) and C; D and B are popular."""
    viewer = UserFactory()
    EnrollmentFactory(user=viewer, course=courses[0])
    a, b, c, d, _ = (course.pk for course in courses)
    run = ModelRunFactory()
    Recommendation.objects.create(
        run=run,
        user=viewer,
        items=[[b, 0.9, Reason.HISTORY, a], [c, 0.5, Reason.CONTENT, a]],
    )
    PopularCourses.objects.create(
        run=run,
        items=[
            [a, 1, Reason.POPULAR, None],
            [d, 0.8, Reason.POPULAR, None],
            [b, 0.7, Reason.POPULAR, None],
        ],
    )
    CourseNeighbours.objects.create(run=run, course=courses[0], items=[[b, 0.9], [c, 0.4]])
    return viewer


def titles(found) -> str:
    return "".join(one.course.title[-1] for one in found)


def test_a_person_sees_their_list_and_after_it_what_is_popular(viewer) -> None:
    assert titles(recommended_courses(user=viewer)) == "BCD"


def test_a_list_is_as_long_as_asked(viewer) -> None:
    assert titles(recommended_courses(user=viewer, n=2)) == "BC"
    assert recommended_courses(user=viewer, n=0) == []


def test_what_was_bought_since_the_fit_is_gone_at_once(viewer, courses) -> None:
    EnrollmentFactory(user=viewer, course=courses[1])
    assert titles(recommended_courses(user=viewer)) == "CD"


def test_what_was_given_back_may_come_again(viewer, courses) -> None:
    EnrollmentFactory(user=viewer, course=courses[1], is_active=False)
    assert titles(recommended_courses(user=viewer)) == "BCD"


def test_a_course_withdrawn_since_the_fit_is_gone_at_once(viewer, courses) -> None:
    Course.objects.filter(pk=courses[1].pk).update(status=CourseStatus.ARCHIVED)
    assert titles(recommended_courses(user=viewer)) == "CD"
    assert titles(similar_courses(course=courses[0])) == "C"


def test_visitors_and_people_who_came_after_the_fit_see_what_is_popular(viewer) -> None:
    assert titles(recommended_courses(user=AnonymousUser())) == "ADB"
    assert titles(recommended_courses(user=UserFactory())) == "ADB"


def test_without_personalisation_the_stored_list_is_not_read(viewer) -> None:
    viewer.is_personalised = False
    viewer.save()
    found = recommended_courses(user=viewer)
    assert titles(found) == "DB"
    assert {one.reason_code for one in found} == {"popular"}


def test_rows_of_a_run_that_is_not_served_are_not_read(viewer, courses) -> None:
    other = ModelRunFactory(served=False)
    Recommendation.objects.create(
        run=other, user=viewer, items=[[courses[4].pk, 1.0, Reason.HISTORY, courses[0].pk]]
    )
    CourseNeighbours.objects.create(run=other, course=courses[0], items=[[courses[4].pk, 1.0]])
    assert titles(recommended_courses(user=viewer)) == "BCD"
    assert titles(similar_courses(course=courses[0])) == "BC"


def test_before_the_first_fit_there_is_nothing(courses) -> None:
    assert recommended_courses(user=AnonymousUser()) == []
    assert recommended_courses(user=UserFactory()) == []
    assert similar_courses(course=courses[0]) == []


def test_a_course_without_stored_neighbours_has_no_similar_ones(viewer, courses) -> None:
    assert similar_courses(course=courses[4]) == []


def test_similar_courses_are_because_of_the_course(viewer, courses) -> None:
    first, _ = similar_courses(course=courses[0])
    assert (first.because, first.score, first.reason_code) == (courses[0], 0.9, "content")


@pytest.mark.parametrize(
    ("reason", "because", "words"),
    [
        (Reason.HISTORY, 0, "Because you took “Course A”"),
        (Reason.CONTENT, 0, "Similar to “Course A”"),
        (Reason.PEOPLE, None, "Chosen by people of similar age and occupation"),
        (Reason.INTEREST, None, "In a field that you chose: Wine"),
        (Reason.POPULAR, None, "Popular with learners here"),
        (Reason.HISTORY, None, "Popular with learners here"),
    ],
)
def test_the_reason_is_a_sentence(viewer, courses, reason, because, words) -> None:
    courses[1].category.name_en = "Wine"
    courses[1].category.save()
    cause = None if because is None else courses[because].pk
    Recommendation.objects.filter(user=viewer).update(items=[[courses[1].pk, 0.9, reason, cause]])
    with translation.override("en"):
        assert recommended_courses(user=viewer)[0].reason == words


def test_the_cost_does_not_grow_with_the_list(viewer, courses, django_assert_num_queries) -> None:
    # The served run, what they have, their list, what is popular, the courses.
    with django_assert_num_queries(5), translation.override("en"):
        for one in recommended_courses(user=viewer):
            assert one.reason
            assert one.course.seller.display_name
    with django_assert_num_queries(3):
        similar_courses(course=courses[0])
    with django_assert_num_queries(3):
        recommended_courses(user=AnonymousUser())
