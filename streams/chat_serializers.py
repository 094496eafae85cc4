"""Bodies of the API about chats and the order in them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from accounts.client_ids import ClientIdField
from accounts.models import normalised_email
from accounts.paging import LARGEST_ID
from accounts.serializers import LONGEST_EMAIL
from accounts.templatetags.people import public_name
from streams.chat import author_tag, role_of
from streams.models import ChatMessage, ChatRules, Moderator, Restriction, RestrictionKind
from streams.moderation import MOST_MINUTES, RULE_FIELDS

# What a body may hold before it is tidied: what is dropped then must not refuse an honest line.
LONGEST_RAW = 2000


class MessageQuerySerializer(serializers.Serializer):
    """Where reading the chat goes on."""

    after = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=LARGEST_ID,
        help_text="Only messages with a larger id, oldest first; without it newest first.",
    )


class MessageInSerializer(serializers.Serializer):
    """A line to say. The same key sent again is the same message."""

    key = ClientIdField(help_text="Made by the client, once for each message.")
    text = serializers.CharField(max_length=LONGEST_RAW, allow_blank=True, trim_whitespace=False)


class ChatMessageSerializer(serializers.Serializer):
    """One line of chat."""

    id = serializers.IntegerField()
    tag = serializers.SerializerMethodField()
    author = serializers.SerializerMethodField()
    role = serializers.SerializerMethodField()
    is_mine = serializers.SerializerMethodField()
    text = serializers.CharField()
    sent_at = serializers.DateTimeField()

    def get_tag(self, message: ChatMessage) -> str:
        """The same for all that an author says in that session; tells nothing else."""
        return author_tag(message.live_session_id, message.author_id)

    def get_author(self, message: ChatMessage) -> str:
        """The name that the author chose to be seen by."""
        return public_name(message.author)

    def get_role(self, message: ChatMessage) -> str:
        """`seller`, `moderator` or empty."""
        return role_of(message)

    def get_is_mine(self, message: ChatMessage) -> bool:
        return message.author_id == self.context["request"].user.pk


class RestrictionInSerializer(serializers.Serializer):
    """How an author is restricted."""

    kind = serializers.ChoiceField(RestrictionKind.choices)
    minutes = serializers.IntegerField(
        required=False,
        allow_null=True,
        default=None,
        min_value=1,
        max_value=MOST_MINUTES,
        help_text="Null: until it is lifted.",
    )
    everywhere = serializers.BooleanField(
        default=False, help_text="In all live sessions of the seller, not in this one alone."
    )
    reason = serializers.CharField(max_length=200, allow_blank=True, default="")


class RestrictionSerializer(serializers.Serializer):
    """A mute or ban that holds."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(RestrictionKind.choices)
    tag = serializers.SerializerMethodField()
    name = serializers.SerializerMethodField()
    reason = serializers.CharField()
    imposed_by = serializers.SerializerMethodField()
    imposed_at = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True, help_text="Null: until it is lifted.")
    everywhere = serializers.SerializerMethodField()

    def get_tag(self, restriction: Restriction) -> str:
        """That of the person's messages in this session."""
        return author_tag(self.context["session"].pk, restriction.user_id)

    def get_name(self, restriction: Restriction) -> str:
        return public_name(restriction.user)

    def get_imposed_by(self, restriction: Restriction) -> str:
        return public_name(restriction.imposed_by) if restriction.imposed_by else ""

    def get_everywhere(self, restriction: Restriction) -> bool:
        return restriction.live_session_id is None


class ModeratorInSerializer(serializers.Serializer):
    """Who is to keep order: the author of a message there, or whose e-mail address it is."""

    message = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)
    email = serializers.EmailField(required=False, max_length=LONGEST_EMAIL, write_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            reason = ErrorDetail(_("Give either a message or an e-mail address."), "one_of_two")
            raise serializers.ValidationError({"message": [reason]})
        return attrs

    def validate_email(self, email: str) -> str | None:
        return normalised_email(email)


class ModeratorSerializer(serializers.Serializer):
    """Somebody who keeps order in a live session."""

    id = serializers.IntegerField()
    tag = serializers.SerializerMethodField()
    name = serializers.SerializerMethodField()
    added_at = serializers.DateTimeField()

    def get_tag(self, moderator: Moderator) -> str:
        """That of the person's messages in this session."""
        return author_tag(moderator.live_session_id, moderator.user_id)

    def get_name(self, moderator: Moderator) -> str:
        return public_name(moderator.user)


class ChatRulesSerializer(serializers.ModelSerializer):
    """How a live session is chatted in."""

    class Meta:
        model = ChatRules
        fields = RULE_FIELDS
