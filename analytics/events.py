"""Taking events in: validate, deduplicate, store in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import OperationalError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import User
from analytics.models import Event, EventKind
from catalog.models import Course, CourseStatus, Enrollment
from streams.models import LiveSession, SessionStatus

MOST_EVENTS = 500
# Clocks of phones run ahead; an app that was offline sends late.
AHEAD = timedelta(minutes=5)
OLDEST = timedelta(days=30)
# The platform knows of purchases from its own orders.
CLIENT_KINDS = tuple(kind for kind in EventKind if kind != EventKind.PURCHASE)
# What `value` counts, and how much of it one event may claim; other kinds have no value.
LARGEST_VALUE = {
    EventKind.WATCH: 86_400,
    EventKind.LESSON_PROGRESS: 86_400,
    EventKind.LIKE: 1_000,
}
# What can be done in a live session while it is broadcast, or replayed, and at no other time.
ON_AIR_KINDS = (EventKind.WATCH, EventKind.CHAT)
TRIES = 5
# InnoDB's numbers for a deadlock and for a lock that took too long.
TRY_AGAIN = (1213, 1205)


class BadEvent(Exception):
    """One event of the batch cannot be taken: `index` counts from 0, `field` is its field."""

    def __init__(self, index: int, field: str, code: str, message: str) -> None:
        super().__init__(_("Event %(index)d: %(reason)s") % {"index": index, "reason": message})
        self.index, self.field, self.code = index, field, code


@dataclass(frozen=True, slots=True)
class NewEvent:
    """One event as a client tells it; `id` is made by the client."""

    id: UUID
    kind: EventKind
    occurred_at: datetime
    course: int | None = None
    live_session: int | None = None
    value: float | None = None


@dataclass(frozen=True)
class Intake:
    """What became of a batch: events received, of them stored now."""

    n_received: int
    n_stored: int


def take_in(
    events: Sequence[NewEvent],
    *,
    viewer: User | AnonymousUser,
    visitor_id: UUID | None,
    now: datetime,
) -> Intake:
    """Store those events of the batch that were not stored before.

    They belong to the signed-in viewer, else to the anonymous visitor. Of a person who does
    not allow personalisation nothing is stored. Raises BadEvent for the first event that
    cannot be taken, and stores none of the batch then.
    """
    _check(events, viewer=viewer, now=now)
    if viewer.is_authenticated and not viewer.is_personalised:
        return Intake(len(events), 0)
    by_id = {event.id: event for event in reversed(events)}
    known = set(Event.objects.filter(uuid__in=by_id).values_list("uuid", flat=True))
    rows = [
        Event(
            uuid=event.id,
            kind=event.kind,
            user_id=viewer.pk,
            visitor_id=None if viewer.is_authenticated else visitor_id,
            course_id=event.course,
            live_session_id=event.live_session,
            value=event.value,
            occurred_at=event.occurred_at,
            received_at=now,
        )
        # In one order for all: two copies of a batch at once wait instead of deadlocking.
        for _id, event in sorted(by_id.items())
        if event.id not in known
    ]
    return Intake(len(events), len(rows) if _store(rows, viewer=viewer) else 0)


def _store(rows: list[Event], *, viewer: User | AnonymousUser) -> bool:
    """Whether they were stored: not of somebody who erased their account meanwhile."""
    for tries_left in reversed(range(TRIES)):
        try:
            with transaction.atomic():
                if viewer.is_authenticated and not _still_allows(viewer):
                    return False
                # A copy that was stored meanwhile is left alone by its unique id.
                Event.objects.bulk_create(rows, ignore_conflicts=True)
            return True
        except OperationalError as error:
            if not tries_left or error.args[0] not in TRY_AGAIN:
                raise

    return False


def _still_allows(viewer: User) -> bool:
    """Whether the person allows personalisation now; their row is locked until the commit.

    Without the lock, an erasure or a refusal that commits between the check of the request
    and the insert would leave events that nothing removes any more.
    """
    people = User.objects.select_for_update().filter(pk=viewer.pk, is_active=True)
    return people.filter(is_personalised=True).values_list("pk", flat=True).first() is not None


def _check(events: Sequence[NewEvent], *, viewer: User | AnonymousUser, now: datetime) -> None:
    courses = _known_courses({event.course for event in events if event.course}, viewer)
    sessions = _known_sessions(
        {event.live_session for event in events if event.live_session}, viewer
    )
    studied = {e.course for e in events if e.course and e.kind == EventKind.LESSON_PROGRESS}
    learned = _learned_courses(studied, viewer)
    for index, event in enumerate(events):
        if not now - OLDEST <= event.occurred_at <= now + AHEAD:
            raise BadEvent(
                index,
                "occurred_at",
                "time_not_allowed",
                _("the time must lie from %(first)s to %(last)s.")
                % {
                    "first": (now - OLDEST).isoformat(timespec="seconds"),
                    "last": (now + AHEAD).isoformat(timespec="seconds"),
                },
            )
        if event.course is not None and event.course not in courses:
            raise BadEvent(index, "course", "unknown_course", _("there is no such course."))
        if event.live_session is not None and event.live_session not in sessions:
            raise BadEvent(
                index, "live_session", "unknown_session", _("there is no such live session.")
            )
        _check_meaning(index, event)
        if event.kind == EventKind.LESSON_PROGRESS and event.course not in learned:
            # What is learned counts it as a course taken: it would leave the person's
            # recommendations, and weigh like a purchase in everybody else's.
            raise BadEvent(
                index, "course", "not_enrolled", _("only learners of the course make progress.")
            )
        if event.kind in ON_AIR_KINDS and event.live_session is not None:
            _check_on_air(index, event, sessions[event.live_session], now)


def _check_on_air(index: int, event: NewEvent, session: LiveSession, now: datetime) -> None:
    """Watching and chatting need a broadcast: else the figures of a session could be made up."""
    start, end = session.started_at, session.ended_at
    is_open = session.status == SessionStatus.LIVE or (
        session.status == SessionStatus.REPLAY and event.kind == EventKind.WATCH
    )
    if (
        start is None
        or event.occurred_at < start - AHEAD
        or (not is_open and end is not None and event.occurred_at > end + AHEAD)
    ):
        raise BadEvent(
            index,
            "live_session",
            "not_on_air",
            _("the live session was not on air at that time."),
        )
    most = int((now - start + AHEAD).total_seconds())
    if event.value is not None and event.value > most:
        raise BadEvent(
            index,
            "value",
            "value_not_allowed",
            _("the value of “%(kind)s” must be above 0 and at most %(most)d.")
            % {"kind": event.kind.api_name, "most": most},
        )


def _check_meaning(index: int, event: NewEvent) -> None:
    kind = event.kind.api_name
    if event.kind not in CLIENT_KINDS:
        raise BadEvent(
            index,
            "kind",
            "kind_not_allowed",
            _("“%(kind)s” is for the server to say; allowed are %(allowed)s.")
            % {"kind": kind, "allowed": ", ".join(one.api_name for one in CLIENT_KINDS)},
        )
    if event.kind == EventKind.LESSON_PROGRESS and event.course is None:
        raise BadEvent(
            index, "course", "required", _("“%(kind)s” needs a course.") % {"kind": kind}
        )
    if event.kind == EventKind.CHAT and event.live_session is None:
        raise BadEvent(
            index,
            "live_session",
            "required",
            _("“%(kind)s” needs a live session.") % {"kind": kind},
        )
    if event.course is None and event.live_session is None:
        raise BadEvent(index, "course", "required", _("a course or a live session is needed."))
    _check_value(index, event)


def _check_value(index: int, event: NewEvent) -> None:
    kind, most = event.kind.api_name, LARGEST_VALUE.get(event.kind)
    if most is None:
        if event.value is not None:
            raise BadEvent(
                index, "value", "no_value", _("“%(kind)s” has no value.") % {"kind": kind}
            )
        return
    if event.value is None and event.kind == EventKind.LIKE:
        return
    if event.value is None or not 0 < event.value <= most:
        raise BadEvent(
            index,
            "value",
            "value_not_allowed",
            _("the value of “%(kind)s” must be above 0 and at most %(most)d.")
            % {"kind": kind, "most": most},
        )


def _known_courses(wanted: set[int], viewer: Any) -> set[int]:
    """Those that the viewer may see, or could before they were taken off sale."""
    if not wanted:
        return set()
    could_see = Q(pk__in=Course.objects.visible_to(viewer).filter(pk__in=wanted).values("pk"))
    found = Course.objects.filter(pk__in=wanted).filter(could_see | Q(status=CourseStatus.ARCHIVED))
    return set(found.values_list("pk", flat=True))


def _known_sessions(wanted: set[int], viewer: Any) -> dict[int, LiveSession]:
    if not wanted:
        return {}
    found = LiveSession.objects.visible_to(viewer).filter(pk__in=wanted)
    return {one.pk: one for one in found.only("status", "started_at", "ended_at")}


def _learned_courses(wanted: set[int], viewer: Any) -> set[int]:
    if not wanted or not viewer.is_authenticated:
        return set()
    found = Enrollment.objects.active().filter(user=viewer, course__in=wanted)
    return set(found.values_list("course_id", flat=True))
