"""A viewer's wish to be told when a session is about to begin."""

from __future__ import annotations

from django.utils.translation import gettext as _

from accounts.models import User
from streams.models import LiveSession, Reminder, SessionStatus


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
