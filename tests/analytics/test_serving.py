"""What pages and API read of the served run."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone, translation

from analytics import exposure, serving
from analytics.methods.reasons import Reason
from analytics.models import EventKind, ListExposure, ModelRun, ProfileCorrection, ServedRun
from analytics.serving import recommended_courses, similar_courses
from catalog.models import ChosenInterest, Course, CourseStatus
from tests.analytics.models_of import look_anew, served_model
from tests.factories import (
    CourseFactory,
    EnrollmentFactory,
    EventFactory,
    LessonFactory,
    LessonProgressFactory,
    SectionFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


@pytest.fixture
def courses() -> list[Course]:
    return [CourseFactory(title=f"Course {letter}") for letter in "ABCDE"]


@pytest.fixture
def viewer(courses):
    """Has course A; whoever has A may want B, and C less; A, D and B are popular."""
    viewer = UserFactory()
    EnrollmentFactory(user=viewer, course=courses[0])
    served_model(courses, after={0: {1: 0.9, 2: 0.5}}, popular=[1, 0, 0, 0.8, 0])
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
    assert titles(recommended_courses(user=viewer)) == "BCD"
    Course.objects.filter(pk=courses[1].pk).update(status=CourseStatus.ARCHIVED)
    # Nobody looked anew at what is on sale meanwhile.
    assert titles(recommended_courses(user=viewer)) == "CD"
    assert titles(similar_courses(course=courses[0])) == "C"


def test_visitors_and_people_who_came_after_the_fit_see_what_is_popular(viewer) -> None:
    assert titles(recommended_courses(user=AnonymousUser())) == "AD"
    assert titles(recommended_courses(user=UserFactory())) == "AD"


def test_without_personalisation_only_what_is_popular_is_shown(viewer) -> None:
    viewer.is_personalised = False
    viewer.save()
    found = recommended_courses(user=viewer)
    assert titles(found) == "D"
    assert {one.reason_code for one in found} == {"popular"}


def test_a_run_that_is_not_served_shows_nothing(viewer, courses) -> None:
    before = ModelRun.objects.served("recommend")
    served_model(courses, after={0: {4: 1.0}})
    ServedRun.objects.update(run=before)
    look_anew()
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
    assert (first.because, first.reason_code) == (courses[0], "content")
    assert first.score == pytest.approx(0.9)


def choose_wine(person, course: Course) -> None:
    """The person chooses the field of the course, which is called Wine."""
    course.category.name_en = "Wine"
    course.category.save()
    ChosenInterest.objects.create(user=person, category=course.category)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Reason.HISTORY, "Because you took “Course A”"),
        (Reason.NEXT, "Often taken after “Course A”"),
        (Reason.CONTENT, "Similar to “Course A”"),
        (Reason.PEOPLE, "Chosen by people of similar age and occupation"),
        (Reason.INTEREST, "In a field that you chose: Wine"),
        (Reason.WEEK, "Popular this week"),
        (Reason.POPULAR, "Popular with learners here"),
    ],
)
def test_the_reason_is_a_sentence(viewer, courses, reason, words) -> None:
    Course.objects.update(published_at=timezone.now() - timedelta(days=400))
    choose_wine(viewer, courses[1])
    served_model(courses, after={0: {1: 0.9}}, reason=reason)
    with translation.override("en"):
        assert recommended_courses(user=viewer)[0].reason == words


def test_a_new_course_in_a_chosen_field_is_called_new(viewer, courses) -> None:
    Course.objects.update(published_at=timezone.now() - timedelta(days=3))
    choose_wine(viewer, courses[1])
    served_model(courses, after={0: {1: 0.9}}, reason=Reason.INTEREST)
    with translation.override("en"):
        assert recommended_courses(user=viewer)[0].reason == "New in a field that you chose: Wine"


def test_a_reason_that_does_not_hold_any_more_is_not_given(viewer, courses) -> None:
    choose_wine(viewer, courses[1])
    served_model(courses, after={0: {1: 0.9}}, reason=Reason.INTEREST)
    ChosenInterest.objects.all().delete()
    assert recommended_courses(user=viewer)[0].reason_code == "popular"

    run = served_model(courses, after={0: {1: 0.9}}, reason=Reason.WEEK)
    assert recommended_courses(user=viewer)[0].reason_code == "week"
    later = run.started_at + timedelta(days=8)
    assert recommended_courses(user=viewer, moment=later)[0].reason_code == "popular"


def test_it_says_what_the_person_did_with_the_course_behind_it(viewer, courses) -> None:
    other = UserFactory()
    EventFactory(user=other, course=courses[0], kind=EventKind.LIKE)
    lesson = LessonFactory(section=SectionFactory(course=courses[0]))
    with translation.override("en"):
        assert recommended_courses(user=other)[0].reason == "Because you looked at “Course A”"
        assert recommended_courses(user=viewer)[0].reason == "Because you took “Course A”"
        LessonProgressFactory(user=viewer, lesson=lesson, completed_at=timezone.now())
        assert recommended_courses(user=viewer)[0].reason == "Because you finished “Course A”"


def test_the_next_list_follows_what_was_done_last(courses) -> None:
    person = UserFactory()
    served_model(courses, after={0: {1: 0.9}, 2: {3: 0.9}}, popular=[0.2] * 5)
    EventFactory(user=person, course=courses[0], kind=EventKind.ADD_TO_CART)
    assert titles(recommended_courses(user=person, n=1)) == "B"
    EnrollmentFactory(user=person, course=courses[2])
    first = recommended_courses(user=person, n=1)[0]
    assert (first.course, first.because) == (courses[3], courses[2])


def test_no_seller_has_more_than_their_share_of_a_list(courses, settings) -> None:
    settings.RECOMMEND_SELLER_SHARE = 0.25
    many = [CourseFactory(seller=courses[0].seller) for _ in range(10)]
    everything = [*courses, *many]
    served_model(everything, after={}, popular=[0.1] * 5 + [1.0] * 10)
    found = recommended_courses(user=UserFactory(), n=8)
    of_one = [one for one in found if one.course.seller_id == courses[0].seller_id]
    assert len(of_one) == 2
    assert len(recommended_courses(user=AnonymousUser(), n=8)) == len(found) == 6


class TestExploration:
    """A bounded share of places goes to new courses of which little is known."""

    @pytest.fixture
    def new(self, viewer) -> Course:
        new = CourseFactory(title="Course N", published_at=timezone.now())
        look_anew()
        return new

    def test_a_new_course_gets_a_place_at_the_end(self, viewer, new, settings) -> None:
        settings.RECOMMEND_EXPLORE_SHARE = 0.25
        found = recommended_courses(user=viewer, n=4)
        assert titles(found) == "BCDN"
        assert found[-1].reason_code == "new"
        with translation.override("en"):
            assert found[-1].reason == "New here: be among the first"

    def test_without_a_share_it_gets_none(self, viewer, new, settings) -> None:
        settings.RECOMMEND_EXPLORE_SHARE = 0.0
        assert "N" not in titles(recommended_courses(user=viewer, n=4))

    def test_it_is_counted(self, viewer, new, settings) -> None:
        settings.RECOMMEND_EXPLORE_SHARE = 0.25
        for _ in range(3):
            recommended_courses(user=viewer, n=4)
        exposure.flush()
        recommended_courses(user=viewer, n=4)
        exposure.flush()
        counted = dict(ListExposure.objects.values_list("course", "n_shown"))
        explored = dict(ListExposure.objects.values_list("course", "n_explored"))
        assert counted[new.pk] == explored[new.pk] == 4
        assert sum(counted.values()) == 16
        assert sum(explored.values()) == 4

    def test_who_refuses_personalisation_is_not_tried_on(self, viewer, new, settings) -> None:
        settings.RECOMMEND_EXPLORE_SHARE = 0.5
        viewer.is_personalised = False
        viewer.save()
        assert titles(recommended_courses(user=viewer, n=4)) == "D"


def test_a_field_that_was_switched_off_stays_away(viewer, courses) -> None:
    ProfileCorrection.objects.create(
        user=viewer, subject=f"interest:{courses[1].category_id}", is_off=True
    )
    assert titles(recommended_courses(user=viewer)) == "CD"


def test_the_cost_does_not_grow_with_the_list(viewer, courses, django_assert_num_queries) -> None:
    recommended_courses(user=viewer)
    serving.forget()
    # Their history and the courses, whether the list is held or made anew.
    with django_assert_num_queries(2):
        recommended_courses(user=viewer)
    with django_assert_num_queries(2), translation.override("en"):
        for one in recommended_courses(user=viewer):
            assert one.reason
            assert one.course.seller.display_name
    with django_assert_num_queries(1):
        similar_courses(course=courses[0])
    with django_assert_num_queries(1):
        recommended_courses(user=AnonymousUser())


def test_serving_loads_no_library_that_only_fits_need() -> None:
    program = (
        "import os, sys\n"
        "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'tests.settings')\n"
        "import django; django.setup()\n"
        "import analytics.serving\n"
        "print([n for n in ('numba', 'scipy', 'pandas', 'sklearn') if n in sys.modules])\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip().splitlines()[-1] == "[]"
