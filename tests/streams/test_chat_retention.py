"""How long chats are kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from streams import chat_retention
from streams.chat_retention import forget_old_chats
from streams.models import ChatMessage, ModerationAct, Restriction
from tests.factories import (
    ChatMessageFactory,
    LiveSessionFactory,
    ModerationActFactory,
    RestrictionFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]
NOW = timezone.now()


def ended(days: float):
    ago = NOW - timedelta(days=days)
    return LiveSessionFactory(ended=True, started_at=ago - timedelta(hours=1), ended_at=ago)


def test_chats_go_half_a_year_after_the_end_and_no_earlier(monkeypatch, settings) -> None:
    monkeypatch.setattr(chat_retention, "BATCH", 2)
    settings.CHAT_DAYS = 180
    old, young, live = ended(180), ended(179.9), LiveSessionFactory(live=True)
    messages = [ChatMessageFactory(live_session=old) for _ in range(5)]
    kept = [ChatMessageFactory(live_session=session).pk for session in (young, live)]
    act = ModerationActFactory(live_session=old, message=messages[0], note="spam")

    assert forget_old_chats(moment=NOW) == 5
    assert forget_old_chats(moment=NOW) == 0

    assert list(ChatMessage.objects.order_by("pk").values_list("pk", flat=True)) == kept
    assert ModerationAct.objects.get().message is None
    assert ModerationAct.objects.get().note == act.note


def test_mutes_and_bans_outlive_the_chat_but_pauses_do_not() -> None:
    old = ended(400)
    message = ChatMessageFactory(live_session=old)
    ban = RestrictionFactory(live_session=old, kind="ban")
    RestrictionFactory(live_session=old, user=message.author, imposed_by=message.author)

    forget_old_chats(moment=NOW)

    assert list(Restriction.objects.all()) == [ban]
