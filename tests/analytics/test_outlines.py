"""A course is finished with its last lesson, and not any more when it gets another."""

from __future__ import annotations

import pytest

from analytics import outlines
from analytics.outlines import HOLDS_SECONDS, Outlines
from catalog.models import Course
from tests.factories import CourseFactory, LessonFactory, SectionFactory

pytestmark = pytest.mark.django_db


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


def lessons_of(course: Course, n: int) -> list[int]:
    """One in each of n sections."""
    return [LessonFactory(section=SectionFactory(course=course)).pk for _ in range(n)]


def test_every_lesson_of_a_course_that_has_any_must_be_done() -> None:
    done, begun, empty = CourseFactory.create_batch(3)
    lessons, some = lessons_of(done, 2), lessons_of(begun, 2)
    wanted = [done.pk, begun.pk, empty.pk, 404]
    assert Outlines().finished(wanted, {*lessons, some[0]}) == {done.pk}


def test_courses_are_read_together_and_once(django_assert_num_queries) -> None:
    held, courses = Outlines(), CourseFactory.create_batch(3)
    lessons = {course.pk: lessons_of(course, 1)[0] for course in courses}
    done = set(lessons.values())
    with django_assert_num_queries(1):
        assert held.finished(list(lessons)[:2], done) == set(list(lessons)[:2])
    with django_assert_num_queries(0):
        held.finished(list(lessons)[:2], done)
        held.finished([], done)
        assert held.finished(list(lessons), set()) == set()
    with django_assert_num_queries(1):
        assert held.finished(list(lessons), done) == set(lessons)


def test_another_lesson_is_known_of_after_a_while() -> None:
    clock = Clock()
    held, course = Outlines(clock=clock), CourseFactory()
    done = set(lessons_of(course, 1))
    assert held.finished([course.pk], done) == {course.pk}
    lessons_of(course, 1)
    clock.now += HOLDS_SECONDS
    assert held.finished([course.pk], done) == set()


def test_a_process_holds_no_more_courses_than_it_has_room_for(
    monkeypatch, django_assert_num_queries
) -> None:
    monkeypatch.setattr(outlines, "MOST_COURSES", 2)
    held, courses = Outlines(), [course.pk for course in CourseFactory.create_batch(3)]
    held.finished(courses[:2], {1})
    held.finished(courses[2:], {1})
    with django_assert_num_queries(0):
        held.finished(courses[2:], {1})
    with django_assert_num_queries(1):
        held.finished(courses[:1], {1})
