"""Times of consultations: planned by their seller; moved or taken away while nobody has them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from catalog.models import ConsultationSlot, Course

MOST_AT_ONCE = 500


class Span(NamedTuple):
    """A time of a consultation, in the platform's zone."""

    starts_at: datetime
    ends_at: datetime


class NotMovable(Exception):
    """The time is taken, or another one is there; the message says which."""


def plan_times(
    *,
    first_day: date,
    last_day: date,
    weekdays: Collection[int],
    begins: time,
    ends: time,
    minutes: int,
) -> list[Span]:
    """Times one after another, so many as fit between `begins` and `ends`, day after day.

    Days are those from `first_day` to `last_day` that fall on `weekdays` (Monday is 0; none
    given: all). `begins` and `ends` are wall-clock times in the platform's zone, `minutes` is the
    length of each. At most one more than MOST_AT_ONCE are planned, so that too many show.
    """
    length = timedelta(minutes=minutes)
    planned: list[Span] = []
    for n in range((last_day - first_day).days + 1):
        day = first_day + timedelta(days=n)
        if weekdays and day.weekday() not in weekdays:
            continue
        start, end_of_day = datetime.combine(day, begins), datetime.combine(day, ends)
        while start + length <= end_of_day and len(planned) <= MOST_AT_ONCE:
            starts_at = timezone.make_aware(start)
            planned.append(Span(starts_at, starts_at + length))
            start += length
    return planned


def free_spans(course: Course, spans: Iterable[Span], *, moment: datetime) -> list[Span]:
    """Those of the spans that lie ahead and meet no time that the consultation has already."""
    ahead = [span for span in spans if span.starts_at > moment]
    if not ahead:
        return []
    there = list(
        ConsultationSlot.objects.filter(
            course=course, ends_at__gt=ahead[0].starts_at, starts_at__lt=ahead[-1].ends_at
        ).values_list("starts_at", "ends_at")
    )
    return [
        span
        for span in ahead
        if not any(start < span.ends_at and span.starts_at < end for start, end in there)
    ]


@transaction.atomic
def add_times(course: Course, spans: Iterable[Span], *, moment: datetime) -> list[ConsultationSlot]:
    """Add those of the spans that are free to the consultation, and return them.

    Sent twice, the second time adds none.
    """
    # One after another: times may not overlap, which no constraint says.
    Course.objects.select_for_update().get(pk=course.pk)
    return [
        ConsultationSlot.objects.create(
            course=course, starts_at=span.starts_at, ends_at=span.ends_at
        )
        for span in free_spans(course, spans, moment=moment)
    ]


def ensure_movable(slot: ConsultationSlot, span: Span, *, moment: datetime) -> None:
    """Raise NotMovable unless nobody has the time and it can be moved to the span.

    Must run in the transaction that then moves it: until its end nobody can take it.
    """
    current = ConsultationSlot.objects.select_for_update().filter(pk=slot.pk).first()
    if current is None or current.purchase_id is not None:
        raise NotMovable(_("Somebody has taken this time; it cannot be moved."))
    if span.starts_at <= moment:
        raise NotMovable(_("The beginning must lie ahead."))
    others = ConsultationSlot.objects.filter(course=slot.course_id).exclude(pk=slot.pk)
    if others.filter(starts_at__lt=span.ends_at, ends_at__gt=span.starts_at).exists():
        raise NotMovable(_("Another time of this consultation is there already."))


@transaction.atomic
def remove_times(slots: QuerySet[ConsultationSlot]) -> int:
    """Take away those of the times that nobody has, and return how many."""
    # Locked first: nobody takes them between the question and the deletion.
    free = ConsultationSlot.objects.select_for_update().filter(
        pk__in=list(slots.values_list("pk", flat=True)), purchase=None
    )
    keys = list(free.values_list("pk", flat=True))
    ConsultationSlot.objects.filter(pk__in=keys).delete()
    return len(keys)
