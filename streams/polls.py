"""Polls: a question to the room, one vote each, counted by the database.

A vote does not touch the room: a thousand of them in a second are one change to show, so the hub
counts an open poll anew twice a second (streams/hub.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict

from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction
from django.db.models import Count
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.transactions import in_one_transaction
from streams.models import LiveSession, Poll, PollOption, PollVote, Room, SessionStatus
from streams.room_changes import room_of, touch_room
from streams.taking_part import NotLive, ensure_may_take_part

FEWEST_OPTIONS = 2
MOST_OPTIONS = 6


class PollRefused(Exception):
    """The base of what may be wrong with a poll or a vote."""


class PollAlreadyOpen(PollRefused):
    """The session has an open poll; it comes to an end before the next one."""

    def __init__(self) -> None:
        super().__init__(_("A poll is open: close it before the next one."))


class NotAPoll(PollRefused):
    """No question, or not between two and six different answers."""

    def __init__(self) -> None:
        super().__init__(_("A poll has a question and two to six different answers."))


class PollClosed(PollRefused):
    """The poll takes no votes any more."""

    def __init__(self) -> None:
        super().__init__(_("This poll is closed."))


class AlreadyVoted(PollRefused):
    """The viewer chose another answer before, and that vote stands."""

    def __init__(self) -> None:
        super().__init__(_("You have voted already; your vote stands."))


class UnknownOption(PollRefused):
    """The poll has no such answer."""

    def __init__(self) -> None:
        super().__init__(_("This poll has no such answer."))


class OptionPart(TypedDict):
    id: int
    text: str
    n_votes: int


class PollPart(TypedDict):
    """What a room shows of a poll."""

    id: int
    question: str
    options: list[OptionPart]
    n_votes: int
    is_open: bool


@in_one_transaction
def open_poll(session_id: int, *, question: str, options: Sequence[str], moment: datetime) -> Poll:
    """Ask the room a question. Raises NotLive, PollAlreadyOpen or NotAPoll."""
    question = question.strip()
    texts = [text.strip() for text in options if text.strip()]
    are_different = len({text.casefold() for text in texts}) == len(texts)
    if not question or not FEWEST_OPTIONS <= len(texts) <= MOST_OPTIONS or not are_different:
        raise NotAPoll
    room = room_of(session_id)
    # One at a time: no unique index of MariaDB has a condition, so the room decides.
    Room.objects.select_for_update().get(pk=room.pk)
    if not LiveSession.objects.filter(pk=session_id, status=SessionStatus.LIVE).exists():
        raise NotLive
    if Poll.objects.filter(live_session=session_id, closed_at=None).exists():
        raise PollAlreadyOpen
    poll = Poll.objects.create(live_session_id=session_id, question=question, opened_at=moment)
    PollOption.objects.bulk_create(
        [PollOption(poll=poll, text=text, position=place) for place, text in enumerate(texts)]
    )
    touch_room(session_id)
    return poll


@in_one_transaction
def close_poll(poll_id: int, *, moment: datetime) -> bool:
    """Take no more votes; returns whether the poll was open."""
    poll = Poll.objects.filter(pk=poll_id)
    if not poll.filter(closed_at=None).update(closed_at=moment):
        return False
    touch_room(poll.values_list("live_session", flat=True).get())
    return True


@in_one_transaction
def vote(poll_id: int, option_id: int, *, voter: User, moment: datetime) -> PollVote:
    """Choose an answer, once: the same choice sent again is the same vote.

    Raises AlreadyVoted for another choice, UnknownOption, PollClosed, NotLive or Banned.
    """
    poll = Poll.objects.select_related("live_session").get(pk=poll_id)
    if (stands := _vote_in(poll_id, voter)) is not None:
        return _same(stands, option_id)
    ensure_may_take_part(viewer=voter, session=poll.live_session, moment=moment)
    if not PollOption.objects.filter(pk=option_id, poll=poll_id).exists():
        raise UnknownOption
    try:
        with transaction.atomic():
            made = PollVote.objects.create(
                poll_id=poll_id, option_id=option_id, voter=voter, voted_at=moment
            )
    except IntegrityError:
        # The same viewer from another tab, a moment ago.
        if (stands := _vote_in(poll_id, voter)) is None:
            raise
        return _same(stands, option_id)
    # Only now: by its foreign key the vote holds the row of the poll, shared with other votes, so
    # that closing waits for it, and one that came first is seen here.
    if not Poll.objects.filter(pk=poll_id, closed_at=None).exists():
        raise PollClosed
    return made


def poll_part(session_id: int) -> PollPart | None:
    """The newest poll of a session with its counts, as the room shows it; None without one."""
    poll = newest_poll(session_id)
    if poll is None:
        return None
    options = counted_options(poll)
    return {
        "id": poll.pk,
        "question": poll.question,
        "options": options,
        "n_votes": sum(option["n_votes"] for option in options),
        "is_open": poll.closed_at is None and poll.live_session.is_live,
    }


def newest_poll(session_id: int) -> Poll | None:
    """The open poll of a session, or the last one that was open."""
    polls = Poll.objects.filter(live_session=session_id).select_related("live_session")
    return polls.order_by("-pk").first()


def counted_options(poll: Poll) -> list[OptionPart]:
    """The answers in their order, each with its votes, by one query."""
    counted = poll.options.order_by("position").annotate(n=Count("votes"))
    return [
        {"id": pk, "text": text, "n_votes": n}
        for pk, text, n in counted.values_list("pk", "text", "n")
    ]


def vote_of(user: User | AnonymousUser, session_id: int) -> int | None:
    """Which option of the session's newest poll the viewer chose."""
    if not user.is_authenticated:
        return None
    polls = Poll.objects.filter(live_session=session_id).order_by("-pk")
    poll_id = polls.values_list("pk", flat=True).first()
    stands = _vote_in(poll_id, user) if poll_id else None
    return stands.option_id if stands else None


def _vote_in(poll_id: int, voter: User) -> PollVote | None:
    return PollVote.objects.filter(poll=poll_id, voter=voter).first()


def _same(stands: PollVote, option_id: int) -> PollVote:
    if stands.option_id != option_id:
        raise AlreadyVoted
    return stands
