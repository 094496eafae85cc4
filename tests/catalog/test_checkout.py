"""Placing orders: what they cost, what they hold, who may, and what is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.utils import timezone

from catalog.checkout import OrderRequest, place_order
from catalog.models import Enrollment, LedgerEntry, OrderStatus
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
