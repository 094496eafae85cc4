"""The showcase of a live session: which courses it holds, in which order, and which is pinned.

The room is locked before its session, as everywhere: whoever writes a chat message locks the room
and shares the session's row after it. So two desks of one session act one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import DateTimeField, Value
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _

from accounts.transactions import in_one_transaction
from catalog.models import Course
from streams.models import LiveSession, PinnedSpan, SessionStatus, ShowcaseItem
from streams.room_changes import touch_room

# Before the start, what is pinned is what the session begins with; afterwards nothing is.
PINNABLE = (SessionStatus.DRAFT, SessionStatus.SCHEDULED, SessionStatus.LIVE)
# Every viewer's page gets the whole showcase whenever one thing in it changes.
MOST_SHOWN = 60


class ShowcaseRefused(Exception):
    """The showcase cannot be changed so; the base of the reasons, whose words are for people."""


class NotInShowcase(ShowcaseRefused):
    """Only what is shown can be pinned, and only while it is on sale."""

    def __init__(self) -> None:
        super().__init__(_("This course is not in the showcase any more, or not on sale."))


class NotYoursToShow(ShowcaseRefused):
    """A session shows courses of its own seller that are on sale."""

    def __init__(self) -> None:
        super().__init__(_("Only courses of this session's seller that are on sale can be shown."))


class NothingPinnedAfterwards(ShowcaseRefused):
    """The session is over."""

    def __init__(self) -> None:
        super().__init__(_("This session is over: nothing can be pinned any more."))


class ShowcaseFull(ShowcaseRefused):
    def __init__(self) -> None:
        text = _("The showcase is full: it holds at most %(n)d courses.")
        super().__init__(text % {"n": MOST_SHOWN})


@in_one_transaction
def pin_course(session_id: int, course_id: int, *, moment: datetime) -> None:
    """Pin a course of the showcase instead of the one that is; pinned already, it stays so.

    While live, the time of the one before ends at the moment at which this one's begins. Raises
    NotInShowcase and NothingPinnedAfterwards.
    """
    touch_room(session_id)
    item = ShowcaseItem.objects.filter(
        live_session=session_id, course=course_id, course__status="published"
    ).first()
    if item is None:
        raise NotInShowcase
    if _pin(session_id, item.pk):
        end_pinned_span(session_id, moment=moment)
        begin_pinned_span(session_id, moment=moment)


@in_one_transaction
def unpin_course(session_id: int, *, moment: datetime) -> None:
    """Pin nothing; done again, it changes nothing."""
    touch_room(session_id)
    LiveSession.objects.filter(pk=session_id, pinned__isnull=False).update(pinned=None)
    end_pinned_span(session_id, moment=moment)


@in_one_transaction
def reorder_showcase(session_id: int, course_ids: Sequence[int]) -> None:
    """Put the courses in this order.

    What another desk has added meanwhile follows in its own order, what it has removed is passed
    over: an order that was dragged is never lost for that.
    """
    touch_room(session_id)
    items = {item.course_id: item for item in _items_of(session_id)}
    wanted = [items.pop(key) for key in dict.fromkeys(course_ids) if key in items]
    moved = []
    for position, item in enumerate([*wanted, *items.values()]):
        if item.position != position:
            item.position = position
            moved.append(item)
    ShowcaseItem.objects.bulk_update(moved, ["position"])


@in_one_transaction
def add_to_showcase(session_id: int, course_id: int) -> None:
    """Show a course as the last one; shown already, it stays where it is.

    Raises NotYoursToShow and ShowcaseFull.
    """
    touch_room(session_id)
    seller = LiveSession.objects.values_list("seller", flat=True).get(pk=session_id)
    course = Course.objects.published().filter(pk=course_id, seller=seller).first()
    if course is None:
        raise NotYoursToShow
    shown = _items_of(session_id)
    if any(item.course_id == course.pk for item in shown):
        return
    if len(shown) >= MOST_SHOWN:
        raise ShowcaseFull
    last = max((item.position for item in shown), default=-1)
    ShowcaseItem.objects.create(live_session_id=session_id, course=course, position=last + 1)


@in_one_transaction
def remove_from_showcase(session_id: int, course_id: int, *, moment: datetime) -> None:
    """Show the course no more, nor pin it; gone already, nothing changes."""
    touch_room(session_id)
    item = ShowcaseItem.objects.filter(live_session=session_id, course=course_id).first()
    if item is None:
        return
    if LiveSession.objects.filter(pk=session_id, pinned=item).update(pinned=None):
        end_pinned_span(session_id, moment=moment)
    item.delete()


def begin_pinned_span(session_id: int, *, moment: datetime) -> None:
    """Note from when on the pinned course is seen: at its pinning, and when the session starts."""
    session = LiveSession.objects.select_related("pinned").get(pk=session_id)
    if session.is_live and session.pinned is not None:
        PinnedSpan.objects.create(
            live_session_id=session_id, course_id=session.pinned.course_id, pinned_at=moment
        )


def end_pinned_span(session_id: int, *, moment: datetime) -> None:
    """Note until when the pinned course was seen; no earlier than from when on."""
    at = Value(moment, output_field=DateTimeField())
    PinnedSpan.objects.filter(live_session=session_id, unpinned_at__isnull=True).update(
        unpinned_at=Greatest("pinned_at", at)
    )


def _pin(session_id: int, item_id: int) -> bool:
    """Whether the item is newly pinned. Raises NothingPinnedAfterwards."""
    session = LiveSession.objects.filter(pk=session_id, status__in=PINNABLE)
    if session.filter(pinned=item_id).exists():
        return False
    # The status may have changed since: the row decides.
    if not session.update(pinned=item_id):
        raise NothingPinnedAfterwards
    return True


def _items_of(session_id: int) -> list[ShowcaseItem]:
    return list(ShowcaseItem.objects.filter(live_session=session_id))
