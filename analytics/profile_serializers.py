"""Bodies of the API about one's own profile."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from analytics.corrections import FIELD_ANSWERS, Answer, Change, subject_of_field
from analytics.known_profile import KnownField, KnownProfile
from analytics.methods.derived_profile import (
    BANDS,
    ENGAGEMENT,
    HOURS,
    INTERESTS,
    N_HOURS,
    PARTS,
    PRICE,
    STAGE,
)
from analytics.methods.rates import Rate
from analytics.models import Stage
from analytics.serializers import RateSerializer
from catalog.models import Category
from catalog.serializers import CategorySerializer, money

# Fields that one request may speak of.
MOST_FIELDS = 100


class KnownFieldSerializer(serializers.Serializer):
    """One field of interest."""

    category = CategorySerializer()
    weight = serializers.FloatField(help_text="Share of all interests, from 0 to 1.")
    n_events = serializers.IntegerField(help_text="Events behind it; 0: only said by the person.")
    is_chosen = serializers.BooleanField(help_text="One of the interests of `me/`.")
    answer = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ChoiceField(FIELD_ANSWERS, allow_null=True))
    def get_answer(self, field: KnownField) -> str | None:
        """What the person said of it."""
        return field.answer or None


class KnownInterestsSerializer(serializers.Serializer):
    is_off = serializers.BooleanField()
    known = KnownFieldSerializer(many=True, help_text="At most ten, the strongest first.")
    switched_off = CategorySerializer(many=True, help_text="Switched off by the person.")


class KnownHourSerializer(serializers.Serializer):
    hour = serializers.IntegerField(help_text="From 0 to 23, in `zone`.")
    n_events = serializers.IntegerField()


class KnownHoursSerializer(serializers.Serializer):
    is_off = serializers.BooleanField()
    is_corrected = serializers.BooleanField()
    zone = serializers.CharField(help_text="Such as Asia/Shanghai.")
    hours = KnownHourSerializer(many=True, help_text="At most three, the busiest first.")


class KnownPriceSerializer(serializers.Serializer):
    is_off = serializers.BooleanField()
    is_corrected = serializers.BooleanField()
    band = serializers.ChoiceField(BANDS, allow_null=True)
    mean = money(allow_null=True, help_text="Mean price of the purchases.")
    currency = serializers.CharField(allow_null=True)
    n_purchases = serializers.IntegerField()
    discounted = RateSerializer(
        help_text="Purchases below their list price of those whose list price is known."
    )


class KnownStageSerializer(serializers.Serializer):
    is_off = serializers.BooleanField()
    stage = serializers.ChoiceField(Stage.choices, allow_null=True)
    last_active_at = serializers.DateTimeField(allow_null=True)
    n_events = serializers.IntegerField()


class KnownEngagementSerializer(serializers.Serializer):
    """What was done in live rooms."""

    is_off = serializers.BooleanField()
    n_sessions = serializers.IntegerField()
    watched_seconds = serializers.IntegerField()
    n_chats = serializers.IntegerField()
    n_likes = serializers.IntegerField()
    n_shares = serializers.IntegerField()


class KnownProfileSerializer(serializers.Serializer):
    """All that is derived of the person; a part that is off is empty."""

    is_personalised = serializers.BooleanField()
    built_at = serializers.DateTimeField(allow_null=True)
    n_events = serializers.IntegerField()
    interests = KnownInterestsSerializer()
    hours = KnownHoursSerializer()
    price = KnownPriceSerializer()
    stage = KnownStageSerializer()
    engagement = KnownEngagementSerializer()

    def to_representation(self, known: KnownProfile) -> dict[str, Any]:
        return super().to_representation(_in_parts(known))


def _in_parts(known: KnownProfile) -> dict[str, Any]:
    price, did, off = known.price, known.engagement, known.off
    is_off = {part: part in off for part in PARTS}
    n_stage = known.n_events if known.stage else 0
    return {
        "is_personalised": known.is_personalised,
        "built_at": known.built_at,
        "n_events": known.n_events,
        "interests": {
            "is_off": is_off[INTERESTS],
            "known": known.fields,
            "switched_off": known.fields_off,
        },
        "hours": {
            "is_off": is_off[HOURS],
            "is_corrected": bool(known.said.hours),
            "zone": settings.TIME_ZONE,
            "hours": known.hours,
        },
        "price": {
            "is_off": is_off[PRICE],
            "is_corrected": bool(known.said.band),
            "band": price.get("band") or None,
            "mean": price.get("mean"),
            "currency": price.get("currency") or None,
            "n_purchases": price.get("n_purchases", 0),
            "discounted": Rate(price.get("n_discounted", 0), price.get("n_known", 0)),
        },
        "stage": {
            "is_off": is_off[STAGE],
            "stage": known.stage or None,
            "last_active_at": known.last_active_at,
            "n_events": n_stage,
        },
        "engagement": {
            "is_off": is_off[ENGAGEMENT],
            "n_sessions": did.get("n_sessions", 0),
            "watched_seconds": did.get("watched_seconds", 0),
            "n_chats": did.get("n_chats", 0),
            "n_likes": did.get("n_likes", 0),
            "n_shares": did.get("n_shares", 0),
        },
    }


class PartChangeSerializer(serializers.Serializer):
    """A part that can be switched off (true) and on (false)."""

    is_off = serializers.BooleanField(required=False)

    def changes_of(self, part: str, given: dict[str, Any]) -> list[Change]:
        if "is_off" not in given:
            return []
        return [Change(part, Answer.OFF if given["is_off"] else Answer.ON)]


class HoursChangeSerializer(PartChangeSerializer):
    hours = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=23),
        required=False,
        allow_null=True,
        min_length=1,
        max_length=N_HOURS,
        help_text="In place of the derived ones; null takes back all that was said of them.",
    )

    def changes_of(self, part: str, given: dict[str, Any]) -> list[Change]:
        return [*_instead(part, given, "hours"), *super().changes_of(part, given)]


class PriceChangeSerializer(PartChangeSerializer):
    band = serializers.ChoiceField(
        BANDS,
        required=False,
        allow_null=True,
        help_text="In place of the derived one; null takes back all that was said of it.",
    )

    def changes_of(self, part: str, given: dict[str, Any]) -> list[Change]:
        return [*_instead(part, given, "band"), *super().changes_of(part, given)]


class FieldChangeSerializer(serializers.Serializer):
    """What is said of one field: more or less of it, off and on, reset (takes that back), or add
    (also to the interests of `me/`)."""

    category = serializers.SlugField(max_length=60)
    answer = serializers.ChoiceField(
        [*FIELD_ANSWERS, Answer.OFF.value, Answer.ON.value, Answer.RESET.value, Answer.ADD.value]
    )


class InterestsChangeSerializer(PartChangeSerializer):
    said = FieldChangeSerializer(many=True, required=False, max_length=MOST_FIELDS)  # type: ignore[call-arg]

    def validate_said(self, said: list[dict[str, Any]]) -> list[Change]:
        slugs = {one["category"] for one in said}
        found = dict(Category.objects.filter(slug__in=slugs).values_list("slug", "pk"))
        if unknown := sorted(slugs - found.keys()):
            raise serializers.ValidationError(
                _("There is no field “%(slug)s”.") % {"slug": unknown[0]}, "unknown_field"
            )
        return [_field_change(found[one["category"]], one["answer"]) for one in said]

    def changes_of(self, part: str, given: dict[str, Any]) -> list[Change]:
        return [*given.get("said", []), *super().changes_of(part, given)]


class ProfileChangesSerializer(serializers.Serializer):
    """What the person says of their profile; what is left out stays."""

    interests = InterestsChangeSerializer(required=False)
    hours = HoursChangeSerializer(required=False)
    price = PriceChangeSerializer(required=False)
    stage = PartChangeSerializer(required=False)
    engagement = PartChangeSerializer(required=False)

    def changes(self) -> list[Change]:
        """The changes that were asked for, in the order of the parts."""
        found: list[Change] = []
        for part in PARTS:
            if part in self.validated_data:
                of_part: Any = self.fields[part]
                found += of_part.changes_of(part, self.validated_data[part])
        return found


def _instead(part: str, given: dict[str, Any], name: str) -> list[Change]:
    if name not in given:
        return []
    value = given[name]
    return [Change(part, Answer.RESET) if value is None else Change(part, Answer.INSTEAD, value)]


def _field_change(category_id: int, answer: str) -> Change:
    subject = subject_of_field(category_id)
    if answer in FIELD_ANSWERS:
        return Change(subject, Answer.INSTEAD, answer)
    return Change(subject, Answer(answer))
