"""What the page of a live room shows before its script has got a word from the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.chat import author_tag, messages_after, rules_of
from streams.models import LiveSession, Room

if TYPE_CHECKING:
    from accounts.rules import Person

# Enough to follow what is being talked about; a slow line carries them first.
MESSAGES_AT_LOAD = 30


def room_at_load(session: LiveSession, *, viewer: Person) -> dict[str, Any]:
    """The newest messages in the shape of the wire, the likes, and what the chat allows."""
    said = messages_after(session.pk, None, limit=MESSAGES_AT_LOAD)
    room = Room.objects.filter(pk=session.pk).first()
    return {
        "said": said,
        "my_tag": author_tag(session.pk, viewer.pk) if viewer.is_authenticated else "",
        "likes": room.n_likes if room else 0,
        "longest": rules_of(session).longest,
    }
