"""The API of orders and payments."""

from __future__ import annotations

import uuid
from functools import cache
from typing import Any, TypeVar

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from accounts.models import User
from accounts.paging import PagedByKeys, moment, whole
from accounts.requester import address_of, has_phone, person_of
from accounts.serializers import ErrorSerializer
from catalog.checkout import OrderRequest, cancel_order, place_order, quote_for
from catalog.models import Order, OrderStatus, Payment
from catalog.order_serializers import (
    OrderInSerializer,
    OrderSerializer,
    PaidOrderSerializer,
    PayInSerializer,
    QuoteSerializer,
    idempotency_key,
)
from catalog.own_orders import own_order
from catalog.payments.paying import pay_own_in_sandbox
from catalog.payments.provider import Provider
from catalog.payments.registry import provider_named
from catalog.payments.settling import close_payments
from catalog.payments.starting import NotPayable, start_payment
from catalog.pricing import Quote

S = TypeVar("S", bound=Serializer)

KEY_HEADER = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description=(
        "One for each order, such as a UUID. Sent again with the same body, it gives the same "
        "order; with another body, 422."
    ),
)


@cache
def shared(serializer_class: type[S]) -> S:
    """One for all requests, which reads and shows alone: making its fields costs more than both."""
    return serializer_class()


def shown_order(order: Order) -> dict[str, Any]:
    """An order as the API answers it."""
    return shared(OrderSerializer).to_representation(order)


class _TakesOrders:
    """Reads what somebody wants to buy."""

    body_serializer_class: type[OrderInSerializer] = OrderInSerializer

    def read(self, request: Request) -> dict[str, Any]:
        """The body. Raises a validation error."""
        return shared(self.body_serializer_class).run_validation(request.data)

    def wanted(self, given: dict[str, Any]) -> OrderRequest:
        return shared(self.body_serializer_class).order_request(given)


class OrderListView(_TakesOrders, PagedByKeys):
    serializer_class = OrderSerializer
    sort_keys = (moment("created_at", is_descending=True), whole("pk", is_descending=True))

    @extend_schema(operation_id="orders", responses=OrderSerializer(many=True))
    def get(self, request: Request) -> Response:
        """One's own orders, newest first."""
        page = self.page(Order.objects.filter(buyer=person_of(request)).with_lines())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        operation_id="place_order",
        parameters=[KEY_HEADER],
        request=OrderInSerializer,
        responses={201: OrderSerializer, 409: ErrorSerializer, 422: ErrorSerializer},
    )
    def post(self, request: Request) -> Response:
        """Order courses, and hold what they take until `expires_at`.

        Refused with 409 for want of seats (`sold_out`), uses of the coupon (`coupon_spent`),
        for what one has (`already_owned`) or has ordered (`order_open`), or at another price
        than expected (`price_changed`). A free order is paid at once.
        """
        key = idempotency_key(request.headers.get("Idempotency-Key"))
        order = self.place(person_of(request), key, self.read(request))
        return Response(shown_order(order), status=status.HTTP_201_CREATED)

    def place(self, buyer: User, key: str, given: dict[str, Any]) -> Order:
        wanted = self.wanted(given)
        return place_order(buyer=buyer, request=wanted, key=key, moment=timezone.now())


class OrderQuoteView(_TakesOrders, GenericAPIView):
    serializer_class = QuoteSerializer

    @extend_schema(
        operation_id="quote_order", request=OrderInSerializer, responses={200: QuoteSerializer}
    )
    def post(self, request: Request) -> Response:
        """What an order would cost now, line by line; nothing is ordered or held."""
        priced = self.price(person_of(request), self.read(request))
        return Response(self.get_serializer(priced).data)

    def price(self, buyer: User, given: dict[str, Any]) -> Quote:
        return quote_for(request=self.wanted(given), moment=timezone.now())


class _OwnOrderView(GenericAPIView):
    def order(self, public_id: uuid.UUID) -> Order:
        order = own_order(person_of(self.request), public_id)
        if order is None:
            raise Http404
        return order


class OrderView(_OwnOrderView):
    serializer_class = OrderSerializer

    @extend_schema(operation_id="order")
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """One of one's own orders."""
        return Response(shown_order(self.order(public_id)))


class OrderCancelView(_OwnOrderView):
    serializer_class = OrderSerializer

    @extend_schema(operation_id="cancel_order", request=None, responses={200: OrderSerializer})
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Cancel an order that waits for payment; any other is answered as it is."""
        order = self.order(public_id)
        if cancel_order(order, moment=timezone.now()):
            close_payments(order)
        return Response(shown_order(self.order(public_id)))


class OrderPayView(_OwnOrderView):
    serializer_class = PaidOrderSerializer

    @extend_schema(
        operation_id="pay_order",
        request=PayInSerializer,
        responses={200: PaidOrderSerializer, 409: ErrorSerializer, 503: ErrorSerializer},
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Begin to pay an order, or go on with the payment that was begun.

        `payment` says where the buyer goes on. With the sandbox and an `outcome`, it happens at
        once, and the answer is the order as it is then. A paid order is answered as it is.
        """
        given = shared(PayInSerializer).run_validation(request.data)
        # Also where the order is paid already: what is asked for must be there.
        provider = provider_named(given["provider"])
        return_url = request.build_absolute_uri(f"/orders/{public_id}/")
        order: Order | None
        if outcome := given.get("outcome"):
            order, payment = pay_own_in_sandbox(
                buyer=person_of(request),
                public_id=public_id,
                outcome=outcome,
                return_url=return_url,
                moment=timezone.now(),
            )
            if order is None:
                raise Http404
        else:
            order = self.order(public_id)
            payment = self._begin(order, provider, return_url)
        order.payment = self._shown_payment(payment)  # type: ignore[attr-defined]
        return Response(shared(PaidOrderSerializer).to_representation(order))

    def _begin(self, order: Order, provider: Provider, return_url: str) -> Payment | None:
        """The payment, or None when the order is paid."""
        if order.status == OrderStatus.PAID:
            return None
        try:
            return start_payment(
                order=order,
                provider=provider,
                return_url=return_url,
                moment=timezone.now(),
                is_phone=has_phone(self.request),
                client_ip=address_of(self.request) or "",
            )
        except NotPayable:
            # It may have been paid meanwhile.
            order.refresh_from_db(fields=["status", "paid_at"])
            if order.status != OrderStatus.PAID:
                raise
            return None

    def _shown_payment(self, payment: Payment | None) -> dict[str, Any] | None:
        if payment is None:
            return None
        address = payment.redirect_url
        return {
            "provider": payment.provider,
            "status": payment.status,
            "redirect_url": self.request.build_absolute_uri(address) if address else None,
            "qr_code": payment.qr_code or None,
        }
