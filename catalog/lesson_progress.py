"""How far a learner is in a lesson: what their player reports."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.models import Enrollment, Lesson, LessonProgress

# Of one person in one lesson, over all time. More comes from a broken clock.
MOST_STUDY_SECONDS = 360_000


class NotALearner(Exception):
    """The lesson is neither free to try nor part of a course that the person learns."""

    def __init__(self) -> None:
        super().__init__(_("Only learners of the course can open this lesson."))


class PositionBeyondEnd(Exception):
    """The position lies after the end of the lesson."""

    def __init__(self, end: int) -> None:
        super().__init__(_("The lesson has %(end)d seconds.") % {"end": end})


def ensure_learner(*, person: User, lesson: Lesson) -> None:
    """Raise NotALearner unless the person may study the lesson."""
    if lesson.is_preview:
        return
    if not Enrollment.objects.active().filter(user=person, course=lesson.section.course).exists():
        raise NotALearner


def record_progress(
    *,
    learner: User,
    lesson: Lesson,
    seconds: int,
    position_seconds: int,
    is_completed: bool,
    moment: datetime,
) -> LessonProgress:
    """Store how long the learner studied in all, where they are, and whether they are done.

    `seconds` is a total, so that a report sent twice counts once; it never goes down, and a
    completed lesson stays completed. Raises NotALearner or PositionBeyondEnd.
    """
    ensure_learner(person=learner, lesson=lesson)
    if lesson.duration_seconds and position_seconds > lesson.duration_seconds:
        raise PositionBeyondEnd(lesson.duration_seconds)
    with transaction.atomic():
        LessonProgress.objects.get_or_create(
            user=learner, lesson=lesson, defaults={"opened_at": moment, "updated_at": moment}
        )
        progress = LessonProgress.objects.select_for_update().get(user=learner, lesson=lesson)
        progress.seconds = max(progress.seconds, min(seconds, MOST_STUDY_SECONDS))
        progress.position_seconds = position_seconds
        if is_completed and progress.completed_at is None:
            progress.completed_at = moment
        progress.updated_at = moment
        progress.save()
    return progress
