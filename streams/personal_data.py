"""What live sessions hold about a person."""

from __future__ import annotations

from accounts.models import User
from accounts.personal_data import Sections, rows
from streams.models import (
    ChatMessage,
    DrawEntry,
    ModerationAct,
    Moderator,
    OrderAttribution,
    PollVote,
    Reminder,
    Restriction,
    StreamKey,
    Visit,
)


def export_viewer(person: User) -> Sections:
    """What the person did in live sessions, and what order in them asked of the person."""
    return {
        "chat_messages": rows(
            ChatMessage.objects.filter(author=person).order_by("pk"),
            *("live_session_id", "text", "sent_at", "hidden_at"),
        ),
        "mutes_and_bans": rows(
            Restriction.objects.filter(user=person).order_by("pk"),
            *("live_session_id", "kind", "reason", "imposed_at", "until", "lifted_at"),
        ),
        "moderator_roles": rows(
            Moderator.objects.filter(user=person).order_by("pk"),
            *("live_session_id", "added_at"),
        ),
        # What one did to others says nothing here of whom it concerned.
        "moderation_done": rows(
            ModerationAct.objects.filter(actor=person).order_by("pk"),
            *("live_session_id", "kind", "done_at"),
        ),
        "moderation_met": rows(
            ModerationAct.objects.filter(subject=person).order_by("pk"),
            *("live_session_id", "kind", "note", "done_at"),
        ),
        "reminders": rows(
            Reminder.objects.filter(user=person).order_by("pk"),
            *("live_session_id", "created_at", "sent_at"),
        ),
        "visits": rows(
            Visit.objects.filter(user=person).order_by("pk"),
            *("live_session_id", "source", "joined_at", "last_seen_at"),
            *("watched_seconds", "n_likes"),
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
    """Drop what the person wrote and asked for, and their name from what others did."""
    ChatMessage.objects.filter(author=person).delete()
    ChatMessage.objects.filter(hidden_by=person).update(hidden_by=None)
    Restriction.objects.filter(user=person).delete()
    Restriction.objects.filter(imposed_by=person).update(imposed_by=None)
    Moderator.objects.filter(user=person).delete()
    # The audit trail keeps what was done, not to whom nor by whom; reasons tell of the person.
    ModerationAct.objects.filter(subject=person).update(subject=None, note="")
    ModerationAct.objects.filter(actor=person).update(actor=None)
    Reminder.objects.filter(user=person).delete()
    # Of somebody who sold here once.
    StreamKey.objects.filter(seller=person).delete()
    Visit.objects.filter(user=person).delete()
    PollVote.objects.filter(voter=person).delete()
    # The ticket stays, nobody's: without it the draw could not be checked any more.
    DrawEntry.objects.filter(entrant=person).update(entrant=None)
