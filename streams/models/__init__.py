"""The rows of live sessions: their plan, their room, who takes part, their video."""

from streams.models.attendance import (
    RoomMinute,
    RoomPresence,
    Source,
    Visit,
)
from streams.models.games import (
    Draw,
    DrawEntry,
    Poll,
    PollOption,
    PollVote,
)
from streams.models.room import (
    ActKind,
    ChatMessage,
    ChatRules,
    ModerationAct,
    Moderator,
    Restriction,
    RestrictionKind,
    Room,
)
from streams.models.sessions import (
    ChangeCause,
    LiveSession,
    OrderAttribution,
    PinnedSpan,
    Reminder,
    SessionChange,
    SessionCoupon,
    SessionPromotion,
    SessionStatus,
    ShowcaseItem,
)
from streams.models.video import (
    Broadcast,
    StreamKey,
)

__all__ = [
    "ActKind",
    "Broadcast",
    "ChangeCause",
    "ChatMessage",
    "ChatRules",
    "Draw",
    "DrawEntry",
    "LiveSession",
    "ModerationAct",
    "Moderator",
    "OrderAttribution",
    "PinnedSpan",
    "Poll",
    "PollOption",
    "PollVote",
    "Reminder",
    "Restriction",
    "RestrictionKind",
    "Room",
    "RoomMinute",
    "RoomPresence",
    "SessionChange",
    "SessionCoupon",
    "SessionPromotion",
    "SessionStatus",
    "ShowcaseItem",
    "Source",
    "StreamKey",
    "Visit",
]
