"""Putting courses on sale and taking them off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from catalog.models import CourseStatus
from catalog.publishing import archive_courses, publish_courses
from tests.factories import LONG_AGO, CourseFactory

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_a_draft_goes_on_sale_at_the_moment_and_its_history_says_so() -> None:
    course = CourseFactory(status=CourseStatus.DRAFT, published_at=None)

    assert publish_courses([course], moment=NOON) == 1

    course.refresh_from_db()
    assert (course.status, course.published_at) == (CourseStatus.PUBLISHED, NOON)
    assert [old.status for old in course.history.all()] == ["published", "draft"]


def test_a_course_that_comes_back_keeps_its_first_publication() -> None:
    course = CourseFactory(published_at=LONG_AGO)
    archive_courses([course])

    publish_courses([course], moment=NOON + timedelta(days=1))

    course.refresh_from_db()
    assert course.published_at == LONG_AGO
    assert [old.status for old in course.history.all()] == ["published", "archived", "published"]


def test_what_is_in_that_state_already_is_not_counted_and_leaves_no_history() -> None:
    published, draft = CourseFactory(), CourseFactory(status=CourseStatus.DRAFT, published_at=None)

    assert publish_courses([published, draft], moment=NOON) == 1
    assert archive_courses([published]) == 1
    assert archive_courses([published]) == 0

    assert published.history.count() == 2


def test_a_draft_that_is_archived_was_never_published() -> None:
    draft = CourseFactory(status=CourseStatus.DRAFT, published_at=None)

    archive_courses([draft])

    draft.refresh_from_db()
    assert draft.published_at is None
