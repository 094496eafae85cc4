"""Who may take part in what a live room offers: polls and lucky draws."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from accounts.models import User
from streams.models import LiveSession
from streams.restrictions import is_banned


class CannotTakePart(Exception):
    """The base of the reasons why somebody cannot take part."""


class NotLive(CannotTakePart):
    """The session is not on air."""

    def __init__(self) -> None:
        super().__init__(_("This can be done only while the session is live."))


class Banned(CannotTakePart):
    """The person may not enter the room."""

    def __init__(self) -> None:
        super().__init__(_("You may not take part in this live session."))


def ensure_may_take_part(*, viewer: User, session: LiveSession, moment: datetime) -> None:
    """Raise NotLive or Banned. Whoever may only not write takes part all the same."""
    if not session.is_live:
        raise NotLive
    if is_banned(viewer, session, moment=moment):
        raise Banned
