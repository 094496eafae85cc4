"""When a draft of a live session is announced, and when it may be taken back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from streams.models import LiveSession, SessionStatus

# What a seller still decides about; what runs or ran is moved by the live room alone.
PLANNED = (SessionStatus.DRAFT, SessionStatus.SCHEDULED)


class NotPlannable(Exception):
    """The session cannot be announced or taken back; the base of the reasons."""

    def __init__(self, session: LiveSession) -> None:
        super().__init__(str(session))
        self.session = session


class NoTimeSet(NotPlannable):
    """It has no beginning, or one that has passed."""


class NothingToShow(NotPlannable):
    """Its showcase holds no course that is on sale."""


class SomebodyWaits(NotPlannable):
    """Viewers asked to be reminded of it."""


@transaction.atomic
def announce_sessions(sessions: Iterable[LiveSession], *, moment: datetime) -> int:
    """Turn drafts into scheduled sessions and return how many were drafts.

    All or none: raises NoTimeSet or NothingToShow for the first that is not ready.
    """
    n_announced = 0
    for session in _in_lock_order(sessions, SessionStatus.DRAFT):
        if session.scheduled_at is None or session.scheduled_at <= moment:
            raise NoTimeSet(session)
        if not session.showcase.filter(course__status="published").exists():
            raise NothingToShow(session)
        n_announced += _move(session, SessionStatus.DRAFT, SessionStatus.SCHEDULED)
    return n_announced


@transaction.atomic
def take_back_sessions(sessions: Iterable[LiveSession]) -> int:
    """Turn scheduled sessions into drafts again and return how many were scheduled.

    All or none: raises SomebodyWaits for the first that a viewer wants to be reminded of.
    """
    n_taken_back = 0
    for session in _in_lock_order(sessions, SessionStatus.SCHEDULED):
        if session.reminders.exists():
            raise SomebodyWaits(session)
        n_taken_back += _move(session, SessionStatus.SCHEDULED, SessionStatus.DRAFT)
    return n_taken_back


def _in_lock_order(sessions: Iterable[LiveSession], status: SessionStatus) -> list[LiveSession]:
    """The sessions that are in the status now, locked by primary key."""
    keys = [session.pk for session in sessions]
    rows = LiveSession.objects.select_for_update().filter(pk__in=keys, status=status)
    return list(rows.order_by("pk"))


def _move(session: LiveSession, before: SessionStatus, after: SessionStatus) -> int:
    # The row decides, not what was read: on SQLite, FOR UPDATE locks nothing.
    return LiveSession.objects.filter(pk=session.pk, status=before).update(status=after)
