"""Keeping order in a live room: who may do what to whom, and the trail it leaves."""

from __future__ import annotations

import uuid
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.models import User
from streams.chat import Incoming, Refusal, Refused, hidden_ids, rules_of, store_messages
from streams.models import (
    ChatMessage,
    ChatRules,
    LiveSession,
    ModerationAct,
    Moderator,
    Restriction,
    Room,
)
from streams.moderation import (
    MayNotModerate,
    NotSuited,
    OutOfReach,
    add_moderator,
    ban,
    change_rules,
    drop_moderator,
    hide_message,
    lift,
    lift_in_session,
    may_moderate,
    mute,
    restrictions_of,
    show_message,
)
from tests.factories import (
    ChatMessageFactory,
    LiveSessionFactory,
    ModeratorFactory,
    OperatorFactory,
    RestrictionFactory,
    SellerFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]
NOW = timezone.now()


@pytest.fixture
def session() -> LiveSession:
    session = LiveSessionFactory(live=True)
    Room.objects.create(live_session=session)
    return session


@pytest.fixture
def moderator(session: LiveSession) -> User:
    return ModeratorFactory(live_session=session).user


def version(session: LiveSession) -> int:
    return Room.objects.get(pk=session.pk).version


def trail(session: LiveSession) -> list[tuple[Any, ...]]:
    acts = ModerationAct.objects.filter(live_session=session).order_by("pk")
    return list(acts.values_list("kind", "actor", "subject", "note"))


def code_for(session: LiveSession, author: User, *, after: timedelta = timedelta(0)) -> str:
    sent = Incoming(author.pk, uuid.uuid4(), "Hello")
    (answer,) = store_messages(session.pk, [sent], moment=NOW + after)
    return answer.code if isinstance(answer, Refused) else ""


def test_a_message_hidden_twice_is_hidden_once_and_can_be_shown_again(session) -> None:
    message = ChatMessageFactory(live_session=session)

    assert hide_message(message=message, by=session.seller, moment=NOW)
    assert not hide_message(message=message, by=session.seller, moment=NOW)
    assert hidden_ids(session.pk) == [message.pk]
    message.refresh_from_db()
    assert (message.hidden_at, message.hidden_by) == (NOW, session.seller)
    assert show_message(message=message, by=session.seller, moment=NOW)
    assert not show_message(message=message, by=session.seller, moment=NOW)

    assert hidden_ids(session.pk) == []
    seller, author = session.seller_id, message.author_id
    assert trail(session) == [("hide", seller, author, ""), ("show", seller, author, "")]
    assert set(ModerationAct.objects.values_list("message", flat=True)) == {message.pk}


def test_every_act_is_counted_by_the_room_so_that_all_processes_see_it(session) -> None:
    message = ChatMessageFactory(live_session=session)
    by = {"by": session.seller, "moment": NOW}
    versions = [version(session)]

    for act in (
        lambda: hide_message(message=message, **by),
        lambda: show_message(message=message, **by),
        lambda: mute(session=session, person=message.author, **by),
        lambda: lift_in_session(session=session, person=message.author, **by),
        lambda: ban(session=session, person=message.author, minutes=5, **by),
        lambda: lift(restriction=Restriction.objects.latest("pk"), **by),
        lambda: add_moderator(session=session, person=message.author, **by),
        lambda: drop_moderator(moderator=Moderator.objects.get(), **by),
        lambda: change_rules(session=session, changes={"slow_seconds": 5}, **by),
    ):
        act()
        versions.append(version(session))

    assert all(before < after for before, after in pairwise(versions))
    assert [kind for kind, *_ in trail(session)] == [
        "hide", "show", "mute", "lift", "ban", "lift", "add", "drop", "rules",
    ]  # fmt: skip


def test_a_mute_ends_after_its_minutes_or_with_the_act_that_lifts_it(session) -> None:
    person = UserFactory()
    muted = mute(
        session=session, person=person, by=session.seller, moment=NOW, minutes=5, reason="spam"
    )

    assert muted.until == NOW + timedelta(minutes=5)
    assert restrictions_of(session, moment=NOW) == {person.pk: muted}
    assert restrictions_of(session, moment=muted.until) == {}
    assert code_for(session, person) == Refusal.MUTED
    assert lift(restriction=muted, by=session.seller, moment=NOW)
    assert not lift(restriction=muted, by=session.seller, moment=NOW)
    assert code_for(session, person) == ""
    seller = session.seller_id
    assert trail(session) == [
        ("mute", seller, person.pk, "5 min; spam"),
        ("lift", seller, person.pk, "mute"),
    ]


def test_a_second_mute_takes_the_place_of_the_first(session) -> None:
    person = UserFactory()
    mute(session=session, person=person, by=session.seller, moment=NOW)
    later = NOW + timedelta(minutes=1)
    mute(session=session, person=person, by=session.seller, moment=later, minutes=1)

    assert code_for(session, person, after=timedelta(minutes=3)) == ""


def test_a_ban_in_all_sessions_reaches_every_live_room_of_the_seller_and_no_other(session) -> None:
    person = UserFactory()
    second = LiveSessionFactory(live=True, seller=session.seller)
    others = LiveSessionFactory(live=True)
    for room in (second, others):
        Room.objects.create(live_session=room)

    ban(session=session, person=person, by=session.seller, moment=NOW, everywhere=True)

    assert [code_for(room, person) for room in (session, second, others)] == [
        Refusal.BANNED, Refusal.BANNED, "",
    ]  # fmt: skip
    assert [version(room) for room in (session, second, others)] == [1, 1, 0]
    assert trail(session) == [("ban", session.seller_id, person.pk, "all sessions")]


def test_who_is_banned_keeps_order_no_longer(session, moderator) -> None:
    ban(session=session, person=moderator, by=session.seller, moment=NOW)

    assert not may_moderate(moderator, session)
    assert [kind for kind, *_ in trail(session)] == ["ban", "drop"]


def test_lifting_what_holds_everywhere_is_noted_where_it_was_imposed(session) -> None:
    person = UserFactory()
    LiveSessionFactory(live=True, seller=session.seller)
    held = ban(session=session, person=person, by=session.seller, moment=NOW, everywhere=True)

    lift(restriction=held, by=session.seller, moment=NOW)

    assert [kind for kind, *_ in trail(session)] == ["ban", "lift"]


def test_only_those_who_keep_order_there_may(session, moderator) -> None:
    assert may_moderate(session.seller, session)
    assert may_moderate(moderator, session)
    assert may_moderate(OperatorFactory(), session)
    assert not may_moderate(UserFactory(), session)
    assert not may_moderate(SellerFactory(), session)
    assert not may_moderate(ModeratorFactory().user, session)
    moderator.is_active = False
    assert not may_moderate(moderator, session)


@pytest.mark.parametrize("who", ["viewer", "other_seller", "moderator_elsewhere"])
def test_others_may_nothing_and_nothing_is_written(session, who: str) -> None:
    person = {
        "viewer": UserFactory,
        "other_seller": SellerFactory,
        "moderator_elsewhere": lambda: ModeratorFactory().user,
    }[who]()
    message = ChatMessageFactory(live_session=session)
    held = RestrictionFactory(live_session=session)
    about = {"session": session, "person": message.author}
    by = {"by": person, "moment": NOW}

    for act in (
        lambda: hide_message(message=message, **by),
        lambda: show_message(message=message, **by),
        lambda: mute(**about, **by),
        lambda: ban(**about, **by),
        lambda: lift(restriction=held, **by),
        lambda: lift_in_session(**about, **by),
        lambda: add_moderator(**about, **by),
        lambda: drop_moderator(moderator=ModeratorFactory(live_session=session), **by),
        lambda: change_rules(session=session, changes={"burst": 5}, **by),
    ):
        with pytest.raises(MayNotModerate):
            act()
    assert trail(session) == []
    assert version(session) == 0


def test_a_moderator_keeps_order_in_one_session_and_leads_nothing(session, moderator) -> None:
    message = ChatMessageFactory(live_session=session)
    about = {"session": session, "person": message.author}
    by = {"by": moderator, "moment": NOW}

    assert hide_message(message=message, **by)
    mute(minutes=5, **about, **by)
    ban(**about, **by)
    assert lift_in_session(**about, **by) == 2
    for act in (
        lambda: mute(everywhere=True, **about, **by),
        lambda: ban(everywhere=True, **about, **by),
        lambda: add_moderator(**about, **by),
        lambda: change_rules(session=session, changes={"burst": 5}, **by),
    ):
        with pytest.raises(MayNotModerate):
            act()


def test_what_the_seller_imposed_everywhere_a_moderator_does_not_lift(session, moderator) -> None:
    person = UserFactory()
    held = ban(session=session, person=person, by=session.seller, moment=NOW, everywhere=True)

    with pytest.raises(MayNotModerate):
        lift(restriction=held, by=moderator, moment=NOW)
    assert lift_in_session(session=session, person=person, by=moderator, moment=NOW) == 0
    assert code_for(session, person) == Refusal.BANNED
    assert lift_in_session(session=session, person=person, by=session.seller, moment=NOW) == 1


@pytest.mark.parametrize("whom", ["seller", "operator", "another", "self"])
def test_a_moderator_reaches_nobody_who_keeps_order(session, moderator, whom: str) -> None:
    person = {
        "seller": lambda: session.seller,
        "operator": OperatorFactory,
        "another": lambda: ModeratorFactory(live_session=session).user,
        "self": lambda: moderator,
    }[whom]()
    for act in (mute, ban):
        with pytest.raises(OutOfReach):
            act(session=session, person=person, by=moderator, moment=NOW)
    if whom != "self":
        message = ChatMessageFactory(live_session=session, author=person)
        with pytest.raises(OutOfReach):
            hide_message(message=message, by=moderator, moment=NOW)


def test_nobody_mutes_the_seller_or_an_operator_but_the_seller_hides_what_they_wrote(
    session,
) -> None:
    operator = OperatorFactory()
    for person, by in ((session.seller, operator), (operator, session.seller)):
        with pytest.raises(OutOfReach):
            mute(session=session, person=person, by=by, moment=NOW)
        message = ChatMessageFactory(live_session=session, author=person)
        assert hide_message(message=message, by=session.seller, moment=NOW)


def test_a_muted_moderator_does_not_lift_the_own_mute(session, moderator) -> None:
    held = mute(session=session, person=moderator, by=session.seller, moment=NOW)

    with pytest.raises(OutOfReach):
        lift(restriction=held, by=moderator, moment=NOW)


def test_a_moderator_is_added_once_and_may_lay_the_role_down(session) -> None:
    person = UserFactory()
    first = add_moderator(session=session, person=person, by=session.seller, moment=NOW)
    again = add_moderator(session=session, person=person, by=session.seller, moment=NOW)

    assert first == again
    assert drop_moderator(moderator=first, by=person, moment=NOW)
    assert not drop_moderator(moderator=again, by=session.seller, moment=NOW)
    assert trail(session) == [
        ("add", session.seller_id, person.pk, ""),
        ("drop", person.pk, person.pk, ""),
    ]


def test_who_leads_or_is_banned_or_gone_is_made_no_moderator(session) -> None:
    banned, gone = UserFactory(), UserFactory(is_active=False)
    ban(session=session, person=banned, by=session.seller, moment=NOW)

    for person in (session.seller, OperatorFactory(), banned, gone):
        with pytest.raises(NotSuited):
            add_moderator(session=session, person=person, by=session.seller, moment=NOW)


def test_rules_are_changed_one_by_one_and_hold_for_the_next_message(session) -> None:
    by = {"by": session.seller, "moment": NOW}
    change_rules(session=session, changes={"slow_seconds": 30}, **by)
    change_rules(session=session, changes={"blocked_words": "a\nb", "is_open": True}, **by)
    change_rules(session=session, changes={"slow_seconds": 30}, **by)

    rules = ChatRules.objects.get(pk=session.pk)
    assert (rules.slow_seconds, rules.blocked_words, rules.burst) == (30, "a\nb", 3)
    assert [note for *_, note in trail(session)] == [
        "slow_seconds: 0 → 30",
        "blocked_words: 0 → 2",
    ]
    author = UserFactory()
    assert [code_for(session, author), code_for(session, author)] == ["", Refusal.SLOW_MODE]
    assert rules.history.count() == 2


def test_rules_out_of_bounds_are_refused_whole(session) -> None:
    by = {"by": session.seller, "moment": NOW}
    with pytest.raises(ValidationError):
        change_rules(session=session, changes={"burst": 0, "longest": 100}, **by)
    with pytest.raises(TypeError, match="live_session"):
        change_rules(session=session, changes={"live_session": 1}, **by)

    assert rules_of(LiveSession.objects.get(pk=session.pk)).longest == 200
    assert trail(session) == []


def test_what_was_hidden_stays_in_the_table(session) -> None:
    message = ChatMessageFactory(live_session=session)
    hide_message(message=message, by=session.seller, moment=NOW)

    assert ChatMessage.objects.filter(pk=message.pk).exists()
