"""Who may not write in, or not enter, a live room."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import F, Q, QuerySet

from accounts.models import User
from streams.models import LiveSession, Restriction, RestrictionKind


def in_force(moment: datetime) -> QuerySet[Restriction]:
    """Restrictions that are neither lifted nor over, pauses included."""
    return Restriction.objects.filter(
        Q(until__isnull=True) | Q(until__gt=moment), lifted_at__isnull=True
    )


def imposed(restrictions: QuerySet[Restriction]) -> QuerySet[Restriction]:
    """Without the pauses of those who wrote too fast, which nobody imposed on them."""
    return restrictions.exclude(imposed_by=F("user"))


def is_pause(restriction: Restriction) -> bool:
    """Whether it is the pause of somebody who wrote too fast (streams/chat.py)."""
    return restriction.imposed_by_id == restriction.user_id


def holding_in(session: LiveSession, *, moment: datetime) -> QuerySet[Restriction]:
    """Those that hold in the session: its own, and those in all sessions of its seller."""
    return in_force(moment).filter(
        Q(live_session=session) | Q(live_session__isnull=True), seller=session.seller_id
    )


def is_banned(user: User, session: LiveSession, *, moment: datetime) -> bool:
    """Whether the person may not enter the session now."""
    bans = holding_in(session, moment=moment).filter(user=user, kind=RestrictionKind.BAN)
    return bans.exists()


def restrictions_in(
    session: LiveSession, user_ids: Iterable[int] | None = None, *, moment: datetime
) -> dict[int, Restriction]:
    """What holds for each person in the session: of several, the one that weighs most.

    A ban weighs more than a mute, a mute more than a pause, a later end more than an earlier one.
    """
    rows = holding_in(session, moment=moment)
    if user_ids is not None:
        rows = rows.filter(user__in=user_ids)
    found: dict[int, Restriction] = {}
    for row in sorted(rows, key=_weight):
        found[row.user_id] = row
    return found


def _weight(restriction: Restriction) -> tuple[bool, bool, bool, float]:
    until = restriction.until
    return (
        restriction.kind == RestrictionKind.BAN,
        not is_pause(restriction),
        until is None,
        until.timestamp() if until else 0.0,
    )
