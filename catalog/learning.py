"""Who may open which lesson, and where a learner goes on."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

from django.db.models import (
    Count,
    F,
    Max,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    prefetch_related_objects,
)
from django.db.models.functions import Coalesce

from accounts.models import User
from catalog.lesson_progress import record_progress
from catalog.models import Course, Enrollment, Lesson, LessonProgress
from catalog.outline import Outline, outline_of
from catalog.querysets import EnrollmentQuerySet

if TYPE_CHECKING:
    from accounts.rules import Person


class Access(Enum):
    """As what a person meets the lessons of a course."""

    LEARNER = "learner"
    # Its seller or an operator: sees every lesson, and nothing is kept of it.
    MANAGER = "manager"
    NONE = "none"


def courses_known_to(person: Person) -> QuerySet[Course]:
    """The courses that the person may see, and those that they have or had."""
    visible = Course.objects.visible_to(person)
    if not person.is_authenticated:
        return visible
    enrolled = Enrollment.objects.filter(user=person).values("course")
    return Course.objects.filter(Q(pk__in=visible.values("pk")) | Q(pk__in=enrolled))


def lessons_known_to(person: Person) -> QuerySet[Lesson]:
    """The lessons of those courses, each with its course; to know one is not to open it."""
    return Lesson.objects.filter(section__course__in=courses_known_to(person)).select_related(
        "section__course"
    )


def access_to(course: Course, *, person: Person) -> Access:
    """What the person is to the course at this moment."""
    if not person.is_authenticated:
        return Access.NONE
    if Enrollment.objects.active().filter(user=person, course=course).exists():
        return Access.LEARNER
    return Access.MANAGER if person.has_perm("catalog.view_course", course) else Access.NONE


@dataclass(frozen=True)
class Study:
    """A course as one person studies it."""

    course: Course
    access: Access
    outline: Outline
    # The person's own, latest first; empty for everybody but learners.
    progress: list[LessonProgress]

    @property
    def is_kept(self) -> bool:
        """Whether what the person studies is stored."""
        return self.access is Access.LEARNER

    @cached_property
    def lessons(self) -> list[Lesson]:
        return [lesson for part in self.outline.sections for lesson in part.lessons]

    @cached_property
    def done(self) -> Set[int]:
        """Ids of the lessons that are done."""
        return {one.lesson_id for one in self.progress if one.completed_at is not None}

    @property
    def n_done(self) -> int:
        return len(self.done)

    @property
    def n_done_with_one_more(self) -> int:
        return min(self.n_done + 1, len(self.lessons))

    def is_open(self, lesson: Lesson) -> bool:
        return self.access is not Access.NONE or lesson.is_preview

    @property
    def open_lessons(self) -> Set[int]:
        return {lesson.pk for lesson in self.lessons if self.is_open(lesson)}

    def progress_in(self, lesson: Lesson) -> LessonProgress | None:
        return next((one for one in self.progress if one.lesson_id == lesson.pk), None)

    def next_lesson(self) -> Lesson | None:
        """The lesson to go on with; None for a course without lessons.

        It is the one opened last; was that done, the next that is not, from the start again
        after the end; when all are done, the first.
        """
        if not self.lessons:
            return None
        places = {lesson.pk: place for place, lesson in enumerate(self.lessons)}
        start = places[self.progress[0].lesson_id] if self.progress else 0
        in_turn = self.lessons[start:] + self.lessons[:start]
        return next((one for one in in_turn if one.pk not in self.done), self.lessons[0])

    def beside(self, lesson: Lesson) -> tuple[Lesson | None, Lesson | None]:
        """The lesson before and the lesson after, of those that the person may open."""
        open_ones = [one for one in self.lessons if self.is_open(one)]
        place = next(place for place, one in enumerate(open_ones) if one.pk == lesson.pk)
        before = open_ones[place - 1] if place else None
        after = open_ones[place + 1] if place + 1 < len(open_ones) else None
        return before, after


def study_of(course: Course, *, person: Person) -> Study:
    """The course as the person studies it: four queries, however many lessons there are."""
    access = access_to(course, person=person)
    lessons = Lesson.objects.defer("body", "video_url", "file")
    prefetch_related_objects([course], "sections", Prefetch("sections__lessons", lessons))
    progress: list[LessonProgress] = []
    if access is Access.LEARNER:
        rows = LessonProgress.objects.filter(user=person.pk, lesson__section__course=course)
        progress = list(rows.order_by("-updated_at", "-pk"))
    return Study(course, access, outline_of(course), progress)


def courses_of_learner(person: User) -> EnrollmentQuerySet:
    """The person's active enrollments, those studied or got last first.

    Each comes with its course and with `n_lessons`, `n_done` and `studied_at` (None for never).
    """
    lessons = Lesson.objects.filter(section__course=OuterRef("course")).order_by()
    mine = LessonProgress.objects.filter(
        user=person, lesson__section__course=OuterRef("course")
    ).order_by()
    n_lessons = lessons.values("section__course").annotate(v=Count("pk")).values("v")
    n_done = mine.filter(completed_at__isnull=False).values("lesson__section__course")
    studied_at = mine.values("lesson__section__course").annotate(v=Max("updated_at")).values("v")
    return (
        Enrollment.objects.active()
        .filter(user=person)
        .select_related("course__seller", "course__category")
        .annotate(
            n_lessons=Coalesce(Subquery(n_lessons), 0),
            n_done=Coalesce(Subquery(n_done.annotate(v=Count("pk")).values("v")), 0),
            studied_at=Subquery(studied_at),
        )
        .order_by(Coalesce(F("studied_at"), F("enrolled_at")).desc(), "-pk")
    )


def had_access(course: Course, *, person: User) -> bool:
    """Whether the person learned the course before and may not any more."""
    return Enrollment.objects.filter(user=person, course=course, is_active=False).exists()


def complete_lesson(*, learner: User, lesson: Lesson, moment: datetime) -> None:
    """Note that the learner is done with the lesson; time and position stay as they are.

    Raises NotALearner.
    """
    known = LessonProgress.objects.filter(user=learner, lesson=lesson).first()
    position = known.position_seconds if known else 0
    record_progress(
        learner=learner,
        lesson=lesson,
        seconds=0,
        # A seller may have cut the lesson shorter since.
        position_seconds=min(position, lesson.duration_seconds or position),
        is_completed=True,
        moment=moment,
    )
