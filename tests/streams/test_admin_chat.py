"""Chats and the order in them, in the admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from streams.models import (
    ChatMessage,
    ChatRules,
    LiveSession,
    ModerationAct,
    Moderator,
)
from tests.factories import (
    ChatMessageFactory,
    ChatRulesFactory,
    LiveSessionFactory,
    ModerationActFactory,
    OperatorFactory,
    RestrictionFactory,
    SellerFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db
RULES = {
    "is_open": "on",
    "burst": 3,
    "burst_seconds": 2,
    "pause_seconds": 10,
    "slow_seconds": 0,
    "longest": 200,
    "blocked_words": "",
}


def client_of(person: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def act_on(person: User, table: str, action: str, *rows: Any) -> Any:
    return client_of(person).post(
        reverse(f"admin:streams_{table}_changelist"),
        {"action": action, "_selected_action": [row.pk for row in rows]},
        follow=True,
    )


def page_of(session: LiveSession) -> str:
    return reverse("admin:streams_livesession_change", args=[session.pk])


def saved(session: LiveSession, person: User, **fields: Any) -> Any:
    """The answer to the form of the session, with what the fields change in it."""
    has_rules = ChatRules.objects.filter(pk=session.pk).exists()
    data: dict[str, Any] = {"title": session.title, "planned_minutes": 60, "pinned": ""}
    for prefix in ("showcase", "promotions", "coupons", "chat_rules", "moderators"):
        data |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    data |= {f"chat_rules-0-{name}": value for name, value in RULES.items()}
    data |= {"chat_rules-TOTAL_FORMS": 1, "chat_rules-INITIAL_FORMS": int(has_rules)}
    data["chat_rules-0-live_session"] = session.pk
    return client_of(person).post(page_of(session), data | fields)


def kinds() -> list[str]:
    return list(ModerationAct.objects.order_by("pk").values_list("kind", flat=True))


def test_chosen_messages_are_hidden_and_shown_again_and_each_leaves_its_trace() -> None:
    session = LiveSessionFactory(live=True)
    first, second = (ChatMessageFactory(live_session=session) for _ in range(2))

    answer = act_on(session.seller, "chatmessage", "hide_chosen", first, second)

    assert "2 messages are hidden now." in answer.content.decode()
    assert ChatMessage.objects.filter(hidden_by=session.seller).count() == 2
    answer = act_on(session.seller, "chatmessage", "show_chosen", first)
    assert "1 message is shown again." in answer.content.decode()
    assert list(ChatMessage.objects.filter(hidden_at__isnull=True)) == [first]
    assert kinds() == ["hide", "hide", "show"]


def test_another_sellers_messages_are_out_of_reach() -> None:
    message, other = ChatMessageFactory(), LiveSessionFactory().seller

    act_on(other, "chatmessage", "hide_chosen", message)

    message.refresh_from_db()
    assert message.hidden_at is None
    assert kinds() == []


def test_an_operator_hides_what_a_seller_said() -> None:
    session = LiveSessionFactory(live=True)
    message = ChatMessageFactory(live_session=session, author=session.seller)

    act_on(OperatorFactory(), "chatmessage", "hide_chosen", message)

    message.refresh_from_db()
    assert message.hidden_at is not None


def test_a_mute_is_lifted_once() -> None:
    held = RestrictionFactory()

    answer = act_on(held.seller, "restriction", "lift_chosen", held)

    assert "1 mute or ban is lifted now." in answer.content.decode()
    held.refresh_from_db()
    assert held.lifted_at is not None
    act_on(held.seller, "restriction", "lift_chosen", held)
    assert kinds() == ["lift"]


def test_a_ban_from_all_sessions_is_lifted_there_too() -> None:
    seller = LiveSessionFactory(live=True).seller
    held = RestrictionFactory(live_session=None, seller=seller, kind="ban")

    act_on(seller, "restriction", "lift_chosen", held)

    held.refresh_from_db()
    assert held.lifted_at is not None


def test_the_list_of_mutes_leaves_out_the_pauses_of_those_in_a_hurry() -> None:
    session, author = LiveSessionFactory(live=True), UserFactory()
    RestrictionFactory(
        live_session=session,
        user=author,
        imposed_by=author,
        until=timezone.now() + timedelta(seconds=10),
    )

    page = client_of(session.seller).get(reverse("admin:streams_restriction_changelist"))

    assert page.context["cl"].queryset.count() == 0


def test_a_seller_is_shown_names_and_an_operator_ways_to_people() -> None:
    act = ModerationActFactory(note="5 min")
    address = reverse("admin:streams_moderationact_changelist")
    person = reverse("admin:accounts_user_change", args=[act.subject_id])

    seller = client_of(act.live_session.seller).get(address).content.decode()
    operator = client_of(OperatorFactory()).get(address).content.decode()

    assert act.subject.display_name in seller
    assert person not in seller
    assert act.subject.email not in seller
    assert person in operator


def test_nobody_changes_the_audit_trail() -> None:
    act, operator = ModerationActFactory(), client_of(OperatorFactory())
    for name in ("change", "delete"):
        address = reverse(f"admin:streams_moderationact_{name}", args=[act.pk])
        assert operator.post(address, {"post": "yes", "note": "x"}).status_code == 403
    assert ModerationAct.objects.get().note == ""


def test_rules_set_on_the_page_of_a_session_hold_and_are_noted() -> None:
    session = LiveSessionFactory(live=True)

    answer = saved(session, session.seller, **{"chat_rules-0-slow_seconds": 30})

    assert answer.status_code == 302, answer.context["errors"]
    assert ChatRules.objects.get(pk=session.pk).slow_seconds == 30
    act = ModerationAct.objects.get()
    assert (act.kind, act.actor, act.note) == ("rules", session.seller, "slow_seconds: 0 → 30")
    history = ChatRules.objects.get(pk=session.pk).history.get()
    assert history.history_user == session.seller


def test_the_form_leaves_alone_what_the_desk_changed_meanwhile() -> None:
    session = LiveSessionFactory(live=True)
    ChatRulesFactory(live_session=session, slow_seconds=0)
    form = {"chat_rules-0-burst": 5}
    ChatRules.objects.filter(pk=session.pk).update(allows_links=False)

    assert saved(session, session.seller, **form).status_code == 302

    rules = ChatRules.objects.get(pk=session.pk)
    assert (rules.burst, rules.slow_seconds) == (5, 0)
    assert [act.note for act in ModerationAct.objects.all()] == ["burst: 3 → 5"]


def test_a_form_that_changes_no_rule_stores_none() -> None:
    session = LiveSessionFactory(live=True)

    assert saved(session, session.seller, title="Renamed").status_code == 302

    assert not ChatRules.objects.exists()
    assert kinds() == []


def test_rules_out_of_bounds_are_shown_in_the_form() -> None:
    session = LiveSessionFactory(live=True)

    assert saved(session, session.seller, **{"chat_rules-0-burst": 0}).status_code == 200

    assert not ChatRules.objects.exists()


def test_a_moderator_is_added_by_address_and_the_address_is_shown_to_nobody() -> None:
    session, person = LiveSessionFactory(live=True), UserFactory(email="kim@example.com")
    form = {
        "moderators-TOTAL_FORMS": 1,
        "moderators-0-live_session": session.pk,
        "moderators-0-email": "Kim@Example.com",
    }

    assert saved(session, session.seller, **form).status_code == 302

    moderator = Moderator.objects.get()
    assert (moderator.user, moderator.added_by) == (person, session.seller)
    page = client_of(session.seller).get(page_of(session)).content.decode()
    assert person.display_name in page
    assert person.email not in page
    gone = {
        "moderators-TOTAL_FORMS": 1,
        "moderators-INITIAL_FORMS": 1,
        "moderators-0-id": moderator.pk,
        "moderators-0-live_session": session.pk,
        "moderators-0-DELETE": "on",
    }
    assert saved(session, session.seller, **gone).status_code == 302
    assert kinds() == ["add", "drop"]


@pytest.mark.parametrize("who", ["nobody", "seller", "operator"])
def test_nobody_unknown_or_who_leads_anyway_is_made_a_moderator(who: str) -> None:
    session = LiveSessionFactory(live=True)
    email = {
        "nobody": "nobody@example.com",
        "seller": session.seller.email,
        "operator": OperatorFactory().email,
    }[who]
    form = {
        "moderators-TOTAL_FORMS": 1,
        "moderators-0-live_session": session.pk,
        "moderators-0-email": email,
    }

    assert saved(session, session.seller, **form).status_code == 200
    assert not Moderator.objects.exists()


def test_who_is_banned_is_refused_in_the_form_too() -> None:
    session = LiveSessionFactory(live=True)
    banned = RestrictionFactory(live_session=session, kind="ban").user
    form = {
        "moderators-TOTAL_FORMS": 1,
        "moderators-0-live_session": session.pk,
        "moderators-0-email": banned.email,
    }

    assert saved(session, session.seller, **form).status_code == 200
    assert not Moderator.objects.exists()


def test_a_session_that_is_being_made_has_no_chat_yet() -> None:
    page = client_of(SellerFactory()).get(reverse("admin:streams_livesession_add"))

    assert "chat_rules-TOTAL_FORMS" not in page.content.decode()


def test_the_history_of_the_rules_says_who_changed_what() -> None:
    session = LiveSessionFactory(live=True)
    saved(session, session.seller, **{"chat_rules-0-blocked_words": "spam"})

    address = reverse("admin:streams_chatrules_history", args=[session.pk])
    page = client_of(session.seller).get(address)

    assert page.status_code == 200
