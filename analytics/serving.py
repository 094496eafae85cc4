"""What pages and API show of the fitted models: stored rows, read by one person for another.

Nothing here fits. Rows of a run that is not served are never read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from accounts.models import User
from analytics.methods.reasons import Reason
from analytics.models import ModelRun, PopularCourses, Task
from catalog.models import Course, Enrollment

# A stored row: course id, score, reason, id of the course that it is because of.
Row = Sequence


@dataclass(frozen=True)
class Recommended:
    """One recommended course with its score and the reason that brought it here."""

    course: Course
    score: float
    reason_code: str
    because: Course | None = None

    @cached_property
    def reason(self) -> str:
        """The reason as a sentence in the language of the request."""
        if self.reason_code == "history" and self.because:
            return _("Because you took “%(title)s”") % {"title": self.because.title}
        if self.reason_code == "content" and self.because:
            return _("Similar to “%(title)s”") % {"title": self.because.title}
        if self.reason_code == "interest":
            return _("In a field that you chose: %(field)s") % {"field": self.course.category.name}
        if self.reason_code == "people":
            return _("Chosen by people of similar age and occupation")
        return _("Popular with learners here")


def recommended_courses(*, user: User | AnonymousUser, n: int = 12) -> list[Recommended]:
    """At most `n` published courses that the viewer does not have, best first.

    A signed-in person who allows personalisation gets the list of the served run; everybody
    else, and whoever came after the run, what is popular. Empty before the first run.
    """
    run = ModelRun.objects.served(Task.RECOMMEND)
    if run is None:
        return []
    owned: set[int] = set()
    rows: list[Row] = []
    if user.is_authenticated:
        owned = set(Enrollment.objects.active().filter(user=user).values_list("course", flat=True))
    popular = PopularCourses.objects.filter(run=run).values_list("items", flat=True).first() or []
    return _with_courses(_first_of_each([*rows, *popular], leave_out=owned), n)


def similar_courses(*, course: Course, n: int = 6) -> list[Recommended]:
    """At most `n` published courses most alike the given one, by the served run."""
    run = ModelRun.objects.served(Task.RECOMMEND)
    if run is None:
        return []
    items: list = []
    rows = [(course_id, score, Reason.CONTENT, course.pk) for course_id, score in items]
    return _with_courses(_first_of_each(rows, leave_out={course.pk}), n)


def _first_of_each(rows: Iterable[Row], *, leave_out: set[int]) -> list[Row]:
    seen = set(leave_out)
    kept = []
    for row in rows:
        if row[0] not in seen:
            seen.add(row[0])
            kept.append(row)
    return kept


def _with_courses(rows: Sequence[Row], n: int) -> list[Recommended]:
    """The rows as recommendations; courses that were withdrawn since the fit fall out."""
    wanted = {row[0] for row in rows} | {row[3] for row in rows if row[3]}
    courses = Course.objects.with_ratings().select_related("category", "seller").in_bulk(wanted)
    found: list[Recommended] = []
    for course_id, score, reason, because_id in rows:
        if len(found) >= n:
            break
        course = courses.get(course_id)
        if course is not None and course.is_published:
            found.append(
                Recommended(
                    course=course,
                    score=score,
                    reason_code=Reason(reason).name.lower(),
                    because=courses.get(because_id) if because_id else None,
                )
            )
    return found
