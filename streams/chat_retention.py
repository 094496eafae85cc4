"""How long chats are kept (docs/operating.md): after that, what was said is nobody's any more."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, F, OuterRef

from streams.models import ChatMessage, LiveSession, Restriction

# Rows of one statement: others wait for it no longer than a moment.
BATCH = 1000


def forget_old_chats(*, moment: datetime) -> int:
    """Delete the chats of sessions that ended CHAT_DAYS ago or earlier; returns how many lines.

    The audit trail stays, without the lines that it was about. What is left of an interrupted
    round the next one finds.
    """
    said = ChatMessage.objects.filter(live_session=OuterRef("pk"))
    ended = LiveSession.objects.filter(ended_at__lte=moment - timedelta(days=settings.CHAT_DAYS))
    n_deleted = 0
    for session in ended.filter(Exists(said)).order_by("pk").only("pk", "seller"):
        # Pauses of people in a hurry, long over.
        Restriction.objects.filter(
            seller=session.seller_id, live_session=session, imposed_by=F("user")
        ).delete()
        n_deleted += _forget_chat(session)
    return n_deleted


def _forget_chat(session: LiveSession) -> int:
    lines = ChatMessage.objects.filter(live_session=session).order_by("pk")
    n_deleted = 0
    while keys := list(lines.values_list("pk", flat=True)[:BATCH]):
        ChatMessage.objects.filter(pk__in=keys).delete()
        n_deleted += len(keys)
    return n_deleted
