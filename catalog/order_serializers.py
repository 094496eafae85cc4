"""Bodies of the API about orders and payments."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from catalog.checkout import LONGEST_KEY, MOST_COURSES, OrderRequest
from catalog.models import CourseKind, OrderStatus, PaymentStatus
from catalog.serializers import money

LARGEST_ID = 2**63 - 1
SANDBOX_OUTCOMES = ["success", "decline", "timeout"]


def _ids(**options: Any) -> serializers.ListField:
    one = serializers.IntegerField(min_value=1, max_value=LARGEST_ID)
    return serializers.ListField(child=one, max_length=MOST_COURSES, **options)


class OrderInSerializer(serializers.Serializer):
    """What somebody wants to buy."""

    items = _ids(min_length=1, help_text="Ids of courses; each is bought once.")
    coupon = serializers.CharField(
        required=False, allow_blank=True, max_length=32, default="", help_text="Its code."
    )
    slots = _ids(
        required=False,
        default=list,
        help_text="Ids of times for consultations; without one, the next that is free.",
    )
    expected_total = money(
        required=False,
        allow_null=True,
        default=None,
        min_value=0,
        help_text=(
            "The total that the buyer was shown. Another one is refused with `price_changed`. "
            "Without it, a promotion that is sold out is refused with `sold_out`, never sold "
            "dearer."
        ),
    )

    def order_request(self, given: dict[str, Any]) -> OrderRequest:
        """What a valid body asks for."""
        return OrderRequest(
            courses=given["items"],
            coupon_code=given["coupon"],
            slots=given["slots"],
            expected_total=given["expected_total"],
            context=self.context_of(given),
        )

    def context_of(self, given: dict[str, Any]) -> str:
        """What else tells two requests apart."""
        return ""


def idempotency_key(value: str | None) -> str:
    """The header's value. Raises a validation error when it is missing or too long."""
    name = "Idempotency-Key"
    if not value or not value.strip():
        text = _("Send a header Idempotency-Key, one for each order, such as a UUID.")
        raise serializers.ValidationError({name: [serializers.ErrorDetail(text, "required")]})
    if len(value) > LONGEST_KEY or not value.isascii() or not value.isprintable():
        text = _("At most %(n)d printable ASCII characters.") % {"n": LONGEST_KEY}
        raise serializers.ValidationError({name: [serializers.ErrorDetail(text, "invalid")]})
    return value


class SlotSerializer(serializers.Serializer):
    """A time of a consultation."""

    id = serializers.IntegerField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


class PricedLineSerializer(serializers.Serializer):
    """list_price - promotion_discount - coupon_discount = price."""

    course = serializers.IntegerField(source="course.pk")
    slug = serializers.CharField(source="course.slug")
    title = serializers.CharField(source="course.title")
    kind = serializers.ChoiceField(CourseKind.choices, source="course.kind")
    list_price = money()
    promotion_discount = money()
    coupon_discount = money()
    price = money()


class QuoteSerializer(serializers.Serializer):
    """What courses cost together, line by line; every sum is the sum of its lines."""

    lines = PricedLineSerializer(many=True)
    list_total = money()
    promotion_discount = money()
    coupon_discount = money()
    total = money()
    currency = serializers.CharField()
    coupon = serializers.CharField(source="coupon.code", default=None, allow_null=True)


class OrderLineSerializer(PricedLineSerializer):
    """One course of an order."""

    slot = SlotSerializer(allow_null=True, source="booked_slot")
    refunded_at = serializers.DateTimeField(allow_null=True)


class OrderSerializer(serializers.Serializer):
    """An order. Its amounts never change after it was placed."""

    id = serializers.UUIDField(source="public_id")
    status = serializers.ChoiceField(OrderStatus.choices)
    lines = OrderLineSerializer(many=True, source="shown_lines")
    list_total = money()
    promotion_discount = money()
    coupon_discount = money()
    total = money()
    currency = serializers.CharField()
    coupon = serializers.CharField(source="coupon.code", default=None, allow_null=True)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(
        allow_null=True, help_text="Until when an unpaid order holds what it takes."
    )
    paid_at = serializers.DateTimeField(allow_null=True)


class PaymentSerializer(serializers.Serializer):
    """A payment that was begun, and where the buyer goes on with it."""

    provider = serializers.CharField()
    status = serializers.ChoiceField(PaymentStatus.choices)
    redirect_url = serializers.CharField(
        allow_null=True, help_text="An absolute address to open; null when there is none."
    )
    qr_code = serializers.CharField(
        allow_null=True, help_text="A text to be shown as a QR code; null when there is none."
    )


class PaidOrderSerializer(OrderSerializer):
    """An order with the payment that was just begun; null for an order that needs none."""

    payment = PaymentSerializer(allow_null=True)


class PayInSerializer(serializers.Serializer):
    """How somebody wants to pay."""

    provider = serializers.CharField(max_length=16)
    outcome = serializers.ChoiceField(
        SANDBOX_OUTCOMES,
        required=False,
        help_text="For the provider `sandbox` alone: what shall happen, at once.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("outcome") and attrs["provider"] != "sandbox":
            raise serializers.ValidationError({"outcome": _("Only the sandbox takes an outcome.")})
        return attrs
