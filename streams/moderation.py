"""Keeping order in a live room: hiding, muting, banning, the rules of its chat, its moderators.

Every act is one transaction: the rows it changes, a line of the audit trail, and the count of the
room's changes, by which every process that holds the room sees it within a second. The room is
counted up first, which locks it: acts and messages of one room follow each other.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import rules
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import Role, User
from accounts.transactions import in_one_transaction
from streams.models import (
    ActKind,
    ChatMessage,
    ChatRules,
    LiveSession,
    ModerationAct,
    Moderator,
    Restriction,
    RestrictionKind,
    SessionStatus,
)
from streams.restrictions import imposed, in_force, is_banned, restrictions_in
from streams.room_changes import touch_room

if TYPE_CHECKING:
    from accounts.rules import Person

LONGEST_NOTE = 300
# A week; who is to stay away longer is restricted without an end.
MOST_MINUTES = 7 * 24 * 60
# What of the rules can be changed, in the order in which the audit trail tells it.
RULE_FIELDS = (
    "is_open",
    "burst",
    "burst_seconds",
    "pause_seconds",
    "slow_seconds",
    "longest",
    "allows_links",
    "blocked_words",
)


class ModerationError(Exception):
    """An act of moderation that is refused; the base of the reasons."""


class MayNotModerate(ModerationError):
    """The person does not keep order here, or not to this extent."""

    def __init__(self) -> None:
        super().__init__(_("You may not do this in this live session."))


class OutOfReach(ModerationError):
    """Nobody acts on the seller, operators or themselves, nor moderators on each other."""

    def __init__(self) -> None:
        super().__init__(_("This person can be neither muted nor banned by you."))


class NotSuited(ModerationError):
    """The person keeps order here already, or may not enter."""

    def __init__(self) -> None:
        super().__init__(_("This person cannot be made a moderator here."))


def leads(person: Person, session: LiveSession) -> bool:
    """Whether the session is the person's: its seller, and every operator."""
    return rules.has_perm("streams.change_livesession", person, session)


def may_moderate(person: Person, session: LiveSession) -> bool:
    """Whether the person keeps order in the session: who leads it, and its moderators."""
    return rules.has_perm("streams.moderate_livesession", person, session)


def restrictions_of(session: LiveSession, *, moment: datetime) -> dict[int, Restriction]:
    """What holds for each restricted person in the session, by their id; pauses included."""
    return restrictions_in(session, moment=moment)


@in_one_transaction
def hide_message(*, message: ChatMessage, by: User, moment: datetime) -> bool:
    """Take the message out of sight; returns whether it was in sight.

    Raises MayNotModerate, and OutOfReach for a moderator and a message of who leads the session.
    """
    session = message.live_session
    _check_reach_of_message(session, by, message.author)
    touch_room(session.pk)
    shown = ChatMessage.objects.filter(pk=message.pk, hidden_at__isnull=True)
    if not shown.update(hidden_at=moment, hidden_by=by):
        return False
    _note(session, ActKind.HIDE, by, message.author, moment, message=message)
    return True


@in_one_transaction
def show_message(*, message: ChatMessage, by: User, moment: datetime) -> bool:
    """Bring a hidden message back; returns whether it was hidden. Raises as hide_message."""
    session = message.live_session
    _check_reach_of_message(session, by, message.author)
    touch_room(session.pk)
    hidden = ChatMessage.objects.filter(pk=message.pk, hidden_at__isnull=False)
    if not hidden.update(hidden_at=None, hidden_by=None):
        return False
    _note(session, ActKind.SHOW, by, message.author, moment, message=message)
    return True


def mute(
    *,
    session: LiveSession,
    person: User,
    by: User,
    moment: datetime,
    minutes: int | None = None,
    everywhere: bool = False,
    reason: str = "",
) -> Restriction:
    """Let the person read but not write; it takes the place of an earlier mute of that extent.

    For so many minutes, else for good; in this session, or `everywhere`: in all of its seller's.
    Raises MayNotModerate (moderators act in their session alone) or OutOfReach.
    """
    return _restrict(RestrictionKind.MUTE, session, person, by, moment, minutes, everywhere, reason)


def ban(
    *,
    session: LiveSession,
    person: User,
    by: User,
    moment: datetime,
    minutes: int | None = None,
    everywhere: bool = False,
    reason: str = "",
) -> Restriction:
    """Keep the person out of the room, as `mute` keeps them from writing.

    A moderator who is banned is a moderator there no longer.
    """
    return _restrict(RestrictionKind.BAN, session, person, by, moment, minutes, everywhere, reason)


@in_one_transaction
def _restrict(
    kind: RestrictionKind,
    session: LiveSession,
    person: User,
    by: User,
    moment: datetime,
    minutes: int | None,
    everywhere: bool,
    reason: str,
) -> Restriction:
    _check_reach(session, by, person, is_everywhere=everywhere)
    where = None if everywhere else session
    _touch_rooms(session, where)
    same = imposed(in_force(moment)).filter(
        seller=session.seller_id, live_session=where, user=person, kind=kind
    )
    same.update(lifted_at=moment)
    restriction = Restriction.objects.create(
        seller_id=session.seller_id,
        live_session=where,
        user=person,
        kind=kind,
        reason=reason,
        imposed_by=by,
        imposed_at=moment,
        until=moment + timedelta(minutes=minutes) if minutes else None,
    )
    act = ActKind.BAN if kind == RestrictionKind.BAN else ActKind.MUTE
    extent = [f"{minutes} min" if minutes else "", "all sessions" if everywhere else "", reason]
    _note(session, act, by, person, moment, "; ".join(part for part in extent if part))
    if kind == RestrictionKind.BAN:
        roles = Moderator.objects.filter(user=person, live_session__seller=session.seller_id)
        if where is not None:
            roles = roles.filter(live_session=where)
        for role in roles.select_related("live_session"):
            role.delete()
            _note(role.live_session, ActKind.DROP_MODERATOR, by, person, moment)
    return restriction


@in_one_transaction
def lift(*, restriction: Restriction, by: User, moment: datetime) -> bool:
    """End a mute or ban before its time; returns whether it held.

    Raises MayNotModerate, and OutOfReach for one's own.
    """
    session = _session_of(restriction)
    _check_reach(session, by, restriction.user, is_everywhere=restriction.live_session_id is None)
    _touch_rooms(session, restriction.live_session)
    if not in_force(moment).filter(pk=restriction.pk).update(lifted_at=moment):
        return False
    _note(session, ActKind.LIFT, by, restriction.user, moment, str(restriction.kind))
    return True


@in_one_transaction
def lift_in_session(*, session: LiveSession, person: User, by: User, moment: datetime) -> int:
    """End what holds for the person in the session, as far as `by` may; returns how many did."""
    _check_reach(session, by, person)
    held = imposed(in_force(moment)).filter(seller=session.seller_id, user=person)
    reach = Q(live_session=session)
    if leads(by, session):
        reach |= Q(live_session__isnull=True)
    return sum(
        lift(restriction=one, by=by, moment=moment)
        for one in held.filter(reach).select_related("user", "live_session")
    )


def is_suited(person: User, session: LiveSession, *, moment: datetime) -> bool:
    """Whether the person could keep order in the session: not who leads it, is banned or gone."""
    if not person.is_active or leads(person, session):
        return False
    return not is_banned(person, session, moment=moment)


@in_one_transaction
def add_moderator(*, session: LiveSession, person: User, by: User, moment: datetime) -> Moderator:
    """Let the person keep order in the session; asked twice, they do.

    Raises MayNotModerate, or NotSuited (is_suited).
    """
    if not leads(by, session):
        raise MayNotModerate
    touch_room(session.pk)
    if not is_suited(person, session, moment=moment):
        raise NotSuited
    moderator, is_new = Moderator.objects.get_or_create(
        live_session=session, user=person, defaults={"added_by": by, "added_at": moment}
    )
    if is_new:
        _note(session, ActKind.ADD_MODERATOR, by, person, moment)
    return moderator


@in_one_transaction
def drop_moderator(*, moderator: Moderator, by: User, moment: datetime) -> bool:
    """Take the role away; returns whether it was there. Moderators may lay down their own."""
    session = moderator.live_session
    if not leads(by, session) and by.pk != moderator.user_id:
        raise MayNotModerate
    touch_room(session.pk)
    n_deleted, _by_model = Moderator.objects.filter(pk=moderator.pk).delete()
    if n_deleted:
        _note(session, ActKind.DROP_MODERATOR, by, moderator.user, moment)
    return bool(n_deleted)


@in_one_transaction
def change_rules(
    *, session: LiveSession, by: User, moment: datetime, changes: dict[str, Any]
) -> ChatRules:
    """Set the named rules (RULE_FIELDS) and return all of them.

    Raises MayNotModerate, TypeError for an unknown name, ValidationError for a value out of bounds.
    """
    if unknown := set(changes) - set(RULE_FIELDS):
        raise TypeError(f"unknown rule {sorted(unknown)[0]!r}")
    if not leads(by, session):
        raise MayNotModerate
    touch_room(session.pk)
    # Read after the room is locked: two who change different rules both get what they want.
    now = ChatRules.objects.filter(pk=session.pk).first() or ChatRules(live_session=session)
    told = [
        _told(name, getattr(now, name), changes[name])
        for name in RULE_FIELDS
        if name in changes and changes[name] != getattr(now, name)
    ]
    if not told:
        return now
    for name, value in changes.items():
        setattr(now, name, value)
    now.full_clean()
    now.save()
    _note(session, ActKind.RULES, by, None, moment, "; ".join(told))
    return now


def _told(name: str, before: object, after: object) -> str:
    # The words themselves stand in the history of the rules.
    if name == "blocked_words":
        return f"{name}: {len(str(before).split())} → {len(str(after).split())}"
    return f"{name}: {before} → {after}"


def _check_reach(
    session: LiveSession, by: User, person: User, *, is_everywhere: bool = False
) -> None:
    """Raise unless `by` may act on the person, here or in all sessions of the seller."""
    is_leading = leads(by, session)
    if not may_moderate(by, session) or (is_everywhere and not is_leading):
        raise MayNotModerate
    if person.pk == session.seller_id or person.role == Role.OPERATOR:
        raise OutOfReach
    if not is_leading and may_moderate(person, session):
        raise OutOfReach


def _check_reach_of_message(session: LiveSession, by: User, author: User) -> None:
    """Raise unless `by` may hide what the author wrote: who leads may hide all of it."""
    if not leads(by, session) and by.pk != author.pk:
        _check_reach(session, by, author)
    elif not may_moderate(by, session):
        raise MayNotModerate


def _touch_rooms(session: LiveSession, where: LiveSession | None) -> None:
    """Count up the session's room, and with no `where` all live rooms of its seller, in order."""
    rooms = {session.pk}
    if where is None:
        live = LiveSession.objects.filter(seller=session.seller_id, status=SessionStatus.LIVE)
        rooms.update(live.values_list("pk", flat=True))
    for pk in sorted(rooms):
        touch_room(pk)


def _session_of(restriction: Restriction) -> LiveSession:
    """Where the restriction was imposed; one that holds everywhere was imposed somewhere."""
    if restriction.live_session is not None:
        return restriction.live_session
    sessions = LiveSession.objects.filter(seller=restriction.seller_id)
    acts = ModerationAct.objects.filter(
        subject=restriction.user_id,
        kind__in=[ActKind.MUTE, ActKind.BAN],
        live_session__seller=restriction.seller_id,
        done_at=restriction.imposed_at,
    )
    found = sessions.filter(pk__in=acts.values("live_session")).first()
    return found or sessions.order_by("-pk")[0]


def _note(
    session: LiveSession,
    kind: ActKind,
    by: User,
    subject: User | None,
    moment: datetime,
    note: str = "",
    *,
    message: ChatMessage | None = None,
) -> None:
    ModerationAct.objects.create(
        live_session=session,
        kind=kind,
        actor=by,
        subject=subject,
        message=message,
        note=note[:LONGEST_NOTE],
        done_at=moment,
    )
