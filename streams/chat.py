"""What is said in a live room: who may write what, how fast, and reading it.

The rows are the truth, whichever process stores them. A batch of one room is one transaction that
locks the room first, so what it reads of its writers nobody else changes meanwhile, and the ids
of a room come in the order of its commits.

How fast somebody wrote is counted from the messages stored. A pause cannot be told from them: it
begins with a message that was not. So it is a row of its own, a mute that writers impose on
themselves (`imposed_by` is the muted person), one for each writer and room at the most.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet
from django.utils.crypto import salted_hmac
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import Role, User
from accounts.templatetags.people import public_name
from accounts.transactions import in_one_transaction
from streams.chat_text import has_blocked_word, has_link, tidied
from streams.models import (
    ChatMessage,
    ChatRules,
    LiveSession,
    Moderator,
    Restriction,
    RestrictionKind,
    Room,
    SessionStatus,
)
from streams.restrictions import is_pause, restrictions_in
from streams.room_changes import room_of, wake_room

# Hidden messages that the room still names are looked for among so many of the newest.
HIDDEN_AMONG = 200


class Refusal(StrEnum):
    """Why a message was not stored."""

    NOT_SIGNED_IN = "not_signed_in"
    NOT_LIVE = "not_live"
    BANNED = "banned"
    MUTED = "muted"
    CHAT_CLOSED = "chat_closed"
    TOO_FAST = "too_fast"
    SLOW_MODE = "slow_mode"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    LINK = "link"
    BLOCKED_WORD = "blocked_word"


_DETAILS: dict[Refusal, Promise] = {
    Refusal.NOT_SIGNED_IN: _("Sign in to write."),
    Refusal.NOT_LIVE: _("There is a chat only while the session is live."),
    Refusal.BANNED: _("You may not enter this room."),
    Refusal.MUTED: _("You may not write here for now."),
    Refusal.CHAT_CLOSED: _("The chat is closed at the moment."),
    Refusal.TOO_FAST: _("You are writing too fast. Please pause for a moment."),
    Refusal.SLOW_MODE: _("Slow mode is on. Please wait before you write again."),
    Refusal.EMPTY: _("Write something first."),
    Refusal.TOO_LONG: _("The message is too long."),
    Refusal.LINK: _("Links are not allowed here."),
    Refusal.BLOCKED_WORD: _("The message contains a word that is not allowed here."),
}


@dataclass(frozen=True)
class Incoming:
    """A message that somebody wants to say; `key` is made by the client, once for each message."""

    author_id: int
    key: UUID
    text: str


@dataclass(frozen=True)
class Stored:
    """A message that stands in the room. `is_new` is false when its key had come before."""

    key: UUID
    id: int
    is_new: bool


@dataclass(frozen=True)
class Refused:
    """A message that was not stored. `retry_after`: in whole seconds it may be tried again."""

    key: UUID
    code: Refusal
    retry_after: int | None = None

    @property
    def detail(self) -> str:
        """The reason, in the language that is active when this is asked."""
        return str(_DETAILS[self.code])


@dataclass
class _Writer:
    """What decides about one author's next message, as of the batch's moment."""

    is_active: bool = False
    keeps_order: bool = False
    restriction: Restriction | None = None
    n_in_burst: int = 0
    last_sent_at: datetime | None = None


@in_one_transaction
def store_messages(
    session_id: int, incoming: Sequence[Incoming], *, moment: datetime
) -> list[Stored | Refused]:
    """Store what may be said, and answer each message in its place.

    A key that an author has sent before, in this batch or another, is the same message, whatever
    holds now. However many messages: eight statements, two more for those who begin a pause. The
    room must exist; raises LiveSession.DoesNotExist.
    """
    _lock_room(session_id)
    session = LiveSession.objects.select_related("chat_rules").get(pk=session_id)
    rules = rules_of(session)
    writers = _writers(session, rules, {one.author_id for one in incoming}, moment)
    answers = _stored_before(session_id, incoming)
    new: dict[tuple[int, UUID], ChatMessage] = {}
    pausing: set[int] = set()
    for one in incoming:
        place = (one.author_id, one.key)
        if place in answers or place in new:
            continue
        writer = writers[one.author_id]
        text = tidied(one.text)
        if refused := _refusal(session, rules, writer, one.key, text, moment):
            answers[place] = refused
            if refused.code == Refusal.TOO_FAST and writer.restriction is None:
                pausing.add(one.author_id)
                writer.restriction = _pause(session, one.author_id, rules, moment)
            continue
        writer.n_in_burst += 1
        writer.last_sent_at = moment
        new[place] = ChatMessage(
            live_session=session, author_id=one.author_id, key=one.key, text=text, sent_at=moment
        )
    _begin_pauses(session, [writers[author_id].restriction for author_id in sorted(pausing)])
    if new:
        _insert(session_id, list(new.values()))
    for place, message in new.items():
        answers[place] = Stored(message.key, message.pk, is_new=True)  # type: ignore[arg-type]
    # Only the first of the same key in a batch is new.
    given: set[tuple[int, UUID]] = set()
    result = []
    for one in incoming:
        place = (one.author_id, one.key)
        answer = answers[place]
        if place in given and isinstance(answer, Stored):
            answer = Stored(answer.key, answer.id, is_new=False)
        given.add(place)
        result.append(answer)
    return result


def _lock_room(session_id: int) -> None:
    locked = Room.objects.filter(pk=session_id)
    same = {"last_message_id": F("last_message_id")}
    if not locked.update(**same):
        room_of(session_id)
        locked.update(**same)


def rules_of(session: LiveSession) -> ChatRules:
    """The rules of the session's chat; the defaults, not stored, where nobody set any."""
    try:
        return session.chat_rules
    except ChatRules.DoesNotExist:
        return ChatRules(live_session=session)


def _writers(
    session: LiveSession, rules: ChatRules, author_ids: set[int], moment: datetime
) -> dict[int, _Writer]:
    writers = {author_id: _Writer() for author_id in author_ids}
    moderates = Moderator.objects.filter(live_session=session, user=OuterRef("pk"))
    people = User.objects.filter(pk__in=author_ids).annotate(moderates=Exists(moderates))
    for pk, is_active, role, is_moderator in people.values_list(
        "pk", "is_active", "role", "moderates"
    ):
        writers[pk].is_active = is_active
        writers[pk].keeps_order = is_moderator or role == Role.OPERATOR or pk == session.seller_id
    for author_id, restriction in restrictions_in(session, author_ids, moment=moment).items():
        writers[author_id].restriction = restriction
    burst_begins = moment - timedelta(seconds=rules.burst_seconds)
    slow_begins = moment - timedelta(seconds=rules.slow_seconds)
    recent = (
        ChatMessage.objects.filter(
            live_session=session,
            author__in=author_ids,
            sent_at__gt=min(burst_begins, slow_begins),
        )
        .order_by()
        .values("author")
        .annotate(n=Count("pk", filter=Q(sent_at__gt=burst_begins)), last=Max("sent_at"))
    )
    for row in recent:
        writers[row["author"]].n_in_burst = row["n"]
        writers[row["author"]].last_sent_at = row["last"]
    return writers


def _stored_before(
    session_id: int, incoming: Iterable[Incoming]
) -> dict[tuple[int, UUID], Stored | Refused]:
    wanted = {(one.author_id, one.key) for one in incoming}
    found = ChatMessage.objects.filter(
        live_session=session_id,
        author__in={author_id for author_id, _key in wanted},
        key__in={key for _author_id, key in wanted},
    ).values_list("author_id", "key", "pk")
    return {
        (author_id, key): Stored(key, pk, is_new=False)
        for author_id, key, pk in found
        if key is not None and (author_id, key) in wanted
    }


def _refusal(
    session: LiveSession,
    rules: ChatRules,
    writer: _Writer,
    key: UUID,
    text: str,
    moment: datetime,
) -> Refused | None:
    """Why the writer's message is not stored at this moment; None when it is."""
    if not writer.is_active:
        return Refused(key, Refusal.NOT_SIGNED_IN)
    if session.status != SessionStatus.LIVE:
        return Refused(key, Refusal.NOT_LIVE)
    restriction = writer.restriction
    if restriction and not (writer.keeps_order and is_pause(restriction)):
        return Refused(key, _code_of(restriction), seconds_until(restriction.until, moment))
    if not rules.is_open and not writer.keeps_order:
        return Refused(key, Refusal.CHAT_CLOSED)
    if code := _fault_of(text, rules, is_free=writer.keeps_order):
        return Refused(key, code)
    if writer.keeps_order:
        return None
    if writer.last_sent_at is not None:
        next_at = writer.last_sent_at + timedelta(seconds=rules.slow_seconds)
        if next_at > moment:
            return Refused(key, Refusal.SLOW_MODE, seconds_until(next_at, moment))
    if writer.n_in_burst >= rules.burst:
        return Refused(key, Refusal.TOO_FAST, rules.pause_seconds)
    return None


def _code_of(restriction: Restriction) -> Refusal:
    if restriction.kind == RestrictionKind.BAN:
        return Refusal.BANNED
    return Refusal.TOO_FAST if is_pause(restriction) else Refusal.MUTED


def _fault_of(text: str, rules: ChatRules, *, is_free: bool) -> Refusal | None:
    if not text:
        return Refusal.EMPTY
    if len(text) > rules.longest:
        return Refusal.TOO_LONG
    if not (rules.allows_links or is_free) and has_link(text):
        return Refusal.LINK
    if has_blocked_word(text, rules.blocked_words):
        return Refusal.BLOCKED_WORD
    return None


def seconds_until(until: datetime | None, moment: datetime) -> int | None:
    """The whole seconds after which the time has come; None for never."""
    return None if until is None else max(1, math.ceil((until - moment).total_seconds()))


def _pause(session: LiveSession, author_id: int, rules: ChatRules, moment: datetime) -> Restriction:
    return Restriction(
        seller_id=session.seller_id,
        live_session=session,
        user_id=author_id,
        imposed_by_id=author_id,
        kind=RestrictionKind.MUTE,
        imposed_at=moment,
        until=moment + timedelta(seconds=rules.pause_seconds),
    )


def _begin_pauses(session: LiveSession, pauses: Sequence[Restriction | None]) -> None:
    begun = [pause for pause in pauses if pause is not None]
    if not begun:
        return
    # Those that are over go: one row a writer, however often somebody is in a hurry.
    Restriction.objects.filter(
        seller=session.seller_id,
        live_session=session,
        user__in=[pause.user_id for pause in begun],
        imposed_by=F("user"),
    ).delete()
    Restriction.objects.bulk_create(begun)


def _insert(session_id: int, messages: list[ChatMessage]) -> None:
    ChatMessage.objects.bulk_create(messages)
    if messages[-1].pk is None:
        # MySQL does not tell the ids of many rows inserted at once, as MariaDB and SQLite do.
        ids = {
            (author_id, key): pk
            for author_id, key, pk in ChatMessage.objects.filter(
                live_session=session_id,
                author__in={message.author_id for message in messages},
                key__in=[message.key for message in messages],
            ).values_list("author_id", "key", "pk")
        }
        for message in messages:
            message.pk = ids[message.author_id, message.key]
    last = max(message.pk for message in messages)
    Room.objects.filter(pk=session_id).update(last_message_id=last)
    transaction.on_commit(lambda: wake_room(session_id))


def author_tag(session_id: int, user_id: int) -> str:
    """What stands for a writer on the wire: 12 hex, the same for all that they say in that room.

    Keyed with the secret of the installation, so that no id can be tried against it.
    """
    about = f"{session_id}:{user_id}"
    return salted_hmac("streams.chat.author", about, algorithm="sha256").hexdigest()[:12]


def with_role(messages: QuerySet[ChatMessage]) -> QuerySet[ChatMessage]:
    """Join what the wire says of an author: the name, and `is_moderator` beside the seller's id."""
    moderates = Moderator.objects.filter(
        live_session=OuterRef("live_session"), user=OuterRef("author")
    )
    return messages.select_related("author", "live_session").annotate(
        is_moderator=Exists(moderates)
    )


def role_of(message: ChatMessage) -> str:
    """ "seller", "moderator" (operators keep order as well) or nothing, of a row `with_role`."""
    if message.author_id == message.live_session.seller_id:
        return "seller"
    keeps_order = message.is_moderator or message.author.role == Role.OPERATOR  # type: ignore[attr-defined]
    return "moderator" if keeps_order else ""


def wire(message: ChatMessage) -> dict[str, Any]:
    """A message as sockets and the API tell it, of a row `with_role`; `sent_at` in ISO 8601."""
    return {
        "id": message.pk,
        "tag": author_tag(message.live_session_id, message.author_id),
        "author": public_name(message.author),
        "role": role_of(message),
        "text": message.text,
        "sent_at": message.sent_at.isoformat(),
    }


def messages_after(session_id: int, after: int | None, *, limit: int) -> list[dict[str, Any]]:
    """At most `limit` messages that are not hidden, in order, in the shape of the wire.

    Those behind the id `after`; without it the newest. One query.
    """
    shown = with_role(ChatMessage.objects.filter(live_session=session_id, hidden_at__isnull=True))
    if after is None:
        return [wire(message) for message in reversed(shown.order_by("-pk")[:limit])]
    return [wire(message) for message in shown.filter(pk__gt=after).order_by("pk")[:limit]]


def hidden_ids(session_id: int) -> list[int]:
    """The ids of the hidden messages among the HIDDEN_AMONG newest, in order."""
    newest = ChatMessage.objects.filter(live_session=session_id).order_by("-pk")
    rows = newest.values_list("pk", "hidden_at")[:HIDDEN_AMONG]
    return sorted(pk for pk, hidden_at in rows if hidden_at)


def chat_part(session_id: int) -> dict[str, Any]:
    """The part `chat` of a room's state: whether viewers may write now, and how."""
    session = LiveSession.objects.select_related("chat_rules").get(pk=session_id)
    rules = rules_of(session)
    return {
        "is_open": rules.is_open and session.is_live,
        "longest": rules.longest,
        "slow_seconds": rules.slow_seconds,
        "allows_links": rules.allows_links,
    }
