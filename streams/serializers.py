"""Bodies of the API about live sessions."""

from __future__ import annotations

from rest_framework import serializers

from accounts.serializers import PublicPersonSerializer
from catalog.serializers import CourseSerializer, money
from streams.covers import session_cover_url
from streams.models import LiveSession, SessionStatus


class LiveSessionSerializer(serializers.Serializer):
    """When, by whom, and how much it shows."""

    id = serializers.IntegerField()
    title = serializers.CharField()
    summary = serializers.CharField()
    status = serializers.ChoiceField(SessionStatus.choices)
    seller = PublicPersonSerializer()
    scheduled_at = serializers.DateTimeField(allow_null=True)
    planned_minutes = serializers.IntegerField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    n_courses = serializers.IntegerField(help_text="Courses in the showcase.")
    cover = serializers.SerializerMethodField()

    def get_cover(self, session: LiveSession) -> str:
        """An absolute address."""
        return self.context["request"].build_absolute_uri(session_cover_url(session))


class SessionOfferSerializer(serializers.Serializer):
    """A price that holds in this session alone."""

    price = money(source="promotion.price")
    currency = serializers.CharField(source="promotion.course.currency")
    ends_at = serializers.DateTimeField(source="promotion.ends_at")
    seats_left = serializers.IntegerField(source="promotion.seats_left", allow_null=True)


class ShowcaseSerializer(serializers.Serializer):
    course = CourseSerializer(source="card")
    is_pinned = serializers.BooleanField()
    offer = SessionOfferSerializer(source="promotion", allow_null=True)


class LiveSessionDetailSerializer(LiveSessionSerializer):
    """A live session with its showcase, the pinned course first."""

    showcase = ShowcaseSerializer(many=True, source="cards")
    has_reminder = serializers.BooleanField(help_text="Whether one asked to be reminded.")


class SessionQuerySerializer(serializers.Serializer):
    """The filter of the list of live sessions."""

    status = serializers.ChoiceField(
        [choice for choice in SessionStatus.choices if choice[0] != SessionStatus.DRAFT],
        required=False,
        help_text="scheduled: soonest first; everything else newest first.",
    )


class ReminderSerializer(serializers.Serializer):
    """The wish to be told before a session begins."""

    live_session = serializers.IntegerField(source="live_session_id", read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    sent_at = serializers.DateTimeField(read_only=True, allow_null=True)
