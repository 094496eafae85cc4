"""What pages and API show of the fitted models, for one person now.

Nothing here fits. A list follows what the person did last: their history is read and scored
against the arrays of the served version at each request. Nothing of it is stored but counts of
courses, of nobody in particular.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import NamedTuple, Protocol

import numpy as np
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from accounts.models import User
from analytics import exposure
from analytics.held_lists import HeldLists
from analytics.history import (
    PersonHistory,
    history_of,
    owned_courses,
    read_histories,
    read_rows,
)
from analytics.methods.list_rules import (
    draw_of,
    most_of_one_seller,
    places_to_explore,
    with_seller_cap,
)
from analytics.methods.reasons import Reason
from analytics.models import ModelRun, PopularCourses, Task
from analytics.outlines import finished_courses
from analytics.served_recommender import Version, current
from analytics.shop_window import OnSale, on_sale
from catalog.models import Course

# A course with fewer learners than this is still to be found out about.
FEW_LEARNERS = 10
# Ranked per place that is shown: what a seller's cap or a withdrawal takes is made up for.
SPARE = 4
# What was counted in the week before a fit is no news any more so long after it.
WEEK = timedelta(days=7)
_REASONS = {int(reason): reason for reason in Reason}
# Reasons that held at the fit and may not hold now.
_MAY_PASS = {Reason.WEEK, Reason.INTEREST}


class Row(NamedTuple):
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
        if self.reason_code == "interest":
            return sentence("interest", self.course.category.name, is_new=self.is_new)
        because = self.because.title if self.because else ""
        return sentence(self.reason_code, because, did=self.did)


def sentence(reason_code: str, name: str, *, did: str = "", is_new: bool = False) -> str:
    """A reason in the language of the request. `name` is the title of the course that it is because
    of, or of the field; without one it is that many like the course."""
    title = {"title": name}
    if reason_code == "interest":
        if is_new:
            return _("New in a field that you chose: %(field)s") % {"field": name}
        return _("In a field that you chose: %(field)s") % {"field": name}
    if reason_code == "history" and name:
        if did == "finished":
            return _("Because you finished “%(title)s”") % title
        if did == "looked":
            return _("Because you looked at “%(title)s”") % title
        return _("Because you took “%(title)s”") % title
    if reason_code == "next" and name:
        return _("Often taken after “%(title)s”") % title
    if reason_code == "content" and name:
        return _("Similar to “%(title)s”") % title
    if reason_code == "people":
        return _("Chosen by people of similar age and occupation")
    if reason_code == "week":
        return _("Popular this week")
    if reason_code == "new":
        return _("New here: be among the first")
    return _("Popular with learners here")


class OfCourse(Protocol):
    """What a list needs to know of a course, whatever is shown of it."""

    @property
    def is_published(self) -> bool: ...

    @property
    def published_at(self) -> datetime | None: ...


_held: HeldLists[list[Row]] = HeldLists()


def recommended_courses(
    *, user: User | AnonymousUser, n: int = 12, moment: datetime | None = None
) -> list[Recommended]:
    """At most `n` published courses that the viewer does not have, best first.

    A signed-in person who allows personalisation gets a list of their own; everybody else what is
    popular. Empty before the first run.
    """
    moment = moment or timezone.now()
    rows = recommended_rows(user=user, n=n, moment=moment)
    return shown(rows, n=n, courses=_read_courses(rows), moment=moment)


def recommended_rows(*, user: User | AnonymousUser, n: int, moment: datetime) -> list[Row]:
    """The places of a list of n, some more than are needed at its end."""
    if n < 1:
        return []
    version, window = current(), on_sale()
    if not user.is_authenticated:
        return _capped(_popular(version), window, n=n)
    if version is None or not user.is_personalised:
        # Nothing else of them is read, and nothing held.
        _held.drop(user.pk)
        owned = owned_courses(user.pk)
        return _capped(
            (row for row in _popular(version) if row.course_id not in owned), window, n=n
        )
    read = read_rows([user.pk])
    shares = (settings.RECOMMEND_SELLER_SHARE, settings.RECOMMEND_EXPLORE_SHARE)
    day = exposure.day_of(moment)
    made_of = (read, version.run_id, window.number, n, day, shares)
    rows = _held.get(user.pk, made_of)
    if rows is None:
        rows = _list_for(version, window, history_of(read), user_id=user.pk, n=n, moment=moment)
        _held.put(user.pk, made_of, rows)
    return rows


def _list_for(
    version: Version,
    window: OnSale,
    person: PersonHistory,
    *,
    user_id: int,
    n: int,
    moment: datetime,
) -> list[Row]:
    explored = _explored(version, window, person, user_id=user_id, n=n, moment=moment)
    tried = {row.course_id for row in explored}
    # Counted first, so that they do not come on top of what one seller may have; shown last.
    listed = _capped(
        chain(explored, _for_person(version, window, person, tried, n=n, moment=moment)),
        window,
        n=n,
    )
    new = [row for row in listed if row.course_id in tried]
    rest = [row for row in listed if row.course_id not in tried]
    at = max(n - len(new), 0)
    return _with_deeds([*rest[:at], *new, *rest[at:]], person)


def similar_courses(*, course: Course, n: int = 6) -> list[Recommended]:
    """At most `n` published courses most alike the given one, by the served run."""
    moment = timezone.now()
    rows = similar_rows(course_id=course.pk, n=n)
    return shown(rows, n=n, courses=_read_courses(rows), moment=moment, is_counted=False)


def similar_rows(*, course_id: int, n: int) -> list[Row]:
    """The places of a list of courses most alike one, some more than are needed at its end."""
    version = current()
    if version is None or course_id not in version.model.index_of:
        return []
    model = version.model
    items, scores = model.similar(model.index_of[course_id])
    ids = model.course_ids[items].tolist()
    rows = (
        Row(one, score, Reason.CONTENT, course_id)
        for one, score in zip(ids, scores.tolist(), strict=True)
    )
    return _capped(rows, on_sale(), n=n)


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
        found[user_id] = [(row.course_id, row.score) for row in islice(ranked, n)]
    return found


def shown(
    rows: Sequence[Row],
    *,
    n: int,
    courses: Mapping[int, Course],
    moment: datetime,
    is_counted: bool = True,
) -> list[Recommended]:
    """The first n rows as recommendations, and counted as shown; `courses` are those of the rows
    and of their reasons, with seller and category. What is not published any more falls out."""
    since = new_since(moment)
    return [
        Recommended(
            course=(course := courses[row.course_id]),
            score=row.score,
            reason_code=row.reason.code,
            because=courses.get(row.because_id) if row.because_id else None,
            did=row.did,
            is_new=is_new(course, since=since),
        )
        for row in shown_rows(rows, n=n, courses=courses, moment=moment, is_counted=is_counted)
    ]


def shown_rows(
    rows: Sequence[Row],
    *,
    n: int,
    courses: Mapping[int, OfCourse],
    moment: datetime,
    is_counted: bool,
) -> list[Row]:
    """The first n rows whose courses are published now; counted as shown at the moment."""
    found: list[Row] = []
    for row in rows:
        if len(found) >= n:
            break
        course = courses.get(row.course_id)
        if course is not None and course.is_published:
            found.append(row)
    if is_counted:
        exposure.count_list(
            [row.course_id for row in found],
            [row.course_id for row in found if row.reason == Reason.NEW],
            moment=moment,
        )
    return found


def new_since(moment: datetime) -> datetime:
    """What was published from then on is new at this moment."""
    return moment - timedelta(days=settings.NEW_COURSE_DAYS)


def is_new(course: OfCourse, *, since: datetime) -> bool:
    return bool(course.published_at and course.published_at >= since)


def courses_of(rows: Iterable[Row]) -> set[int]:
    """The ids of the courses of the rows and of their reasons."""
    rows = list(rows)
    return {row.course_id for row in rows} | {row.because_id for row in rows if row.because_id}


def _read_courses(rows: Iterable[Row]) -> dict[int, Course]:
    return (
        Course.objects.with_ratings().select_related("category", "seller").in_bulk(courses_of(rows))
    )


def _for_person(
    version: Version,
    window: OnSale,
    person: PersonHistory,
    tried: set[int],
    *,
    n: int,
    moment: datetime,
) -> Iterator[Row]:
    """What scores best for the person, and after it, where nothing more is known, what is popular;
    without what is tried on them and what they have."""
    seen = tried | person.owned
    for row in _ranked(version, window, person, n=n, moment=moment):
        if row.course_id not in seen:
            seen.add(row.course_id)
            yield row
    for row in _popular(version):
        did = person.did.get(row.course_id)
        if row.course_id in seen or (did is not None and did[2]):
            continue
        if window.category.get(row.course_id) not in person.off:
            yield row


def _ranked(
    version: Version, window: OnSale, person: PersonHistory, *, n: int, moment: datetime
) -> Iterator[Row]:
    model = version.model
    allowed = window.allowed(version.run_id, model)
    if person.off:
        off = [
            model.index_of[course]
            for course, category in window.category.items()
            if category in person.off and course in model.index_of
        ]
        allowed = allowed.copy()
        allowed[off] = False
    # What was bought elsewhere is known from events alone.
    taken = [
        model.index_of[course]
        for course, (_order, _weight, is_taken) in person.did.items()
        if is_taken and course in model.index_of
    ]
    found = model.rank(
        person.history(model.index_of),
        person.person(model.category_index, year=moment.year),
        n=n * SPARE,
        leave_out=np.array(taken, dtype=np.int64),
        allowed=allowed,
    )
    ids = model.course_ids
    for course, score, number, because in zip(
        ids[found.items].tolist(),
        found.scores.tolist(),
        found.reasons.tolist(),
        np.where(found.because >= 0, ids[found.because], 0).tolist(),
        strict=True,
    ):
        reason = _REASONS[number]
        if number in _MAY_PASS:
            reason = _still_true(reason, course, version, window, person, moment=moment)
        yield Row(course, score, reason, because or None)


def _still_true(
    reason: Reason,
    course: int,
    version: Version,
    window: OnSale,
    person: PersonHistory,
    *,
    moment: datetime,
) -> Reason:
    """The reason, where it holds at this moment as it did at the fit; else that it is popular."""
    if reason == Reason.WEEK and moment - version.fitted_at > WEEK:
        return Reason.POPULAR
    if reason == Reason.INTEREST and window.category.get(course) not in person.chosen:
        return Reason.POPULAR
    return reason


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
    day = exposure.day_of(moment)
    places = places_to_explore(
        n, share=settings.RECOMMEND_EXPLORE_SHARE, draw=draw_of(user_id, day)
    )
    if not places:
        return []
    new = window.newcomers(
        version.run_id,
        version.model,
        since=new_since(moment),
        few=FEW_LEARNERS,
        day=day,
    )
    # Each person begins at another place, so that all of them get a share.
    first = int(draw_of(day, user_id) * len(new))
    wanted = (
        course
        for course in chain(new[first:], new[:first])
        if course not in person.owned
        and course not in person.did
        and window.category[course] not in person.off
    )
    return [Row(course, 0.0, Reason.NEW) for course in islice(wanted, places)]


def _popular(version: Version | None) -> Iterator[Row]:
    """What is popular by the model, or, where none can be read, by what its run stored."""
    if version is not None:
        found = version.popular
    else:
        run = ModelRun.objects.served(Task.RECOMMEND)
        items = PopularCourses.objects.filter(run=run).values_list("items", flat=True).first()
        found = [(course, score) for course, score, _reason, _because in items or []]
    for course, score in found:
        if score > 0:
            yield Row(course, score, Reason.POPULAR)


def _capped(rows: Iterable[Row], window: OnSale, *, n: int) -> list[Row]:
    """The first n of the rows that are on sale and no seller has too many of, and SPARE more."""
    most = most_of_one_seller(n, share=settings.RECOMMEND_SELLER_SHARE, n_sellers=window.n_sellers)
    on_sale_now = (row for row in rows if row.course_id in window.seller)
    return with_seller_cap(
        on_sale_now, lambda row: window.seller[row.course_id], n=n + SPARE, most=most
    )


def _with_deeds(rows: Sequence[Row], person: PersonHistory) -> list[Row]:
    """What the person did with the courses that reasons name."""
    named = {row.because_id for row in rows if row.reason == Reason.HISTORY and row.because_id}
    taken = {course for course in named if person.did[course][2]}
    finished = finished_courses(taken, person.lessons_done)

    deeds = {
        course: "finished" if course in finished else "taken" if course in taken else "looked"
        for course in named
    }
    return [
        Row(*row[:-1], did=deeds[row.because_id])
        if row.reason == Reason.HISTORY and row.because_id
        else row
        for row in rows
    ]


def forget() -> None:
    """Compute anew at the next call: for a process whose database was changed under it."""
    _held.forget()
