"""How fast, how long and what one may write in a live room."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from streams.chat import Incoming, Refusal, Refused, store_messages
from streams.models import ChatMessage, LiveSession, Restriction
from streams.restrictions import imposed
from tests.factories import (
    ChatRulesFactory,
    LiveSessionFactory,
    ModeratorFactory,
    OperatorFactory,
    RestrictionFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def session() -> LiveSession:
    return LiveSessionFactory(live=True)


def write(session: LiveSession, author: User, at: float, text: str = "Hello") -> str:
    """Write one line so many seconds after NOW; "" when it is stored, else the code."""
    (answer,) = answers(session, author, at, [text])
    return answer.code if isinstance(answer, Refused) else ""


def answers(session: LiveSession, author: User, at: float, texts: list[str]) -> list:
    batch = [Incoming(author.pk, uuid.uuid4(), text) for text in texts]
    return store_messages(session.pk, batch, moment=NOW + timedelta(seconds=at))


def test_three_in_two_seconds_are_let_through_and_the_fourth_begins_a_pause(session) -> None:
    author = UserFactory()
    assert [write(session, author, at) for at in (0, 0.5, 1)] == ["", "", ""]

    (refused,) = answers(session, author, 1.5, ["Hello"])

    assert (refused.code, refused.retry_after) == (Refusal.TOO_FAST, 10)
    # What comes within the pause tells what is left of it and does not make it longer.
    (refused,) = answers(session, author, 7.2, ["Hello"])
    assert (refused.code, refused.retry_after) == (Refusal.TOO_FAST, 5)
    assert write(session, author, 11.4) == Refusal.TOO_FAST
    assert write(session, author, 11.5) == ""


def test_without_a_fourth_there_is_no_pause(session) -> None:
    author = UserFactory()
    for at in (0, 0.5, 1):
        write(session, author, at)

    assert [write(session, author, at) for at in (2, 2.5, 3)] == ["", "", ""]


def test_one_batch_is_no_way_around_it(session) -> None:
    stored = answers(session, UserFactory(), 0, ["Hello"] * 5)

    assert [isinstance(one, Refused) for one in stored] == [False] * 3 + [True] * 2


def test_a_pause_is_one_row_a_writer_and_no_act_of_moderation(session) -> None:
    author = UserFactory()
    for at in (0, 20, 40):
        answers(session, author, at, ["Hello"] * 6)

    assert Restriction.objects.filter(user=author).count() == 1
    assert not imposed(Restriction.objects.all()).exists()
    assert not session.moderation_acts.exists()


def test_the_pace_is_each_writers_own_and_each_rooms_own(session) -> None:
    fast, other = UserFactory(), UserFactory()
    answers(session, fast, 0, ["Hello"] * 4)

    assert write(session, other, 0) == ""
    assert write(LiveSessionFactory(live=True), fast, 0) == ""


def test_the_seller_sets_the_pace(session) -> None:
    ChatRulesFactory(live_session=session, burst=1, burst_seconds=5, pause_seconds=3)
    author = UserFactory()

    told = [write(session, author, at) for at in (0, 4.9, 7.8, 7.9)]

    assert told == ["", Refusal.TOO_FAST, Refusal.TOO_FAST, ""]


GAPS = st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 5)), min_size=1, max_size=9)


@given(steps=GAPS, burst=st.integers(1, 4), window=st.integers(1, 3), pause=st.integers(1, 4))
@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_however_one_writes_never_more_than_the_burst_is_stored_within_its_seconds(
    steps: list[tuple[int, int]], burst: int, window: int, pause: int
) -> None:
    session, author = LiveSessionFactory(live=True), UserFactory()
    ChatRulesFactory(live_session=session, burst=burst, burst_seconds=window, pause_seconds=pause)
    at, paused_until = 0, 0
    stored: list[int] = []
    for gap, n in steps:
        at += gap
        expected = []
        for _ in range(n):
            is_free = at >= paused_until
            fits = sum(at - one < window * 1000 for one in stored) < burst
            if is_free and fits:
                stored.append(at)
            elif is_free:
                paused_until = at + pause * 1000
            expected.append(is_free and fits)

        told = answers(session, author, at / 1000, ["Hello"] * n)

        assert [not isinstance(one, Refused) for one in told] == expected
    rows = list(ChatMessage.objects.filter(live_session=session).order_by("pk"))
    for first, beyond in zip(rows, rows[burst:], strict=False):
        assert beyond.sent_at - first.sent_at >= timedelta(seconds=window)


def test_in_slow_mode_one_waits_between_two_messages(session) -> None:
    ChatRulesFactory(live_session=session, slow_seconds=30)
    author = UserFactory()
    assert write(session, author, 0) == ""

    first, second = answers(session, author, 12.5, ["Hello", "Hello"])

    assert (first.code, first.retry_after) == (Refusal.SLOW_MODE, 18)
    assert second.code == Refusal.SLOW_MODE
    assert write(session, author, 30) == ""
    # Waiting is no misconduct: nobody is paused for it.
    assert not Restriction.objects.exists()


def test_in_slow_mode_one_batch_is_no_way_around_it(session) -> None:
    ChatRulesFactory(live_session=session, slow_seconds=5)

    told = answers(session, UserFactory(), 0, ["Hello", "Hello"])

    assert [isinstance(one, Refused) for one in told] == [False, True]


def test_who_keeps_order_is_bound_neither_by_pace_nor_slow_mode_nor_links(session) -> None:
    ChatRulesFactory(live_session=session, slow_seconds=30, is_open=False)
    moderator = ModeratorFactory(live_session=session).user

    for person in (session.seller, moderator, OperatorFactory()):
        told = answers(session, person, 0, ["Hello", "see example.com"] * 3)
        assert not any(isinstance(one, Refused) for one in told)
    assert write(session, ModeratorFactory().user, 0) == Refusal.CHAT_CLOSED


def test_a_pause_from_before_does_not_bind_a_new_moderator(session) -> None:
    author = UserFactory()
    answers(session, author, 0, ["Hello"] * 4)
    ModeratorFactory(live_session=session, user=author)

    assert write(session, author, 1) == ""


def test_who_keeps_order_keeps_to_length_and_words(session) -> None:
    ChatRulesFactory(live_session=session, longest=10, blocked_words="spam")

    assert write(session, session.seller, 0, "x" * 11) == Refusal.TOO_LONG
    assert write(session, session.seller, 0, "S P A M") == Refusal.BLOCKED_WORD


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", Refusal.EMPTY),
        (" \u200b\u3164 ", Refusal.EMPTY),
        ("好" * 201, Refusal.TOO_LONG),
        ("好" * 200, ""),
        # What is not stored does not count.
        ("好" * 200 + "\u200b" * 100, ""),
        ("看 example.com", Refusal.LINK),
        ("加 微 信", Refusal.BLOCKED_WORD),
        ("<b>bold</b>", ""),
    ],
)
def test_the_text_decides(session, text: str, code: str) -> None:
    ChatRulesFactory(live_session=session, blocked_words="加微信\nspam")

    assert write(session, UserFactory(), 0, text) == code


def test_links_may_be_allowed(session) -> None:
    ChatRulesFactory(live_session=session, allows_links=True)

    assert write(session, UserFactory(), 0, "https://example.com/a") == ""


def test_a_text_that_is_refused_costs_no_place_in_the_burst(session) -> None:
    author = UserFactory()
    told = answers(session, author, 0, ["example.com"] * 5 + ["Hello"] * 3)

    assert [isinstance(one, Refused) for one in told] == [True] * 5 + [False] * 3


def test_a_mute_tells_how_long_it_lasts_and_ends_by_itself(session) -> None:
    author = UserFactory()
    RestrictionFactory(
        live_session=session, user=author, imposed_at=NOW, until=NOW + timedelta(minutes=5)
    )

    (refused,) = answers(session, author, 59.5, ["Hello"])

    assert (refused.code, refused.retry_after) == (Refusal.MUTED, 241)
    assert write(session, author, 300) == ""


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"kind": "ban"}, Refusal.BANNED),
        ({"kind": "ban", "lifted_at": NOW}, ""),
        ({"kind": "mute", "live_session": None}, Refusal.MUTED),
    ],
)
def test_a_restriction_holds_until_it_is_lifted(session, columns: dict, code: str) -> None:
    author = UserFactory()
    RestrictionFactory(**{"live_session": session, "seller": session.seller, **columns},
                       user=author, imposed_by=session.seller)  # fmt: skip

    assert write(session, author, 0) == code


def test_another_sellers_ban_or_another_rooms_mute_holds_there_alone(session) -> None:
    author = UserFactory()
    elsewhere = LiveSessionFactory(live=True, seller=session.seller)
    stranger = LiveSessionFactory(live=True)
    RestrictionFactory(live_session=elsewhere, user=author)
    RestrictionFactory(
        live_session=None, seller=stranger.seller, user=author, kind="ban", imposed_by=None
    )

    assert write(session, author, 0) == ""
    assert write(elsewhere, author, 0) == Refusal.MUTED
    assert write(stranger, author, 0) == Refusal.BANNED


def test_a_ban_weighs_more_than_a_mute_and_a_mute_more_than_a_pause(session) -> None:
    author = UserFactory()
    answers(session, author, 0, ["Hello"] * 4)
    assert write(session, author, 1) == Refusal.TOO_FAST
    RestrictionFactory(
        live_session=session, user=author, imposed_at=NOW, until=NOW + timedelta(seconds=3)
    )
    assert write(session, author, 1) == Refusal.MUTED
    RestrictionFactory(live_session=session, user=author, kind="ban")
    assert write(session, author, 1) == Refusal.BANNED
