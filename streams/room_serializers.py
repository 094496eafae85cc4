"""Bodies of the API about live rooms, for clients without sockets; the frames of sockets alike."""

from __future__ import annotations

from rest_framework import serializers

from accounts.client_ids import ClientIdField
from accounts.paging import LARGEST_ID
from catalog.models import CourseKind
from catalog.serializers import money
from streams.models import SessionStatus, Source

# A stay of a day is none.
LONGEST_STAY_SECONDS = 86_400
MOST_LIKES = 50


class RoomQuerySerializer(serializers.Serializer):
    """Where reading the chat goes on."""

    after = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=LARGEST_ID,
        help_text="Only messages with a larger id; without it the newest.",
    )


class VideoPartSerializer(serializers.Serializer):
    kind = serializers.ChoiceField(choices=["hls", "none"])
    url = serializers.CharField(allow_null=True)
    is_on_air = serializers.BooleanField()
    is_away = serializers.BooleanField(help_text="The picture is missing, and expected back.")
    is_sample = serializers.BooleanField()


class ShowcasePartSerializer(serializers.Serializer):
    item = serializers.IntegerField()
    course = serializers.IntegerField()
    slug = serializers.CharField()
    title = serializers.CharField()
    kind = serializers.ChoiceField(choices=CourseKind.choices)
    cover = serializers.CharField()
    is_pinned = serializers.BooleanField()
    list_price = money()
    price = money(help_text="What an order from this session is charged now.")
    currency = serializers.CharField()
    seats_left = serializers.IntegerField(allow_null=True)
    offer_ends_at = serializers.DateTimeField(allow_null=True)


class CouponPartSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    code = serializers.CharField()
    kind = serializers.CharField()
    percent = serializers.IntegerField(allow_null=True)
    amount = money(allow_null=True)
    minimum_spend = money()
    currency = serializers.CharField()
    ends_at = serializers.DateTimeField()


class PollOptionPartSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    text = serializers.CharField()
    n_votes = serializers.IntegerField()


class PollPartSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    question = serializers.CharField()
    options = PollOptionPartSerializer(many=True)
    n_votes = serializers.IntegerField()
    is_open = serializers.BooleanField()


class WinnerPartSerializer(serializers.Serializer):
    ticket = serializers.CharField()
    name = serializers.CharField(allow_blank=True)


class DrawPartSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    prize = serializers.CharField()
    n_winners = serializers.IntegerField()
    commitment = serializers.CharField()
    closes_at = serializers.DateTimeField()
    n_entries = serializers.IntegerField()
    is_drawn = serializers.BooleanField()
    secret = serializers.CharField(allow_null=True, help_text="Null before the draw is over.")
    winners = WinnerPartSerializer(many=True)


class ChatPartSerializer(serializers.Serializer):
    is_open = serializers.BooleanField()
    longest = serializers.IntegerField(help_text="Characters of a message.")
    slow_seconds = serializers.IntegerField(help_text="Between two messages of a writer; 0: any.")
    allows_links = serializers.BooleanField()


class BoughtPartSerializer(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField(help_text="All but the first character covered.")
    course = serializers.IntegerField()
    title = serializers.CharField()
    at = serializers.DateTimeField(allow_null=True)


class RoomStateSerializer(serializers.Serializer):
    """All that everybody sees."""

    status = serializers.ChoiceField(choices=SessionStatus.choices)
    video = VideoPartSerializer()
    viewers = serializers.IntegerField()
    likes = serializers.IntegerField()
    showcase = ShowcasePartSerializer(many=True)
    coupons = CouponPartSerializer(many=True)
    poll = PollPartSerializer(allow_null=True)
    draw = DrawPartSerializer(allow_null=True)
    chat = ChatPartSerializer()
    bought = BoughtPartSerializer(many=True)
    hidden = serializers.ListField(
        child=serializers.IntegerField(), help_text="Messages that were taken out of sight."
    )


class RoomMessageSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    tag = serializers.CharField(help_text="The same for all that an author says in this session.")
    author = serializers.CharField()
    role = serializers.CharField(allow_blank=True, help_text="`seller`, `moderator` or empty.")
    text = serializers.CharField()
    sent_at = serializers.DateTimeField()


class MeInRoomSerializer(serializers.Serializer):
    """What the room means to who asks."""

    is_signed_in = serializers.BooleanField()
    tag = serializers.CharField(allow_null=True)
    can_write = serializers.BooleanField()
    is_muted = serializers.BooleanField()
    muted_until = serializers.DateTimeField(allow_null=True)
    is_moderator = serializers.BooleanField()
    vote = serializers.IntegerField(allow_null=True, help_text="The answer one chose.")
    entry = serializers.CharField(allow_null=True, help_text="One's ticket in the draw.")


class RoomSerializer(serializers.Serializer):
    """A live room as it stands now."""

    type = serializers.ChoiceField(choices=["room"])
    state = RoomStateSerializer()
    messages = RoomMessageSerializer(many=True, help_text="At most 200, oldest first.")
    me = MeInRoomSerializer()


class LikesSerializer(serializers.Serializer):
    """Likes since the last request."""

    n = serializers.IntegerField(min_value=1, max_value=MOST_LIKES)


class BeatSerializer(serializers.Serializer):
    """How long somebody has watched, with the page in sight, in one stay."""

    visit = ClientIdField(help_text="Made by the client, once for each stay.")
    seconds = serializers.IntegerField(
        min_value=0,
        max_value=LONGEST_STAY_SECONDS,
        help_text="Since the stay began, so that it does no harm to send it twice.",
    )
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=Source.choices, required=False, help_text="From where the viewer came."
    )
