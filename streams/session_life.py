"""The life of a live session: which change of its status is allowed, who made it, and when.

    draft <-> scheduled -> live -> ended <-> replay, and draft -> live for a spontaneous session

Everything else is refused. One conditional update decides who made a change; its record stands in
the same transaction, and the open rooms are told by it.

The room is locked before its session: whoever writes a chat message locks the room as well, and
shares the session's row after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import DateTimeField, Value
from django.db.models.functions import Greatest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from accounts.models import User
from accounts.transactions import in_one_transaction
from streams.models import ChangeCause, LiveSession, SessionChange, SessionStatus
from streams.room_changes import touch_room
from streams.showcase import begin_pinned_span, end_pinned_span

# What a seller still decides about freely; what runs or ran is moved by the functions below alone.
PLANNED = (SessionStatus.DRAFT, SessionStatus.SCHEDULED)

# From which statuses a session may come into each.
ALLOWED_FROM: dict[SessionStatus, tuple[SessionStatus, ...]] = {
    SessionStatus.DRAFT: (SessionStatus.SCHEDULED,),
    SessionStatus.SCHEDULED: (SessionStatus.DRAFT,),
    # A seller may go live without having announced it, and choose on air what to show.
    SessionStatus.LIVE: PLANNED,
    SessionStatus.ENDED: (SessionStatus.LIVE, SessionStatus.REPLAY),
    SessionStatus.REPLAY: (SessionStatus.ENDED,),
}


class ChangeNotAllowed(Exception):
    """The session cannot take that change now; its words say why, and are for people."""

    reason: Promise = gettext_lazy("“%(title)s” cannot be changed so: it is %(status)s.")

    def __init__(self, session: LiveSession) -> None:
        status = session.get_status_display()
        super().__init__(str(self.reason) % {"title": session.title, "status": status})
        self.session = session


class CannotStart(ChangeNotAllowed):
    """It is on air already, or was."""

    reason = gettext_lazy("“%(title)s” cannot go live: it is %(status)s.")


class CannotEnd(ChangeNotAllowed):
    """It is not on air."""

    reason = gettext_lazy("“%(title)s” cannot be ended: it is %(status)s.")


class CannotBeReplayed(ChangeNotAllowed):
    """It is not over."""

    reason = gettext_lazy("“%(title)s” cannot have a replay now: it is %(status)s.")


class NoReplay(ChangeNotAllowed):
    """It has no replay to take away."""

    reason = gettext_lazy("“%(title)s” has no replay to take away: it is %(status)s.")


class NoTimeSet(ChangeNotAllowed):
    """It has no beginning, or one that has passed."""

    reason = gettext_lazy("“%(title)s” needs a beginning that lies ahead.")


class NothingToShow(ChangeNotAllowed):
    """Its showcase holds no course that is on sale."""

    reason = gettext_lazy("“%(title)s” needs a course on sale in its showcase.")


class SomebodyWaits(ChangeNotAllowed):
    """Viewers asked to be reminded of it."""

    reason = gettext_lazy("Viewers wait for “%(title)s”; it cannot be taken back.")


@in_one_transaction
def announce_sessions(sessions: Iterable[LiveSession], *, by: User | None, moment: datetime) -> int:
    """Turn drafts into scheduled sessions and return how many were drafts.

    All or none: raises NoTimeSet or NothingToShow for the first that is not ready.
    """
    n_announced = 0
    for session in _in_lock_order(sessions, SessionStatus.DRAFT):
        if session.scheduled_at is None or session.scheduled_at <= moment:
            raise NoTimeSet(session)
        if not session.showcase.filter(course__status="published").exists():
            raise NothingToShow(session)
        made = _move(
            session, SessionStatus.SCHEDULED, by=by, cause=ChangeCause.SELLER, moment=moment
        )
        n_announced += made is not None
    return n_announced


@in_one_transaction
def take_back_sessions(
    sessions: Iterable[LiveSession], *, by: User | None, moment: datetime
) -> int:
    """Turn scheduled sessions into drafts again and return how many were scheduled.

    All or none: raises SomebodyWaits for the first that a viewer wants to be reminded of.
    """
    n_taken_back = 0
    for session in _in_lock_order(sessions, SessionStatus.SCHEDULED):
        if session.reminders.exists():
            raise SomebodyWaits(session)
        made = _move(session, SessionStatus.DRAFT, by=by, cause=ChangeCause.SELLER, moment=moment)
        n_taken_back += made is not None
    return n_taken_back


@in_one_transaction
def start_session(
    session_id: int, *, by: User | None, cause: ChangeCause, moment: datetime
) -> SessionChange:
    """Go on air, from a draft or a scheduled session. Raises CannotStart.

    What was pinned before is seen from now on.
    """
    change = _change(
        session_id,
        SessionStatus.LIVE,
        refusal=CannotStart,
        by=by,
        cause=cause,
        moment=moment,
        started_at=moment,
    )
    begin_pinned_span(session_id, moment=moment)
    return change


@in_one_transaction
def end_session(
    session_id: int, *, by: User | None, cause: ChangeCause, moment: datetime
) -> SessionChange:
    """Go off air for good, with nothing pinned any more. Raises CannotEnd.

    It ends no earlier than it began, whatever the clocks of two machines say.
    """
    at = Value(moment, output_field=DateTimeField())
    change = _change(
        session_id,
        SessionStatus.ENDED,
        before=SessionStatus.LIVE,
        refusal=CannotEnd,
        by=by,
        cause=cause,
        moment=moment,
        ended_at=Greatest("started_at", at),
        pinned=None,
    )
    end_pinned_span(session_id, moment=moment)
    return change


@in_one_transaction
def publish_replay(
    session_id: int, *, by: User | None, cause: ChangeCause, moment: datetime
) -> SessionChange:
    """Let viewers watch a session that is over. Raises CannotBeReplayed."""
    return _change(
        session_id,
        SessionStatus.REPLAY,
        refusal=CannotBeReplayed,
        by=by,
        cause=cause,
        moment=moment,
    )


@in_one_transaction
def withdraw_replay(
    session_id: int, *, by: User | None, cause: ChangeCause, moment: datetime
) -> SessionChange:
    """Let nobody watch it any more; what was recorded stays. Raises NoReplay."""
    return _change(
        session_id,
        SessionStatus.ENDED,
        before=SessionStatus.REPLAY,
        refusal=NoReplay,
        by=by,
        cause=cause,
        moment=moment,
    )


def _in_lock_order(sessions: Iterable[LiveSession], status: SessionStatus) -> list[LiveSession]:
    """The sessions that are in the status now, locked by primary key after their rooms."""
    rows = LiveSession.objects.filter(pk__in=[session.pk for session in sessions], status=status)
    keys = list(rows.order_by("pk").values_list("pk", flat=True))
    for key in keys:
        touch_room(key)
    return list(rows.filter(pk__in=keys).select_for_update().order_by("pk"))


def _change(
    session_id: int,
    after: SessionStatus,
    *,
    refusal: type[ChangeNotAllowed],
    before: SessionStatus | None = None,
    by: User | None,
    cause: ChangeCause,
    moment: datetime,
    **fields: Any,
) -> SessionChange:
    """Move one session, from `before` if there is a choice. Raises the refusal, or DoesNotExist."""
    rows = LiveSession.objects.filter(pk=session_id)
    # One that does not exist has no room either.
    rows.only("pk").get()
    touch_room(session_id)
    session = rows.select_for_update().get()
    allowed = ALLOWED_FROM[after] if before is None else (before,)
    if session.status not in allowed:
        raise refusal(session)
    change = _move(session, after, by=by, cause=cause, moment=moment, **fields)
    if change is None:
        raise refusal(rows.get())
    return change


def _move(
    session: LiveSession,
    after: SessionStatus,
    *,
    by: User | None,
    cause: ChangeCause,
    moment: datetime,
    **fields: Any,
) -> SessionChange | None:
    """Write the change and its record; None when somebody else was faster."""
    # The row decides, not what was read: on SQLite, FOR UPDATE locks nothing.
    rows = LiveSession.objects.filter(pk=session.pk, status=session.status)
    if not rows.update(status=after, **fields):
        return None
    return SessionChange.objects.create(
        live_session=session,
        before=session.status,
        after=after,
        cause=cause,
        changed_by=by,
        changed_at=moment,
    )
