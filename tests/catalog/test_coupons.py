"""How uses and budget of a coupon are counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.models import User
from catalog.checkout import OrderRequest, cancel_order, place_order
from catalog.coupons import CouponNotRunning, CouponSpent, claim_coupon, claimed_coupons
from catalog.models import Coupon, CouponClaim, Order, OrderStatus, Payment
from catalog.payments.provider import Outcome, PaymentResult
from catalog.payments.registry import provider_named
from catalog.payments.settling import apply_result
from catalog.payments.starting import start_payment
from tests.factories import CouponFactory, CourseFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ALWAYS = {"starts_at": NOON - timedelta(days=1), "ends_at": NOON + timedelta(days=1)}


def order_with(coupon: Coupon, price: str, buyer: User | None = None) -> Order:
    course = CourseFactory(seller=coupon.seller, list_price=Decimal(price))
    request = OrderRequest([course.pk], coupon_code=coupon.code)
    return place_order(buyer=buyer or UserFactory(), request=request, key=price, moment=NOON)


def pay_late(order: Order, payment: Payment) -> str:
    """The vendor says, after the order ended, that it was paid."""
    result = PaymentResult(payment.number.hex, "", Outcome.SUCCEEDED, order.total, order.currency)
    apply_result("sandbox", result, moment=NOON + timedelta(hours=2))
    return Payment.objects.get(pk=payment.pk).status


def begun(order: Order) -> Payment:
    return start_payment(
        order=order, provider=provider_named("sandbox"), return_url="/", moment=NOON
    )


def test_a_budget_is_used_to_the_last_cent_in_whatever_steps() -> None:
    """In binary 0.1 + 0.2 is more than 0.3: the third use would be refused."""
    coupon = CouponFactory(percent=100, budget=Decimal("0.30"), **ALWAYS)

    order_with(coupon, "0.10")
    order_with(coupon, "0.20")

    with pytest.raises(CouponSpent):
        order_with(coupon, "0.01")
    coupon.refresh_from_db()
    assert (coupon.n_used, coupon.spent) == (2, Decimal("0.30"))


def test_given_back_to_the_cent_the_budget_can_be_used_again() -> None:
    coupon = CouponFactory(
        kind="amount", percent=None, amount=Decimal("0.10"), budget=Decimal("0.30"), **ALWAYS
    )
    for price in ("5.01", "5.02", "5.03"):
        cancel_order(order_with(coupon, price), moment=NOON)
    for price in ("6.01", "6.02", "6.03"):
        order_with(coupon, price)

    with pytest.raises(CouponSpent):
        order_with(coupon, "7.00")
    coupon.refresh_from_db()
    assert (coupon.n_used, coupon.spent) == (3, Decimal("0.30"))


def test_a_late_payment_does_not_take_a_coupon_beyond_the_buyers_own_limit() -> None:
    coupon, buyer = CouponFactory(per_user_limit=1, **ALWAYS), UserFactory()
    first = order_with(coupon, "100.00", buyer)
    payment = begun(first)
    cancel_order(first, moment=NOON)
    second = order_with(coupon, "50.00", buyer)

    assert pay_late(first, payment) == "surplus"

    first.refresh_from_db()
    assert first.status == OrderStatus.CANCELLED
    coupon.refresh_from_db()
    assert (coupon.n_used, coupon.spent) == (1, second.coupon_discount)


def test_a_late_payment_takes_its_own_use_again_while_one_is_left() -> None:
    coupon = CouponFactory(per_user_limit=1, max_uses=1, **ALWAYS)
    order = order_with(coupon, "100.00")
    payment = begun(order)
    cancel_order(order, moment=NOON)
    Coupon.objects.update(is_active=False)

    assert pay_late(order, payment) == "succeeded"

    coupon.refresh_from_db()
    assert coupon.n_used == 1


def test_a_claim_is_kept_once_and_holds_no_use() -> None:
    coupon, person = CouponFactory(max_uses=1, **ALWAYS), UserFactory()

    claims = {claim_coupon(person=person, coupon=coupon, moment=NOON).pk for _ in range(2)}

    assert len(claims) == CouponClaim.objects.count() == 1
    assert claimed_coupons(person, moment=NOON) == [coupon]
    order_with(coupon, "10.00", person)
    assert claimed_coupons(person, moment=NOON) == []


def test_what_does_not_run_or_is_used_up_is_not_claimed() -> None:
    person = UserFactory()
    over = CouponFactory(starts_at=NOON - timedelta(days=2), ends_at=NOON)
    spent = CouponFactory(max_uses=1, n_used=1, **ALWAYS)

    with pytest.raises(CouponNotRunning):
        claim_coupon(person=person, coupon=over, moment=NOON)
    with pytest.raises(CouponSpent):
        claim_coupon(person=person, coupon=spent, moment=NOON)
    assert not CouponClaim.objects.exists()
