"""Placing orders: what they cost, what they hold, who may, and what is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.utils import timezone

from catalog.checkout import OrderRequest, place_order
from catalog.models import Enrollment, LedgerEntry, Order, OrderStatus, Purchase
from catalog.payments.paying import pay_in_sandbox
from tests.factories import CourseFactory, PromotionFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


def test_a_paid_order_gives_access_and_has_one_charge() -> None:
    course, buyer, moment = CourseFactory(), UserFactory(), timezone.now()
    PromotionFactory(course=course, seats=2, seats_left=2)

    order = place_order(buyer=buyer, request=OrderRequest([course.pk]), key="k", moment=moment)
    assert order.status == OrderStatus.PENDING
    pay_in_sandbox(order=order, outcome="success", return_url="http://x/", moment=moment)

    order.refresh_from_db()
    assert (order.status, order.total) == (OrderStatus.PAID, Decimal("60.00"))
    assert Enrollment.objects.get(user=buyer, course=course).is_active
    assert LedgerEntry.objects.get(order=order).amount == Decimal("60.00")


def test_an_order_that_met_several_others_of_its_buyer_is_placed_when_they_have_ended() -> None:
    course, buyer = CourseFactory(), UserFactory()
    PromotionFactory(course=course, seats=5, seats_left=5)
    meetings = iter([True, True, True, False])

    def meet_another(order: Order) -> None:
        if next(meetings):
            # What a second holder of the course would meet, who is gone again after it.
            Purchase.objects.create(order=order, course=course, holder=buyer, list_price=1, price=1)

    order = place_order(
        buyer=buyer,
        request=OrderRequest([course.pk]),
        key="k",
        moment=timezone.now(),
        also_write=meet_another,
    )

    assert list(Order.objects.all()) == [order]
    assert order.lines.count() == 1
    assert course.promotions.get().seats_left == 4
