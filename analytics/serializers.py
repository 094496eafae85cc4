"""Bodies of the API about events, recommendations and a seller's figures."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.client_ids import ClientIdField
from accounts.paging import LARGEST_ID
from analytics.events import CLIENT_KINDS, MOST_EVENTS, NewEvent
from analytics.live_figures import LiveFigures
from analytics.methods.rates import Rate
from analytics.methods.reasons import Reason
from analytics.methods.small_groups import SMALLEST_GROUP
from analytics.models import (
    CourseRetention,
    EventKind,
    FigureSource,
    Forecast,
    SessionFigures,
)
from catalog.serializers import CourseSerializer, money
from streams.models import SessionStatus

_KIND_NOT_ALLOWED = format_lazy(
    _("“{{input}}” is not allowed here; allowed are {kinds}."),
    kinds=", ".join(kind.api_name for kind in CLIENT_KINDS),
)
_KINDS = {kind.api_name: kind for kind in CLIENT_KINDS}

# Courses of a list of recommendations that does not say how many.
DEFAULT_LIMIT = 12


class ZonedDateTimeField(serializers.DateTimeField):
    """A moment; one without a zone is refused instead of guessed at."""

    default_error_messages = {"no_zone": _("The time needs a zone, such as Z or +08:00.")}

    def enforce_timezone(self, value: datetime) -> datetime:
        if timezone.is_naive(value):
            self.fail("no_zone")
        return super().enforce_timezone(value)


class FirstErrorList(serializers.ListSerializer):
    """Names the first item that is wrong: five hundred complaints help nobody."""

    def to_internal_value(self, data: Any) -> list[Any]:
        try:
            return super().to_internal_value(data)
        except serializers.ValidationError as error:
            details: Any = error.detail
            first = next(iter(details))
            raise serializers.ValidationError({first: details[first]}) from error


class EventSerializer(serializers.Serializer):
    """One thing that the viewer did."""

    id = ClientIdField(help_text="Made by the client; the same id is stored once.")
    kind = serializers.ChoiceField(
        list(_KINDS), error_messages={"invalid_choice": _KIND_NOT_ALLOWED}
    )
    occurred_at = ZonedDateTimeField()
    course = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=LARGEST_ID
    )
    live_session = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=LARGEST_ID
    )
    value = serializers.FloatField(
        required=False,
        allow_null=True,
        help_text="Seconds for watch and lesson_progress, likes for like; else null.",
    )

    class Meta:
        list_serializer_class = FirstErrorList

    def to_internal_value(self, data: Any) -> NewEvent:
        given = super().to_internal_value(data)
        return NewEvent(**{**given, "kind": EventKind[given["kind"].upper()]})


class EventsSerializer(serializers.Serializer):
    """A batch of events."""

    events = EventSerializer(many=True, allow_empty=False, max_length=MOST_EVENTS)  # type: ignore[call-arg]


class IntakeSerializer(serializers.Serializer):
    """What became of a batch."""

    received = serializers.IntegerField(source="n_received")
    stored = serializers.IntegerField(
        source="n_stored", help_text="Less than received where some were stored before."
    )


class RecommendedSerializer(CourseSerializer):
    """A course with why it is shown."""

    score = serializers.FloatField(help_text="Larger is better; compare within one list only.")
    reason = serializers.CharField(help_text="A sentence in the language of the request.")
    reason_code = serializers.ChoiceField([one.name.lower() for one in Reason])


class HowManySerializer(serializers.Serializer):
    """How many courses are wanted."""

    limit = serializers.IntegerField(
        required=False, min_value=1, max_value=50, default=DEFAULT_LIMIT
    )


class RateSerializer(serializers.Serializer):
    """A share with its two counts; without a denominator it has no value."""

    numerator = serializers.IntegerField()
    denominator = serializers.IntegerField()
    value = serializers.FloatField(allow_null=True, help_text="From 0 to 1.")
    percent = serializers.CharField(allow_null=True, help_text="Such as 10.0%.")


class OfferSalesSerializer(serializers.Serializer):
    """What was sold at one offer in one currency; a buyer counts once."""

    n_orders = serializers.IntegerField()
    n_buyers = serializers.IntegerField()
    gmv = money(help_text="Paid amounts before refunds.")
    net_sales = money(help_text="Paid amounts after refunds.")
    currency = serializers.CharField()


class PromotionSalesSerializer(OfferSalesSerializer):
    """What was sold at the price of one promotion."""

    promotion = serializers.IntegerField(
        source="id", allow_null=True, help_text="Null: sold without a promotion."
    )
    price = money(source="promotion_price", allow_null=True, help_text="Of the promotion.")


class CouponSalesSerializer(OfferSalesSerializer):
    """What one coupon lowered."""

    coupon = serializers.IntegerField(
        source="id", allow_null=True, help_text="Null: sold without a coupon."
    )
    code = serializers.CharField(source="coupon_code", allow_null=True)


class LiveCountsSerializer(serializers.Serializer):
    """What was counted of a session, a product or a source of traffic, up to now."""

    n_impressions = serializers.IntegerField()
    n_clicks = serializers.IntegerField()
    n_orders = serializers.IntegerField()
    n_buyers = serializers.IntegerField()
    click_through = RateSerializer(
        allow_null=True, help_text="Clicks of impressions; null where some were not recorded."
    )
    click_to_order = RateSerializer(
        allow_null=True, help_text="Orders of clicks; null where some ordered without a click."
    )
    gmv = money(help_text="Paid amounts before refunds.")
    net_sales = money(help_text="Paid amounts after refunds.")


class LiveRoomCountsSerializer(LiveCountsSerializer):
    n_viewers = serializers.IntegerField(help_text="Distinct people and anonymous visitors.")
    n_views = serializers.IntegerField(help_text="How often the room was entered.")
    conversion = RateSerializer(help_text="Distinct buyers of distinct viewers.")
    gmv_per_thousand_views = money(allow_null=True, help_text="Null without views.")


class LiveProductSerializer(serializers.Serializer):
    """What one course did; in the order of the showcase."""

    course = serializers.IntegerField(source="course_id")
    title = serializers.CharField()
    is_in_showcase = serializers.BooleanField()
    counts = LiveCountsSerializer()


class LiveSourceSerializer(serializers.Serializer):
    """Viewers by where they first came from; "" where that was not recorded."""

    source = serializers.CharField(allow_blank=True)  # type: ignore[assignment]
    counts = LiveRoomCountsSerializer()


class UsualSerializer(serializers.Serializer):
    """The median and the middle half of the seller's last sessions."""

    median = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    n = serializers.IntegerField(help_text="Sessions.")


class LiveFiguresSerializer(serializers.Serializer):
    """The figures as the desk shows them, counted when asked for, at most once a second."""

    moment = serializers.DateTimeField()
    is_live = serializers.BooleanField()
    seconds = serializers.FloatField(help_text="On air so far, or in all.")
    viewers_now = serializers.IntegerField(allow_null=True, help_text="Null unless live.")
    peak_viewers = serializers.IntegerField(allow_null=True)
    average_watch_seconds = serializers.SerializerMethodField()
    n_likes = serializers.IntegerField()
    currency = serializers.CharField()
    counts = LiveRoomCountsSerializer()
    products = LiveProductSerializer(many=True)
    sources = LiveSourceSerializer(many=True)
    usual = serializers.DictField(
        child=UsualSerializer(),
        help_text="By figure; of a live session at the same second of the show, else in all.",
    )

    def get_average_watch_seconds(self, figures: LiveFigures) -> float | None:
        """Watched seconds of distinct viewers; null without viewers and for very few."""
        counts = figures.counts
        return None if _is_small(counts.n_viewers) else counts.average_watch_seconds


class SessionMetricsSerializer(serializers.Serializer):
    """The counts of one live session. Rates follow the definitions of the platform.

    Sales are those of the seller's own courses: what an order from the session holds of other
    sellers is not in them.
    """

    live_session = serializers.IntegerField(source="live_session_id")
    source = serializers.ChoiceField(FigureSource.choices)  # type: ignore[assignment]
    n_impressions = serializers.IntegerField()
    n_views = serializers.IntegerField()
    n_clicks = serializers.IntegerField()
    n_viewers = serializers.IntegerField()
    n_buyers = serializers.IntegerField()
    n_orders = serializers.IntegerField()
    peak_viewers = serializers.IntegerField(allow_null=True)
    conversion = RateSerializer(help_text="Distinct buyers of distinct viewers.")
    click_through = RateSerializer(
        allow_null=True, help_text="Clicks of impressions; null where some were not recorded."
    )
    watched_seconds = serializers.SerializerMethodField()
    average_watch_seconds = serializers.SerializerMethodField()
    gmv = money(help_text="Paid amounts before refunds.")
    net_sales = money(help_text="Paid amounts after refunds.")
    refunded = money(help_text="What was given back: gmv less net_sales.")
    currency = serializers.CharField()
    by_promotion = PromotionSalesSerializer(
        source="sales.promotions",
        many=True,
        allow_null=True,
        help_text="Every sale is in one of these; null where only the sums are known.",
    )
    by_coupon = CouponSalesSerializer(
        source="sales.coupons",
        many=True,
        allow_null=True,
        help_text="Every sale is in one of these as well.",
    )
    updated_at = serializers.DateTimeField(allow_null=True, help_text="Null: not counted yet.")
    live = LiveFiguresSerializer(
        allow_null=True,
        source="live_figures",
        help_text="Counted now; the figures above are those of the last round. Null if imported.",
    )

    def get_watched_seconds(self, figures: SessionFigures) -> int | None:
        """Null where so few people watched that it would tell about single ones."""
        return None if _is_small(figures.n_viewers) else figures.watched_seconds

    def get_average_watch_seconds(self, figures: SessionFigures) -> float | None:
        """Watched seconds of distinct viewers; null without viewers and for very few."""
        return None if _is_small(figures.n_viewers) else figures.average_watch_seconds


class ForecastSessionSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    title = serializers.CharField()
    status = serializers.ChoiceField(SessionStatus.choices)
    scheduled_at = serializers.DateTimeField(allow_null=True)


class ForecastSerializer(serializers.Serializer):
    """The expected conversion rate of a session that is yet to begin; shares from 0 to 1."""

    live_session = ForecastSessionSerializer()
    expected_rate = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    level = serializers.FloatField(help_text="The probability of the interval.")
    percent = serializers.SerializerMethodField()
    basis = serializers.CharField(help_text="What the forecast rests on.")
    best_hours = serializers.JSONField(help_text="The same forecast by hour of the day.")
    made_at = serializers.DateTimeField()

    def get_percent(self, forecast: Forecast) -> str:
        """The expected rate in percent with one decimal."""
        return f"{forecast.expected_rate * 100:.1f}%"


class CohortSerializer(serializers.Serializer):
    """Of the people first active on day 0, those active again on that day."""

    day = serializers.IntegerField()
    rate = RateSerializer(allow_null=True)


class RetentionCourseSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    title = serializers.CharField()


class CourseRetentionSerializer(serializers.Serializer):
    """Retention and ratings of one course. Rates of very small groups are null."""

    course = RetentionCourseSerializer()
    n_learners = serializers.SerializerMethodField()
    retention = serializers.SerializerMethodField()
    cohorts = serializers.SerializerMethodField()
    n_ratings = serializers.IntegerField()
    rating_mean = serializers.FloatField(allow_null=True)
    updated_at = serializers.DateTimeField()

    def get_n_learners(self, found: CourseRetention) -> int | None:
        """Null from 1 to 9."""
        return None if _is_small(found.n_learners) else found.n_learners

    @extend_schema_field(RateSerializer(allow_null=True))
    def get_retention(self, found: CourseRetention) -> dict[str, Any] | None:
        """Days in the learners' longest runs of all their active days."""
        return None if _is_small(found.n_learners) else RateSerializer(found.rate).data

    @extend_schema_field(CohortSerializer(many=True))
    def get_cohorts(self, found: CourseRetention) -> list[dict[str, Any]]:
        """Cohort retention by day."""
        return [
            {
                "day": one["day"],
                "rate": None
                if _is_small(one["cohort"])
                else RateSerializer(Rate(one["returned"], one["cohort"])).data,
            }
            for one in found.cohorts
        ]


def _is_small(n_people: int) -> bool:
    return 0 < n_people < SMALLEST_GROUP
