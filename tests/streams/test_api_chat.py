"""Writing in a live room, and keeping order there, through the API."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from streams.chat import author_tag
from streams.models import ChatMessage, LiveSession, Moderator, Restriction
from tests.factories import (
    ChatMessageFactory,
    ChatRulesFactory,
    LiveSessionFactory,
    ModeratorFactory,
    RestrictionFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def session() -> LiveSession:
    return LiveSessionFactory(live=True)


def client_of(person: User | None) -> APIClient:
    client = APIClient(headers={"Accept-Language": "en"})
    if person:
        client.force_authenticate(person)
    return client


def address(session: LiveSession, rest: str) -> str:
    return f"/api/v1/live-sessions/{session.pk}/{rest}"


def say(session: LiveSession, person: User | None, text: str = "Hello", key: Any = None) -> Any:
    body = {"key": str(key or uuid.uuid4()), "text": text}
    return client_of(person).post(address(session, "messages/"), body)


def code_of(response: Any) -> str:
    return response.json()["errors"][0]["code"]


@pytest.mark.mariadb
def test_the_same_key_again_is_the_same_message(session) -> None:
    author, key = UserFactory(), uuid.uuid4()

    first, again = (say(session, author, " Hello  there ", key) for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json() == {
        "id": ChatMessage.objects.get().pk,
        "tag": author_tag(session.pk, author.pk),
        "author": author.display_name,
        "role": "",
        "is_mine": True,
        "text": "Hello there",
        "sent_at": first.json()["sent_at"],
    }


def test_anonymous_visitors_read_but_do_not_write(session) -> None:
    ChatMessageFactory(live_session=session)

    assert say(session, None).status_code == 401
    assert len(client_of(None).get(address(session, "messages/")).json()["results"]) == 1


def test_who_is_too_fast_is_told_when_to_go_on(session) -> None:
    author = UserFactory()
    statuses = [say(session, author).status_code for _ in range(3)]

    refused = say(session, author)

    assert statuses == [201] * 3
    assert (refused.status_code, code_of(refused), refused["Retry-After"]) == (
        429, "too_fast", "10",
    )  # fmt: skip
    assert refused.json()["errors"][0]["detail"].startswith("You are writing too fast")


@pytest.mark.parametrize(
    ("columns", "code", "has_end"),
    [
        ({"kind": "ban"}, "banned", False),
        ({"kind": "mute"}, "muted", False),
        ({"kind": "mute", "until": timezone.now() + timedelta(minutes=60)}, "muted", True),
    ],
)
def test_who_is_restricted_is_told_so(session, columns, code: str, has_end: bool) -> None:
    author = UserFactory()
    RestrictionFactory(
        live_session=session,
        user=author,
        **{"imposed_at": timezone.now() - timedelta(hours=1), **columns},
    )

    refused = say(session, author)

    assert (refused.status_code, code_of(refused)) == (403, code)
    assert ("Retry-After" in refused) == has_end


def test_a_closed_chat_and_one_that_is_over_are_conflicts(session) -> None:
    ChatRulesFactory(live_session=session, is_open=False)
    closed = say(session, UserFactory())
    over = say(LiveSessionFactory(ended=True), UserFactory())

    assert (closed.status_code, code_of(closed)) == (409, "chat_closed")
    assert (over.status_code, code_of(over)) == (409, "not_live")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        ("\u200b", "empty"),
        ("x" * 201, "too_long"),
        ("see example.com", "link"),
        ("S P A M", "blocked_word"),
    ],
)
def test_what_is_wrong_with_the_text_is_an_error_of_that_field(session, text, code) -> None:
    ChatRulesFactory(live_session=session, blocked_words="spam")

    refused = say(session, UserFactory(), text)

    assert refused.status_code == 400
    error = refused.json()["errors"][0]
    assert (error["attr"], error["code"]) == ("text", code)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"key": "x", "text": "Hello"},
        {"text": "Hello"},
        {"key": str(uuid.uuid4())},
        {"key": str(uuid.uuid4()), "text": "x" * 2001},
        {"key": str(uuid.uuid4()), "text": "nul\x00"},
        {"key": str(uuid.uuid4()), "text": ["a"]},
    ],
)
def test_a_body_of_another_shape_is_refused(session, body: dict) -> None:
    response = client_of(UserFactory()).post(address(session, "messages/"), body)

    assert response.status_code == 400
    assert not ChatMessage.objects.exists()


def test_a_page_must_prove_that_the_request_is_its_own(session) -> None:
    web = Client(enforce_csrf_checks=True)
    web.force_login(UserFactory(), backend="django.contrib.auth.backends.ModelBackend")

    response = web.post(
        address(session, "messages/"),
        {"key": str(uuid.uuid4()), "text": "Hello"},
        content_type="application/json",
    )

    assert response.status_code == 403


def test_reading_a_page_of_the_chat_takes_two_queries(session, django_assert_num_queries) -> None:
    for _ in range(5):
        ChatMessageFactory(live_session=session)
    said = ModeratorFactory(live_session=session).user
    ChatMessageFactory(live_session=session, author=said)

    with django_assert_num_queries(2):
        shown = client_of(None).get(address(session, "messages/")).json()["results"]

    assert [one["role"] for one in shown] == ["moderator"] + [""] * 5


def test_a_moderator_hides_a_message_and_it_is_gone_from_the_list(session) -> None:
    moderator = ModeratorFactory(live_session=session).user
    message = ChatMessageFactory(live_session=session)
    hidden = address(session, f"messages/{message.pk}/hidden/")
    chat = client_of(moderator)

    assert [chat.put(hidden).status_code for _ in range(2)] == [204, 204]
    assert chat.get(address(session, "messages/")).json()["results"] == []
    assert [chat.delete(hidden).status_code for _ in range(2)] == [204, 204]
    assert len(chat.get(address(session, "messages/")).json()["results"]) == 1


def test_a_message_of_another_room_is_not_found(session) -> None:
    other = ChatMessageFactory()
    chat = client_of(session.seller)

    for rest in ("hidden/", "author/restriction/"):
        path = address(session, f"messages/{other.pk}/{rest}")
        assert chat.put(path, {"kind": "mute"}).status_code == 404
        assert chat.delete(path).status_code == 404


def test_an_author_is_restricted_by_one_of_their_messages(session) -> None:
    message = ChatMessageFactory(live_session=session)
    path = address(session, f"messages/{message.pk}/author/restriction/")
    chat = client_of(session.seller)

    told = chat.put(path, {"kind": "mute", "minutes": 10, "reason": "spam"})

    assert told.status_code == 200
    row = Restriction.objects.get()
    assert row.until == row.imposed_at + timedelta(minutes=10)
    shown = told.json()
    assert shown["tag"] == author_tag(session.pk, message.author_id)
    assert (shown["kind"], shown["everywhere"], shown["reason"]) == ("mute", False, "spam")
    assert (shown["name"], shown["imposed_by"]) == (
        message.author.display_name, session.seller.display_name,
    )  # fmt: skip
    listed = chat.get(address(session, "restrictions/")).json()["results"]
    assert listed == [shown]
    assert str(message.author_id) not in shown.values()
    assert chat.delete(path).status_code == 204
    assert chat.get(address(session, "restrictions/")).json()["results"] == []


def test_a_ban_everywhere_is_the_sellers_alone(session) -> None:
    moderator = ModeratorFactory(live_session=session).user
    message = ChatMessageFactory(live_session=session)
    path = address(session, f"messages/{message.pk}/author/restriction/")
    body = {"kind": "ban", "everywhere": True}

    refused = client_of(moderator).put(path, body)
    allowed = client_of(session.seller).put(path, body)

    assert (refused.status_code, code_of(refused)) == (403, "not_a_moderator")
    assert (allowed.status_code, allowed.json()["everywhere"]) == (200, True)
    one = address(session, f"restrictions/{allowed.json()['id']}/")
    assert client_of(moderator).delete(one).status_code == 403
    assert client_of(session.seller).delete(one).status_code == 204


def test_the_sellers_own_message_restricts_nobody(session) -> None:
    moderator = ModeratorFactory(live_session=session).user
    message = ChatMessageFactory(live_session=session, author=session.seller)
    path = address(session, f"messages/{message.pk}/author/restriction/")

    refused = client_of(moderator).put(path, {"kind": "mute"})

    assert (refused.status_code, code_of(refused)) == (409, "out_of_reach")


def test_pauses_of_those_in_a_hurry_are_not_listed_and_cannot_be_lifted(session) -> None:
    author = UserFactory()
    for _ in range(4):
        say(session, author)
    chat = client_of(session.seller)
    pause = Restriction.objects.get()

    assert chat.get(address(session, "restrictions/")).json()["results"] == []
    assert chat.delete(address(session, f"restrictions/{pause.pk}/")).status_code == 404


def test_a_moderator_is_found_by_a_message_or_an_address(session) -> None:
    said, known = ChatMessageFactory(live_session=session), UserFactory(email="kim@example.com")
    chat, path = client_of(session.seller), address(session, "moderators/")

    by_message = chat.post(path, {"message": said.pk})
    by_address = chat.post(path, {"email": "Kim@Example.com"})

    assert (by_message.status_code, by_address.status_code) == (200, 200)
    assert by_message.json()["tag"] == author_tag(session.pk, said.author_id)
    assert {one.user for one in Moderator.objects.all()} == {said.author, known}
    assert chat.get(path).json()["results"] == [by_address.json(), by_message.json()]
    assert "kim@example.com" not in chat.get(path).content.decode()
    one = address(session, f"moderators/{by_address.json()['id']}/")
    assert chat.delete(one).status_code == 204
    assert chat.delete(one).status_code == 404


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"email": "nobody@example.com"}, "email", "no_such_person"),
        ({"message": 999_999}, "message", "no_such_person"),
        ({}, "message", "one_of_two"),
        ({"message": 1, "email": "a@example.com"}, "message", "one_of_two"),
    ],
)
def test_nobody_else_is_made_a_moderator(session, body: dict, field: str, code: str) -> None:
    response = client_of(session.seller).post(address(session, "moderators/"), body)

    assert response.status_code == 400
    error = response.json()["errors"][0]
    assert (error["attr"], error["code"]) == (field, code)


def test_a_moderator_is_not_told_whose_addresses_are_known(session) -> None:
    moderator = client_of(ModeratorFactory(live_session=session).user)
    path = address(session, "moderators/")

    for email in (UserFactory().email, "nobody@example.com"):
        assert moderator.post(path, {"email": email}).status_code == 403


def test_the_seller_is_no_moderator_besides(session) -> None:
    response = client_of(session.seller).post(
        address(session, "moderators/"), {"email": session.seller.email}
    )

    assert (response.status_code, code_of(response)) == (409, "not_suited")


def test_addresses_cannot_be_tried_out_at_length(session, settings) -> None:
    chat = client_of(session.seller)
    for _ in range(20):
        chat.post(address(session, "moderators/"), {"email": "nobody@example.com"})

    response = chat.post(address(session, "moderators/"), {"email": "nobody@example.com"})

    assert response.status_code == 429
    assert chat.get(address(session, "moderators/")).status_code == 200


def test_moderators_read_the_rules_and_the_seller_changes_them(session) -> None:
    moderator = client_of(ModeratorFactory(live_session=session).user)
    seller, path = client_of(session.seller), address(session, "chat-rules/")

    changed = seller.patch(path, {"slow_seconds": 30, "blocked_words": "spam\n垃圾"})

    assert changed.status_code == 200
    assert moderator.get(path).json() == {
        "is_open": True,
        "burst": 3,
        "burst_seconds": 2,
        "pause_seconds": 10,
        "slow_seconds": 30,
        "longest": 200,
        "allows_links": False,
        "blocked_words": "spam\n垃圾",
    }
    assert moderator.patch(path, {"slow_seconds": 0}).status_code == 403


@pytest.mark.parametrize(
    "change",
    [
        {"burst": 0}, {"burst": 21}, {"burst_seconds": 61}, {"pause_seconds": 601},
        {"slow_seconds": 601}, {"slow_seconds": -1}, {"longest": 9}, {"longest": 501},
        {"is_open": "perhaps"}, {"blocked_words": "x" * 5001},
    ],
)  # fmt: skip
def test_rules_out_of_bounds_name_their_field(session, change: dict) -> None:
    response = client_of(session.seller).patch(address(session, "chat-rules/"), change)

    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == next(iter(change))
