"""The referee notices: each promise, broken by hand, is named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import Letter
from catalog.checkout import OrderRequest, place_order
from catalog.models import (
    ConsultationSlot,
    Coupon,
    Enrollment,
    LedgerEntry,
    Order,
    OrderStatus,
    Payment,
    PaymentStatus,
    Promotion,
    Purchase,
)
from catalog.payments.paying import pay_in_sandbox
from tests.concurrency.referee import PROMISES, broken_promises, lost_orders
from tests.factories import CouponFactory, CourseFactory, PromotionFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


@pytest.fixture
def sold() -> Order:
    """A paid order of two courses, one at a promotion's price, with a coupon."""
    promotion = PromotionFactory(seats=5, seats_left=5)
    seller = promotion.course.seller
    coupon = CouponFactory(seller=seller, max_uses=5)
    courses = [promotion.course_id, CourseFactory(seller=seller).pk]
    moment = timezone.now()
    order = place_order(
        buyer=UserFactory(),
        request=OrderRequest(courses, coupon_code=coupon.code),
        key="k",
        moment=moment,
    )
    pay_in_sandbox(order=order, outcome="success", return_url="http://x/", moment=moment)
    order.refresh_from_db()
    return order


def entries(order: Order) -> QuerySet:
    """The order's entries, as one would change them who goes around the ledger's own rule."""
    return QuerySet(LedgerEntry).filter(order=order)


def _charge_twice(order: Order) -> None:
    LedgerEntry.objects.create(order=order, key="again", kind="charge", amount=order.total)


def _keep_a_time(order: Order) -> None:
    line, start = order.lines.all()[0], timezone.now()
    ConsultationSlot.objects.create(
        course=line.course, purchase=line, starts_at=start, ends_at=start + timedelta(hours=1)
    )
    order.lines.update(holder=None)


def _order_again(order: Order) -> None:
    again = Order.objects.create(
        buyer=order.buyer, list_total=100, total=100, status=OrderStatus.PENDING
    )
    Purchase.objects.create(
        order=again, course=order.lines.all()[0].course, list_price=100, price=100
    )


BREACHES: dict[str, Callable[[Order], object]] = {
    "seats = seats left + lines that somebody holds": lambda order: Promotion.objects.update(
        seats_left=5
    ),
    "a line has a holder, the buyer, if and only if its order waits or is paid": (
        lambda order: order.lines.update(holder=None)
    ),
    "nobody holds a course twice": _order_again,
    "every order has a line": lambda order: Order.objects.create(
        buyer=order.buyer, list_total=0, total=0
    ),
    "a paid order has one charge, of its total": (lambda order: entries(order).update(amount=1)),
    "an order that is not paid has no charge": lambda order: Order.objects.update(
        status=OrderStatus.EXPIRED
    ),
    "no order has a second charge": _charge_twice,
    "an order that costs something is paid by one payment": lambda order: Payment.objects.update(
        status=PaymentStatus.FAILED
    ),
    "money that was not needed is recorded, and asked to go back, once": (
        lambda order: Payment.objects.update(status=PaymentStatus.SURPLUS)
    ),
    "no other money is recorded as not needed": (
        lambda order: entries(order).update(kind="surplus")
    ),
    "a line that is paid and not refunded gives access": lambda order: Enrollment.objects.update(
        is_active=False
    ),
    "no other line gives access": lambda order: order.lines.update(refunded_at=timezone.now()),
    "a coupon counts the orders that use it, and what it took off them": (
        lambda order: Coupon.objects.update(n_used=2)
    ),
    "nobody goes beyond their own uses of a coupon": lambda order: Coupon.objects.update(
        per_user_limit=0
    ),
    "a time of a consultation belongs to a line that somebody holds": _keep_a_time,
    "a paid order has one receipt, any other none": lambda order: Letter.objects.all().delete(),
}
# The database itself does not let these be broken: by a unique key, and by checks.
KEPT_BY_THE_DATABASE = {
    "a key made one order",
    "no coupon goes beyond its uses or its budget",
}


def test_an_honest_sale_breaks_no_promise(sold, ask) -> None:
    assert broken_promises(ask) == {}


@pytest.mark.parametrize("promise", BREACHES)
def test_a_broken_promise_is_noticed(sold, ask, promise) -> None:
    BREACHES[promise](sold)

    assert promise in broken_promises(ask)


def test_every_promise_can_be_broken_or_is_kept_by_the_database() -> None:
    assert set(BREACHES) | KEPT_BY_THE_DATABASE == set(PROMISES)


def test_a_lost_order_is_noticed(sold, ask) -> None:
    ids = [str(sold.public_id), "0" * 32]

    assert lost_orders(ask, ids) == {"0" * 32}
