"""What pages and API show of the fitted models, for one person now.

Nothing here fits. A list follows what the person did last: their history is read and scored
against the arrays of the served version at each request. Nothing of it is stored but counts of
courses, of nobody in particular.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from accounts.models import User
from analytics import exposure
from analytics.history import PersonHistory, finished_courses, read_histories, read_history
from analytics.methods.list_rules import (
    draw_of,
    most_of_one_seller,
    places_to_explore,
    with_seller_cap,
)
from analytics.methods.reasons import Reason
from analytics.models import ModelRun, PopularCourses, Task
from analytics.served_recommender import Version, current
from analytics.shop_window import OnSale, on_sale
from catalog.models import Course

# A course with fewer learners than this is still to be found out about.
FEW_LEARNERS = 10
# Ranked per place that is shown: what a seller's cap or a withdrawal takes is made up for.
SPARE = 4
# Somebody who has at least so much of a course took it; less is a look at it.
TAKEN = 1.0


@dataclass(frozen=True)
class Row:
    """One place of a list, before its course is read. `did` says what the person did with the
    course that it is because of: finished, taken, looked, or empty."""

    course_id: int
    score: float
    reason: Reason
    because_id: int | None = None
    did: str = ""


@dataclass(frozen=True)
class Recommended:
    """One recommended course with its score and the reason that brought it here."""

    course: Course
    score: float
    reason_code: str
    because: Course | None = None
    did: str = ""
    is_new: bool = False

    @cached_property
    def reason(self) -> str:
        """The reason as a sentence in the language of the request."""
        if self.because:
            title = {"title": self.because.title}
            if self.reason_code == "history":
                if self.did == "finished":
                    return _("Because you finished “%(title)s”") % title
                if self.did == "looked":
                    return _("Because you looked at “%(title)s”") % title
                return _("Because you took “%(title)s”") % title
            if self.reason_code == "next":
                return _("Often taken after “%(title)s”") % title
            if self.reason_code == "content":
                return _("Similar to “%(title)s”") % title
        if self.reason_code == "interest":
            field = {"field": self.course.category.name}
            if self.is_new:
                return _("New in a field that you chose: %(field)s") % field
            return _("In a field that you chose: %(field)s") % field
        if self.reason_code == "people":
            return _("Chosen by people of similar age and occupation")
        if self.reason_code == "week":
            return _("Popular this week")
        if self.reason_code == "new":
            return _("New here: be among the first")
        return _("Popular with learners here")


def recommended_courses(
    *, user: User | AnonymousUser, n: int = 12, moment: datetime | None = None
) -> list[Recommended]:
    """At most `n` published courses that the viewer does not have, best first.

    A signed-in person who allows personalisation gets a list of their own; everybody else what is
    popular. Empty before the first run.
    """
    moment = moment or timezone.now()
    rows = recommended_rows(user=user, n=n, moment=moment)
    found = with_courses(rows, n, moment=moment)
    exposure.count_list(
        [one.course.pk for one in found],
        [one.course.pk for one in found if one.reason_code == "new"],
    )
    return found


def recommended_rows(*, user: User | AnonymousUser, n: int, moment: datetime) -> list[Row]:
    """The places of a list of n, some more than are needed at its end."""
    if n < 1:
        return []
    version, window = current(), on_sale()
    if not user.is_authenticated:
        return _popular(set(), window, n=n)
    person = read_history(user.pk)
    if version is None or not user.is_personalised:
        return _popular(person.owned, window, n=n)
    explored = _explored(version, window, person, user_id=user.pk, n=n, moment=moment)
    tried = {row.course_id for row in explored}
    ranked = [
        row
        for row in _ranked(version, window, person, n=n, moment=moment)
        if row.course_id not in tried
    ]
    # What nothing is known of the person for is filled up with what is popular.
    spare = _popular(person.owned, window, n=n)
    seen = tried | {row.course_id for row in ranked}
    spare = [
        row
        for row in spare
        if row.course_id not in seen and window.category[row.course_id] not in person.off
    ]
    # Counted first, so that they do not come on top of what one seller may have; shown last.
    listed = _capped([*explored, *ranked, *spare], window, n=n + SPARE)
    new = [row for row in listed if row.course_id in tried]
    rest = [row for row in listed if row.course_id not in tried]
    at = max(n - len(new), 0)
    return _with_deeds([*rest[:at], *new, *rest[at:]], person, user.pk)


def similar_courses(*, course: Course, n: int = 6) -> list[Recommended]:
    """At most `n` published courses most alike the given one, by the served run."""
    version = current()
    if version is None or course.pk not in version.model.index_of:
        return []
    window = on_sale()
    items, scores = version.model.similar(version.model.index_of[course.pk])
    rows = [
        Row(int(version.model.course_ids[item]), float(score), Reason.CONTENT, course.pk)
        for item, score in zip(items, scores, strict=True)
    ]
    rows = [row for row in rows if row.course_id in window.seller]
    return with_courses(_capped(rows, window, n=n + SPARE), n, moment=timezone.now())


def rankings_of(user_ids: Sequence[int], *, n: int = 24) -> dict[int, list[tuple[int, float]]]:
    """(course id, score) of at most n courses for those of the people of whom anything is known,
    best first."""
    version, window = current(), on_sale()
    if version is None:
        return {}
    moment = timezone.now()
    found = {}
    for user_id, person in read_histories(user_ids).items():
        if not person.did and not person.chosen:
            continue
        ranked = _ranked(version, window, person, n=n, moment=moment)
        found[user_id] = [(row.course_id, row.score) for row in ranked[:n]]
    return found


def with_courses(rows: Sequence[Row], n: int, *, moment: datetime) -> list[Recommended]:
    """The rows as recommendations; courses that were withdrawn since fall out."""
    wanted = {row.course_id for row in rows} | {row.because_id for row in rows if row.because_id}
    courses = Course.objects.with_ratings().select_related("category", "seller").in_bulk(wanted)
    since = moment - timedelta(days=settings.NEW_COURSE_DAYS)
    found: list[Recommended] = []
    for row in rows:
        if len(found) >= n:
            break
        course = courses.get(row.course_id)
        if course is not None and course.is_published:
            found.append(
                Recommended(
                    course=course,
                    score=row.score,
                    reason_code=row.reason.name.lower(),
                    because=courses.get(row.because_id) if row.because_id else None,
                    did=row.did,
                    is_new=bool(course.published_at and course.published_at >= since),
                )
            )
    return found


def _ranked(
    version: Version, window: OnSale, person: PersonHistory, *, n: int, moment: datetime
) -> list[Row]:
    model = version.model
    allowed = window.allowed(version.run_id, model.course_ids)
    if person.off:
        off = [
            model.index_of[course]
            for course, category in window.category.items()
            if category in person.off and course in model.index_of
        ]
        allowed = allowed.copy()
        allowed[off] = False
    owned = [model.index_of[course] for course in person.owned if course in model.index_of]
    taken = [
        model.index_of[course]
        for course, (_order, _weight, is_taken) in person.did.items()
        if is_taken and course in model.index_of
    ]
    found = model.rank(
        person.history(model.index_of),
        person.person(model.category_index, year=moment.year),
        n=n * SPARE,
        leave_out=np.array([*owned, *taken], dtype=np.int64),
        allowed=allowed,
    )
    ids = model.course_ids
    return [
        Row(
            course_id=int(ids[item]),
            score=float(score),
            reason=Reason(int(reason)),
            because_id=int(ids[because]) if because >= 0 else None,
        )
        for item, score, reason, because in zip(
            found.items, found.scores, found.reasons, found.because, strict=True
        )
    ]


def _explored(
    version: Version,
    window: OnSale,
    person: PersonHistory,
    *,
    user_id: int,
    n: int,
    moment: datetime,
) -> list[Row]:
    """New courses of which little is known: the same for one person all day, others tomorrow."""
    model, day = version.model, timezone.localtime(moment).date()
    places = places_to_explore(
        n, share=settings.RECOMMEND_EXPLORE_SHARE, draw=draw_of(user_id, day)
    )
    since = moment - timedelta(days=settings.NEW_COURSE_DAYS)
    new = [
        course
        for course, published_at in window.published_at.items()
        if published_at >= since
        and course not in person.owned
        and window.category[course] not in person.off
        and (
            course not in model.index_of or model.n_learners[model.index_of[course]] < FEW_LEARNERS
        )
    ]
    new.sort(key=lambda course: draw_of(user_id, day, course))
    return [Row(course, 0.0, Reason.NEW) for course in new[:places]]


def _popular(owned: set[int], window: OnSale, *, n: int) -> list[Row]:
    run = ModelRun.objects.served(Task.RECOMMEND)
    stored = PopularCourses.objects.filter(run=run).values_list("items", flat=True).first() or []
    rows = [
        Row(course, score, Reason(reason))
        for course, score, reason, _because in stored
        if course not in owned and course in window.seller
    ]
    return _capped(rows, window, n=n + SPARE)


def _capped(rows: Sequence[Row], window: OnSale, *, n: int) -> list[Row]:
    rows = [row for row in rows if row.course_id in window.seller]
    most = most_of_one_seller(
        n - SPARE, share=settings.RECOMMEND_SELLER_SHARE, n_sellers=window.n_sellers
    )
    return with_seller_cap(rows, lambda row: window.seller[row.course_id], n=n, most=most)


def _with_deeds(rows: Sequence[Row], person: PersonHistory, user_id: int) -> list[Row]:
    """What the person did with the courses that reasons name."""
    named = {row.because_id for row in rows if row.reason == Reason.HISTORY and row.because_id}
    taken = {course for course in named if person.did[course][1] >= TAKEN}
    finished = finished_courses(user_id, taken)

    def deed(row: Row) -> str:
        if row.reason != Reason.HISTORY or row.because_id is None:
            return ""
        if row.because_id in finished:
            return "finished"
        return "taken" if row.because_id in taken else "looked"

    return [Row(row.course_id, row.score, row.reason, row.because_id, deed(row)) for row in rows]
