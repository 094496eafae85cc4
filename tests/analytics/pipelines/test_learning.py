from __future__ import annotations

from datetime import timedelta

import pytest

from accounts.models import User
from analytics.models import EventKind, LearningSummary, ModelRun, Task
from analytics.pipelines import learning, runs
from analytics.pipelines.learning import refresh_learning
from catalog.models import Course
from tests.factories import (
    LONG_AGO,
    CourseFactory,
    EnrollmentFactory,
    EventFactory,
    LessonFactory,
    LessonProgressFactory,
    SectionFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

NOW = LONG_AGO + timedelta(days=10)


@pytest.fixture
def course() -> Course:
    """A course of level 2 with four lessons of ten minutes."""
    course = CourseFactory(level=2)
    section = SectionFactory(course=course)
    LessonFactory.create_batch(4, section=section)
    return course


def open_lessons(course: Course, person: User, *, n: int = 2, seconds: int = 60) -> list[int]:
    lessons = list(course.sections.get().lessons.order_by("pk"))[:n]
    for number, lesson in enumerate(reversed(lessons)):
        opened = LONG_AGO + timedelta(days=number)
        LessonProgressFactory(
            user=person, lesson=lesson, opened_at=opened, updated_at=opened, seconds=seconds
        )
    return [lesson.pk for lesson in reversed(lessons)]


def rows() -> list[dict]:
    return list(LearningSummary.objects.order_by("user", "course").values())


def test_it_tells_study_time_frequency_and_path(course: Course) -> None:
    person = UserFactory()
    path = open_lessons(course, person, n=3, seconds=500)
    EventFactory(
        user=person,
        course=course,
        kind=EventKind.LESSON_PROGRESS,
        occurred_at=LONG_AGO + timedelta(days=6),
    )

    run = refresh_learning(now=NOW)

    summary = LearningSummary.objects.get()
    assert (summary.user, summary.course) == (person, course)
    assert summary.path == path
    assert summary.study_seconds == 1500
    assert (summary.n_active_days, summary.days_per_week) == (4, 4)
    assert (summary.n_opened, summary.n_completed, summary.n_lessons) == (3, 0, 4)
    assert summary.last_studied_at == LONG_AGO + timedelta(days=6)
    assert not summary.is_struggling
    assert ModelRun.objects.served(Task.LEARNING) == run


def test_who_struggles_is_offered_something_easier_of_the_same_field(course: Course) -> None:
    person = UserFactory()
    open_lessons(course, person)
    easier = CourseFactory(level=1, category=course.category)
    CourseFactory(level=1)

    refresh_learning(now=NOW)

    summary = LearningSummary.objects.get()
    assert summary.is_struggling
    assert summary.easier == easier


def test_it_does_not_offer_what_the_person_has(course: Course) -> None:
    person = UserFactory()
    open_lessons(course, person)
    easier = CourseFactory(level=1, category=course.category)
    EnrollmentFactory(user=person, course=easier)

    refresh_learning(now=NOW)

    assert LearningSummary.objects.get().easier is None


def test_who_studies_again_no_longer_struggles(course: Course) -> None:
    person = UserFactory()
    open_lessons(course, person)
    CourseFactory(level=1, category=course.category)
    refresh_learning(now=NOW)
    person.lesson_progress.update(seconds=600)

    refresh_learning(now=NOW)

    summary = LearningSummary.objects.get()
    assert (summary.is_struggling, summary.easier, summary.study_seconds) == (False, None, 1200)


def test_running_twice_gives_the_same_rows(course: Course) -> None:
    open_lessons(course, UserFactory())
    open_lessons(course, UserFactory(), n=4)
    refresh_learning(now=NOW)
    once = rows()
    refresh_learning(now=NOW)
    assert rows() == once
    assert len(once) == 2


def test_whoever_refuses_personalisation_loses_their_summary(course: Course) -> None:
    person = UserFactory()
    open_lessons(course, person)
    refresh_learning(now=NOW)
    User.objects.filter(pk=person.pk).update(is_personalised=False)
    refresh_learning(now=NOW)
    assert rows() == []


def test_nobody_studies_on_an_empty_platform() -> None:
    assert refresh_learning(now=NOW).n_results == 0


def test_a_failure_leaves_the_last_good_summaries_and_says_why(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = UserFactory()
    open_lessons(course, person)
    good = refresh_learning(now=NOW)
    before = rows()
    person.lesson_progress.update(seconds=600)

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(learning, "_forget", fail)
    with pytest.raises(OSError, match="disk"):
        refresh_learning(now=NOW)
    assert rows() == before
    assert ModelRun.objects.served(Task.LEARNING) == good
    assert "disk is full" in ModelRun.objects.latest("pk").message


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
def test_workers_at_once_give_the_same_rows(course: Course, in_parallel) -> None:
    open_lessons(course, UserFactory())
    raised = in_parallel(lambda: refresh_learning(now=NOW))
    assert {type(error) for error in raised} <= {type(None), runs.AlreadyRunning}
    assert None in raised
    assert len(rows()) == 1
