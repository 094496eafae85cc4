"""When a course is on sale."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from catalog.models import Course, CourseStatus


@transaction.atomic
def publish_courses(courses: Iterable[Course], *, moment: datetime) -> int:
    """Put the courses on sale and return how many were not yet.

    A course that was on sale before keeps the moment of its first publication. Each change
    goes into the history of its course.
    """
    return sum(
        _set_status(course, CourseStatus.PUBLISHED, published_at=course.published_at or moment)
        for course in courses
    )


@transaction.atomic
def archive_courses(courses: Iterable[Course]) -> int:
    """Take the courses off sale and return how many were not off it yet.

    Learners keep their access, and the history of sales stays.
    """
    return sum(
        _set_status(course, CourseStatus.ARCHIVED, published_at=course.published_at)
        for course in courses
    )


def _set_status(course: Course, status: CourseStatus, *, published_at: datetime | None) -> bool:
    if course.status == status:
        return False
    course.status = status
    course.published_at = published_at
    course.save(update_fields=["status", "published_at", "updated_at"])
    return True
