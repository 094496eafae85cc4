"""Who may do what with live sessions and what was said in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules import add_perm, predicate

from accounts.rules import grant, is_operator, is_staff, managed_through
from streams.models import (
    Broadcast,
    ChatMessage,
    ChatRules,
    Draw,
    LiveSession,
    ModerationAct,
    Moderator,
    OrderAttribution,
    Poll,
    Reminder,
    Restriction,
    SessionStatus,
    StreamKey,
)

if TYPE_CHECKING:
    from accounts.rules import Person


@predicate
def is_draft(person: Person, session: LiveSession | None) -> bool:
    """Only a session that nobody was told of may vanish."""
    return session is None or session.status == SessionStatus.DRAFT


@predicate
def is_moderator(person: Person, session: LiveSession) -> bool:
    """Whether the person was given the moderator's role in this one session."""
    if not person.is_authenticated or not person.is_active:
        return False
    return Moderator.objects.filter(live_session=session, user=person).exists()


own = managed_through("seller")

grant(LiveSession, view=own, add=is_staff, change=own, delete=own & is_draft)
# Asked with a session: who keeps order in its chat.
add_perm("streams.moderate_livesession", own | is_moderator)
grant(ChatMessage, view=managed_through("live_session__seller"))
grant(ChatRules, view=managed_through("live_session__seller"))
grant(Restriction, view=own)
grant(ModerationAct, view=managed_through("live_session__seller"))
grant(Poll, view=managed_through("live_session__seller"))
grant(Draw, view=managed_through("live_session__seller"))
grant(Broadcast, view=managed_through("live_session__seller"))
grant(StreamKey, view=own)
grant(OrderAttribution, view=managed_through("live_session__seller"))
# Who wants to be reminded is nobody's business but theirs; sellers see how many do.
grant(Reminder, view=is_operator)
