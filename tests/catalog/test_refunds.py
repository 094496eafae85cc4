"""Giving money back: once, to the cent, and until the vendor has done it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from catalog.checkout import OrderRequest, place_order
from catalog.models import (
    Enrollment,
    Order,
    OrderStatus,
    Promotion,
    Refund,
    RefundStatus,
    SandboxPayment,
)
from catalog.payments import registry
from catalog.payments.paying import pay_in_sandbox
from catalog.payments.provider import ProviderUnavailable, RefundRefused
from catalog.payments.sandbox import Sandbox
from catalog.refunds import (
    MOST_ATTEMPTS,
    NotRefundable,
    ask_again,
    refund_lines,
    send_due_refunds,
)
from tests.catalog.buying_model import ensure_rules_hold
from tests.factories import CourseFactory, PromotionFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ALWAYS = {"starts_at": NOON - timedelta(days=1), "ends_at": NOON + timedelta(days=1)}


def paid(*prices: str) -> Order:
    courses = [CourseFactory(list_price=Decimal(price)) for price in prices]
    request = OrderRequest([one.pk for one in courses])
    order = place_order(buyer=UserFactory(), request=request, key="k", moment=NOON)
    pay_in_sandbox(order=order, outcome="success", return_url="/", moment=NOON)
    return Order.objects.get(pk=order.pk)


def refund(order: Order, *places: int) -> list[Refund]:
    lines = list(order.lines.order_by("pk"))
    ids = [lines[place].pk for place in places]
    return refund_lines(order=order, line_ids=ids, by=None, reason="", moment=NOON)


def test_one_line_is_refunded_and_the_other_stays() -> None:
    order = paid("33.33", "60.00")

    refund(order, 0)

    order.refresh_from_db()
    assert order.status == OrderStatus.PAID
    first, second = order.lines.order_by("pk")
    assert not Enrollment.objects.get(purchase=first).is_active
    assert Enrollment.objects.get(purchase=second).is_active
    assert send_due_refunds(moment=NOON) == 1
    assert SandboxPayment.objects.get().refunded == Decimal("33.33")
    ensure_rules_hold()


def test_lines_refunded_one_by_one_come_to_the_whole_payment_to_the_cent() -> None:
    """In binary 0.1 + 0.2 is more than 0.3, and the sandbox would refuse the second."""
    order = paid("0.10", "0.20")

    for place in (0, 1):
        refund(order, place)
        assert send_due_refunds(moment=NOON) == 1

    order.refresh_from_db()
    assert order.status == OrderStatus.REFUNDED
    assert SandboxPayment.objects.get().refunded == Decimal("0.30")
    ensure_rules_hold()


def test_a_refunded_seat_is_free_again() -> None:
    promotion = PromotionFactory(seats=1, seats_left=1, **ALWAYS)
    request = OrderRequest([promotion.course_id])
    order = place_order(buyer=UserFactory(), request=request, key="k", moment=NOON)
    pay_in_sandbox(order=order, outcome="success", return_url="/", moment=NOON)

    refund(order, 0)

    assert Promotion.objects.get().seats_left == 1
    with pytest.raises(NotRefundable):
        refund(order, 0)
    assert Promotion.objects.get().seats_left == 1


def test_what_is_not_paid_or_of_another_order_is_not_refunded() -> None:
    order, other = paid("10.00"), paid("20.00")
    course = CourseFactory()
    unpaid = place_order(
        buyer=UserFactory(), request=OrderRequest([course.pk]), key="k", moment=NOON
    )

    with pytest.raises(NotRefundable):
        refund(unpaid, 0)
    with pytest.raises(NotRefundable):
        refund_lines(
            order=order,
            line_ids=list(other.lines.values_list("pk", flat=True)),
            by=None,
            reason="",
            moment=NOON,
        )
    assert not Refund.objects.exists()


class Answering(Sandbox):
    """A vendor that answers a refund with an error, so many times."""

    def __init__(self, error: Exception, n_times: int) -> None:
        super().__init__(secret="s")
        self.error, self.n_left = error, n_times

    def refund(self, **asked: Any) -> str:
        if self.n_left:
            self.n_left -= 1
            raise self.error
        return super().refund(**asked)


def test_a_vendor_that_is_away_is_asked_again_later_until_it_answers(monkeypatch) -> None:
    order = paid("10.00")
    away = Answering(ProviderUnavailable("away"), 2)
    monkeypatch.setitem(registry.providers(), "sandbox", away)
    (asked,) = refund(order, 0)

    assert send_due_refunds(moment=NOON) == 0
    assert send_due_refunds(moment=NOON) == 0  # not due yet
    assert away.n_left == 1
    assert send_due_refunds(moment=NOON + timedelta(hours=1)) == 0
    assert send_due_refunds(moment=NOON + timedelta(hours=9)) == 1
    asked.refresh_from_db()
    assert (asked.status, asked.last_error) == (RefundStatus.DONE, "")


def test_a_vendor_that_says_no_or_is_away_too_long_is_for_a_person_to_see(monkeypatch) -> None:
    order = paid("10.00", "20.00")
    monkeypatch.setitem(registry.providers(), "sandbox", Answering(RefundRefused("no"), 1))
    (refused,) = refund(order, 0)
    send_due_refunds(moment=NOON)
    monkeypatch.setitem(
        registry.providers(), "sandbox", Answering(ProviderUnavailable("away"), MOST_ATTEMPTS)
    )
    (given_up,) = refund(order, 1)
    for day in range(MOST_ATTEMPTS):
        send_due_refunds(moment=NOON + timedelta(days=day))

    for asked in (refused, given_up):
        asked.refresh_from_db()
        assert asked.status == RefundStatus.FAILED
        assert ask_again(asked, moment=NOON)
        assert not ask_again(asked, moment=NOON)
    assert send_due_refunds(moment=NOON) == 2
    ensure_rules_hold()
