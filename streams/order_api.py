"""The API of orders that may come from a live session, and of the coupons handed out there."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.requester import person_of
from accounts.serializers import ErrorSerializer
from catalog import order_api
from catalog.coupons import claimed_coupons
from catalog.models import Coupon, DiscountKind, Order
from catalog.order_serializers import (
    LARGEST_ID,
    OrderInSerializer,
    OrderSerializer,
    QuoteSerializer,
)
from catalog.pricing import Quote
from catalog.serializers import money
from streams.live_orders import (
    NotFromThere,
    claim_in_room,
    coupons_of_room,
    place_order,
    quote_for,
)
from streams.models import LiveSession


class LiveOrderInSerializer(OrderInSerializer):
    """What somebody wants to buy, and the live session from which they come."""

    live_session = serializers.IntegerField(
        required=False,
        allow_null=True,
        default=None,
        min_value=1,
        max_value=LARGEST_ID,
        help_text="Its id; its own promotions hold while it is live.",
    )

    def context_of(self, given: dict[str, Any]) -> str:
        return f"live-session-{given['live_session']}" if given["live_session"] else ""


def session_of(given: dict[str, Any], person: User) -> LiveSession | None:
    """The session of a body. Raises NotFromThere for one that the person may not know of."""
    pk = given["live_session"]
    if pk is None:
        return None
    session = LiveSession.objects.visible_to(person).filter(pk=pk).first()
    if session is None:
        raise NotFromThere
    return session


class OrderListView(order_api.OrderListView):
    """One's own orders, and a new one, which may come from a live session."""

    body_serializer_class = LiveOrderInSerializer

    @extend_schema(
        operation_id="place_order",
        parameters=[order_api.KEY_HEADER],
        request=LiveOrderInSerializer,
        responses={201: OrderSerializer, 409: ErrorSerializer, 422: ErrorSerializer},
    )
    def post(self, request: Request) -> Response:
        return super().post(request)

    post.__doc__ = order_api.OrderListView.post.__doc__

    def place(self, buyer: User, key: str, given: dict[str, Any]) -> Order:
        return place_order(
            buyer=buyer,
            request=self.wanted(given),
            key=key,
            session=session_of(given, buyer),
            moment=timezone.now(),
        )


class OrderQuoteView(order_api.OrderQuoteView):
    """What an order would cost, in a live session where there is one."""

    body_serializer_class = LiveOrderInSerializer

    @extend_schema(
        operation_id="quote_order",
        request=LiveOrderInSerializer,
        responses={200: QuoteSerializer, 409: ErrorSerializer},
    )
    def post(self, request: Request) -> Response:
        return super().post(request)

    post.__doc__ = order_api.OrderQuoteView.post.__doc__

    def price(self, buyer: User, given: dict[str, Any]) -> Quote:
        session = session_of(given, buyer)
        return quote_for(request=self.wanted(given), session=session, moment=timezone.now())


class SessionCouponSerializer(serializers.Serializer):
    """A coupon that a live session hands out."""

    id = serializers.IntegerField()
    code = serializers.CharField()
    kind = serializers.ChoiceField(DiscountKind.choices)
    percent = serializers.IntegerField(allow_null=True)
    amount = money(allow_null=True)
    currency = serializers.CharField()
    minimum_spend = money()
    ends_at = serializers.DateTimeField()
    is_claimed = serializers.BooleanField(help_text="Whether one has it and can still use it.")


class _SessionCouponView(GenericAPIView):
    serializer_class = SessionCouponSerializer

    def session(self, pk: int) -> LiveSession:
        visible = LiveSession.objects.visible_to(person_of(self.request))
        return get_object_or_404(visible, pk=pk)

    def shown(self, coupons: list[Coupon]) -> list[Coupon]:
        claimed = set(claimed_coupons(person_of(self.request), moment=timezone.now()))
        for coupon in coupons:
            coupon.is_claimed = coupon in claimed  # type: ignore[attr-defined]
        return coupons


class SessionCouponListView(_SessionCouponView):
    @extend_schema(operation_id="session_coupons", responses=SessionCouponSerializer(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """The coupons that a live session hands out right now."""
        coupons = coupons_of_room(self.session(pk), moment=timezone.now())
        return Response(self.get_serializer(self.shown(coupons), many=True).data)


class SessionCouponClaimView(_SessionCouponView):
    @extend_schema(
        operation_id="claim_coupon",
        request=None,
        responses={200: SessionCouponSerializer, 409: ErrorSerializer},
    )
    def put(self, request: Request, pk: int, coupon: int) -> Response:
        """Take the coupon: it is offered at checkout. Taken twice, one has it once."""
        session, moment = self.session(pk), timezone.now()
        found = get_object_or_404(
            Coupon.objects.filter(pk__in=session.coupons.values("coupon")), pk=coupon
        )
        claim_in_room(viewer=person_of(request), session=session, coupon=found, moment=moment)
        (shown,) = self.shown([found])
        return Response(self.get_serializer(shown).data)
