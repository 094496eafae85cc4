"""Storing and reading what is said in a live room."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.translation import override

from streams.chat import (
    Incoming,
    Refusal,
    Refused,
    Stored,
    author_tag,
    chat_part,
    hidden_ids,
    messages_after,
    store_messages,
)
from streams.models import ChatMessage, LiveSession, Room
from tests.factories import (
    ChatMessageFactory,
    ChatRulesFactory,
    LiveSessionFactory,
    ModeratorFactory,
    OperatorFactory,
    RestrictionFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]
NOW = timezone.now()


def said(author, text: str = "Hello", key: uuid.UUID | None = None) -> Incoming:
    return Incoming(author.pk, key or uuid.uuid4(), text)


def test_a_batch_is_stored_in_its_order_and_each_is_answered_in_its_place() -> None:
    session = LiveSessionFactory(live=True)
    first, muted, last = UserFactory(), UserFactory(), UserFactory()
    RestrictionFactory(live_session=session, user=muted)
    batch = [said(first, " one "), said(muted, "two"), said(last, "three")]

    answers = store_messages(session.pk, batch, moment=NOW)

    rows = list(ChatMessage.objects.order_by("pk").values_list("pk", "text", "sent_at"))
    assert [row[1:] for row in rows] == [("one", NOW), ("three", NOW)]
    assert answers == [
        Stored(batch[0].key, rows[0][0], is_new=True),
        Refused(batch[1].key, Refusal.MUTED),
        Stored(batch[2].key, rows[1][0], is_new=True),
    ]
    assert Room.objects.get(pk=session.pk).last_message_id == rows[1][0]


def test_the_same_key_is_the_same_message_whatever_holds_by_then() -> None:
    session, author, other = LiveSessionFactory(live=True), UserFactory(), UserFactory()
    sent = said(author)
    (stored,) = store_messages(session.pk, [sent], moment=NOW)
    RestrictionFactory(live_session=session, user=author)
    LiveSession.objects.update(status="ended", ended_at=NOW)

    again = store_messages(
        session.pk, [sent, sent, said(other, key=sent.key)], moment=NOW + timedelta(minutes=1)
    )

    assert again[:2] == [Stored(sent.key, stored.id, is_new=False)] * 2
    # Another's key is another message, which comes too late.
    assert again[2] == Refused(sent.key, Refusal.NOT_LIVE)
    assert ChatMessage.objects.count() == 1


def test_a_key_twice_in_a_batch_is_one_message_and_only_the_first_is_new() -> None:
    session, sent = LiveSessionFactory(live=True), said(UserFactory())

    first, second = store_messages(session.pk, [sent, sent], moment=NOW)

    assert (first.id, first.is_new, second.is_new) == (second.id, True, False)
    assert ChatMessage.objects.count() == 1


@pytest.mark.parametrize("n_authors", [1, 20])
def test_a_batch_takes_the_same_statements_however_long(
    n_authors: int, django_assert_num_queries
) -> None:
    session = LiveSessionFactory(live=True)
    Room.objects.create(live_session=session)
    batch = [said(author) for author in UserFactory.create_batch(n_authors) for _ in range(3)]

    # Lock, session with rules, people, restrictions, recent, same keys, insert, last id, and
    # the savepoint's begin and end.
    with django_assert_num_queries(10):
        answers = store_messages(session.pk, batch, moment=NOW)

    assert all(isinstance(one, Stored) for one in answers)


@pytest.mark.parametrize("n_authors", [1, 20])
def test_those_who_are_too_fast_cost_two_statements_together(
    n_authors: int, django_assert_num_queries
) -> None:
    session = LiveSessionFactory(live=True)
    Room.objects.create(live_session=session)
    batch = [said(author) for author in UserFactory.create_batch(n_authors) for _ in range(6)]

    with django_assert_num_queries(12):
        answers = store_messages(session.pk, batch, moment=NOW)

    assert sum(isinstance(one, Refused) for one in answers) == 3 * n_authors


@pytest.mark.parametrize("status", ["scheduled", "ended", "replay"])
def test_there_is_a_chat_only_while_the_session_is_live(status: str) -> None:
    session = LiveSessionFactory(live=True, ended_at=NOW)
    LiveSession.objects.update(status=status)

    (answer,) = store_messages(session.pk, [said(session.seller)], moment=NOW)

    assert answer.code == Refusal.NOT_LIVE
    assert not chat_part(session.pk)["is_open"]


def test_who_may_sign_in_no_longer_writes_no_more() -> None:
    session = LiveSessionFactory(live=True)
    gone = UserFactory(is_active=False)

    answers = store_messages(
        session.pk, [said(gone), Incoming(999_999, uuid.uuid4(), "Hello")], moment=NOW
    )

    assert [one.code for one in answers] == [Refusal.NOT_SIGNED_IN] * 2


def test_a_refusal_is_told_in_the_language_of_whoever_reads_it() -> None:
    refused = Refused(uuid.uuid4(), Refusal.LINK)

    with override("en"):
        assert refused.detail == "Links are not allowed here."


def test_reading_on_joins_names_and_roles_in_one_query(django_assert_num_queries) -> None:
    session = LiveSessionFactory(live=True)
    old = ChatMessageFactory(live_session=session)
    moderator = ModeratorFactory(live_session=session).user
    elsewhere = ModeratorFactory().user
    people = [session.seller, moderator, OperatorFactory(), elsewhere]
    rows = [ChatMessageFactory(live_session=session, author=person) for person in people]
    ChatMessageFactory(live_session=session, hidden_at=NOW)
    ChatMessageFactory()

    with django_assert_num_queries(1):
        shown = messages_after(session.pk, old.pk, limit=50)

    assert [one["id"] for one in shown] == [row.pk for row in rows]
    assert [one["role"] for one in shown] == ["seller", "moderator", "moderator", ""]
    assert shown[0] == {
        "id": rows[0].pk,
        "tag": author_tag(session.pk, session.seller_id),
        "author": session.seller.display_name,
        "role": "seller",
        "text": "Hello",
        "sent_at": ChatMessage.objects.get(pk=rows[0].pk).sent_at.isoformat(),
    }
    assert messages_after(session.pk, old.pk, limit=2) == shown[:2]


def test_without_an_id_the_newest_come_in_order() -> None:
    session = LiveSessionFactory(live=True)
    rows = [ChatMessageFactory(live_session=session) for _ in range(5)]

    shown = messages_after(session.pk, None, limit=3)

    assert [one["id"] for one in shown] == [row.pk for row in rows[2:]]


def test_a_tag_tells_authors_of_a_room_apart_and_nothing_else(settings) -> None:
    tag = author_tag(1, 2)

    assert len(tag) == 12
    assert int(tag, 16) >= 0
    assert tag == author_tag(1, 2)
    assert len({tag, author_tag(1, 3), author_tag(2, 2), author_tag(12, 2), author_tag(1, 22)}) == 5
    settings.SECRET_KEY = "another-secret-of-another-installation"
    assert author_tag(1, 2) != tag


def test_hidden_ids_are_those_among_the_newest(monkeypatch) -> None:
    monkeypatch.setattr("streams.chat.HIDDEN_AMONG", 3)
    session = LiveSessionFactory(live=True)
    rows = [
        ChatMessageFactory(live_session=session, hidden_at=hidden_at)
        for hidden_at in (NOW, NOW, None, NOW)
    ]

    assert hidden_ids(session.pk) == [rows[1].pk, rows[3].pk]


def test_the_room_is_told_how_one_writes_there() -> None:
    session = LiveSessionFactory(live=True)
    assert chat_part(session.pk) == {
        "is_open": True, "longest": 200, "slow_seconds": 0, "allows_links": False,
    }  # fmt: skip

    ChatRulesFactory(live_session=session, is_open=False, slow_seconds=5, allows_links=True)

    assert chat_part(session.pk) == {
        "is_open": False, "longest": 200, "slow_seconds": 5, "allows_links": True,
    }  # fmt: skip
