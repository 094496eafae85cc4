"""What live sessions hold about a person."""

from __future__ import annotations

from accounts.models import User
from accounts.personal_data import Sections, rows
from streams.models import ChatMessage, DrawEntry, OrderAttribution, PollVote, Reminder


def export_viewer(person: User) -> Sections:
    """What the person wrote, wants to be reminded of, and from which session they bought."""
    return {
        "chat_messages": rows(
            ChatMessage.objects.filter(author=person).order_by("pk"),
            *("live_session_id", "text", "sent_at", "hidden_at"),
        ),
        "reminders": rows(
            Reminder.objects.filter(user=person).order_by("pk"),
            *("live_session_id", "created_at", "sent_at"),
        ),
        "poll_votes": rows(
            PollVote.objects.filter(voter=person).order_by("pk"),
            *("poll__live_session_id", "poll__question", "option__text", "voted_at"),
        ),
        "draw_entries": rows(
            DrawEntry.objects.filter(entrant=person).order_by("pk"),
            *("draw__live_session_id", "draw__prize", "ticket", "entered_at", "place"),
        ),
        "order_sessions": rows(
            OrderAttribution.objects.filter(order__buyer=person).order_by("pk"),
            *("order__public_id", "live_session_id"),
        ),
    }


def erase_viewer(person: User) -> None:
    """Drop what the person wrote and asked for."""
    ChatMessage.objects.filter(author=person).delete()
    Reminder.objects.filter(user=person).delete()
    PollVote.objects.filter(voter=person).delete()
    # The ticket stays, nobody's: without it the draw could not be checked any more.
    DrawEntry.objects.filter(entrant=person).update(entrant=None)
