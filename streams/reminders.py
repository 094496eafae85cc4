"""A viewer's wish to be told when a session is about to begin, and the letter that tells it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.outbox import WrittenLetter, put_letter
from accounts.transactions import in_one_transaction
from streams.models import LiveSession, Reminder, SessionStatus
from streams.schedule import LATE_SHOWN_FOR, is_overdue

REMINDER_LETTER = "reminder"

# Whoever was told of a beginning that was then put off by more than this is told again.
PUT_OFF_BY = timedelta(hours=1)
# Promised in one transaction: few enough that another worker does not wait long for their rows.
AT_ONCE = 100


class NotScheduled(Exception):
    """Only a session that is yet to begin can be awaited."""

    def __init__(self) -> None:
        super().__init__(_("Reminders are for sessions that have not begun."))


def ask_for_reminder(*, viewer: User, session: LiveSession) -> Reminder:
    """Note the wish; asked twice, it is noted once. Raises NotScheduled."""
    if session.status != SessionStatus.SCHEDULED:
        raise NotScheduled
    reminder, _is_new = Reminder.objects.get_or_create(live_session=session, user=viewer)
    return reminder


def drop_reminder(*, viewer: User, session: LiveSession) -> None:
    """Forget the wish, if there is one."""
    Reminder.objects.filter(live_session=session, user=viewer).delete()


def send_due_reminders(*, moment: datetime) -> int:
    """Promise a letter to everybody whose session begins soon or has begun; returns how many.

    Due from REMINDER_MINUTES before the beginning, or as soon as the session is live. What the
    clock missed is caught up on while there is still something to tell: the session is live, or
    not so late that the pages no longer announce it.
    """
    begins_soon = Q(
        status=SessionStatus.SCHEDULED,
        scheduled_at__gte=moment - LATE_SHOWN_FOR,
        scheduled_at__lte=moment + _lead(),
    )
    sessions = LiveSession.objects.filter(begins_soon | Q(status=SessionStatus.LIVE))
    return sum(_tell_all(session, moment=moment) for session in sessions.order_by("pk"))


def write_reminder(session_id: int) -> WrittenLetter | None:
    """What begins and when, as it stands now; None when there is nothing to come to."""
    moment = timezone.now()
    session = LiveSession.objects.select_related("seller").filter(pk=session_id).first()
    if session is None or not _is_worth_telling(session, moment=moment):
        return None
    subject = _("On air now: %(title)s") if session.is_live else _("Soon live: %(title)s")
    page = reverse("streams:session_detail", args=[session.pk])
    context = {
        "session": session,
        "is_late": is_overdue(session, moment=moment),
        "session_url": f"{settings.SITE_URL}{page}?from=reminder",
    }
    return WrittenLetter(
        subject=subject % {"title": session.title},
        text=render_to_string("streams/letters/reminder.txt", context),
        html=render_to_string("streams/letters/reminder.html", context),
    )


def _lead() -> timedelta:
    return timedelta(minutes=settings.REMINDER_MINUTES)


def _begins(session: LiveSession) -> datetime:
    """When the session began, or is to begin."""
    begins = session.started_at if session.is_live else session.scheduled_at
    assert begins is not None, "constraints of the table see to it"
    return begins


def _untold(session: LiveSession) -> QuerySet[Reminder]:
    """The wishes that no letter has answered, or only one about an earlier beginning.

    A letter is sent at most REMINDER_MINUTES before the beginning that it tells, so one that was
    sent long before that cannot have told of the beginning that holds now.
    """
    told_before = _begins(session) - _lead() - PUT_OFF_BY
    wishes = Reminder.objects.filter(live_session=session)
    return wishes.filter(Q(sent_at=None) | Q(sent_at__lt=told_before))


def _tell_all(session: LiveSession, *, moment: datetime) -> int:
    wishes = list(_untold(session).order_by("pk"))
    groups = (wishes[first : first + AT_ONCE] for first in range(0, len(wishes), AT_ONCE))
    return sum(_promise_letters(session, group, moment=moment) for group in groups)


@in_one_transaction
def _promise_letters(session: LiveSession, wishes: Sequence[Reminder], *, moment: datetime) -> int:
    """Mark the wishes as answered, and promise the letters that answer them."""
    n_promised = 0
    for wish in wishes:
        # Of two workers, the one whose update finds the row as it was read sends the letter.
        as_read = Reminder.objects.filter(pk=wish.pk, sent_at=wish.sent_at)
        if not as_read.update(sent_at=moment):
            continue
        put_letter(
            kind=REMINDER_LETTER,
            # A wish that was dropped and made again is not told of the same beginning twice.
            key=f"reminder-{session.pk}-{wish.user_id}-{int(_begins(session).timestamp())}",
            recipient_id=wish.user_id,
            subject_id=session.pk,
            moment=moment,
        )
        n_promised += 1
    return n_promised


def _is_worth_telling(session: LiveSession, *, moment: datetime) -> bool:
    if session.is_live:
        return True
    if session.status != SessionStatus.SCHEDULED or session.scheduled_at is None:
        return False
    # Put off after the letter was promised: it is promised again when the time comes.
    is_put_off = session.scheduled_at > moment + _lead() + PUT_OFF_BY
    return not is_put_off and session.scheduled_at >= moment - LATE_SHOWN_FOR
