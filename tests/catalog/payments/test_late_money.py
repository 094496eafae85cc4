"""Money that comes when nobody waits for it, and payments that may not begin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import Letter, User
from accounts.personal_data import erase_person
from catalog.checkout import OrderRequest, cancel_order, place_order
from catalog.expiry import close_unpaid
from catalog.models import Enrollment, Order, OrderStatus, Payment, Refund
from catalog.payments.provider import Outcome, PaymentResult
from catalog.payments.registry import provider_named
from catalog.payments.settling import apply_result
from catalog.payments.starting import NotPayable, start_payment
from tests.catalog.buying_model import ensure_rules_hold
from tests.factories import PASSWORD, CourseFactory, EnrollmentFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ENDED = NOON + timedelta(minutes=15)


@pytest.fixture
def order() -> Order:
    request = OrderRequest([CourseFactory().pk])
    return place_order(buyer=UserFactory(), request=request, key="k", moment=NOON)


def begun(order: Order, *, moment: datetime = NOON) -> Payment:
    return start_payment(
        order=order, provider=provider_named("sandbox"), return_url="/", moment=moment
    )


def money_arrives(payment: Payment) -> None:
    word = PaymentResult(
        number=payment.number.hex,
        reference=payment.reference or "",
        outcome=Outcome.SUCCEEDED,
        amount=payment.amount,
        currency=payment.currency,
    )
    # The sandbox's book has it as well.
    provider_named("sandbox").decide(payment.reference, Outcome.SUCCEEDED)
    apply_result("sandbox", word, moment=ENDED)


def ensure_it_goes_back(payment: Payment, *, order_is: OrderStatus) -> None:
    payment = Payment.objects.select_related("order").get(pk=payment.pk)
    assert (payment.status, payment.order.status) == ("surplus", order_is)
    assert Refund.objects.get(payment=payment).amount == payment.amount
    assert not Letter.objects.exists()
    ensure_rules_hold()


def test_money_for_an_order_that_erasure_cancelled_goes_back_and_gives_nobody_access(
    order,
) -> None:
    payment = begun(order)
    erase_person(person=order.buyer, password=PASSWORD)

    money_arrives(payment)

    assert not Enrollment.objects.exists()
    ensure_it_goes_back(payment, order_is=OrderStatus.CANCELLED)


def test_money_for_an_ended_order_of_an_account_that_was_closed_goes_back(order) -> None:
    payment = begun(order)
    close_unpaid(order.pk, OrderStatus.EXPIRED, moment=ENDED)
    User.objects.filter(pk=order.buyer_id).update(is_active=False)

    money_arrives(payment)

    assert not Enrollment.objects.exists()
    ensure_it_goes_back(payment, order_is=OrderStatus.EXPIRED)


def test_money_for_a_course_that_was_given_to_the_buyer_meanwhile_goes_back(order) -> None:
    """No line holds a course that was given, so that only the access tells."""
    payment = begun(order)
    cancel_order(order, moment=NOON)
    given = EnrollmentFactory(user=order.buyer, course=order.lines.get().course)

    money_arrives(payment)

    given.refresh_from_db()
    assert given.purchase_id is None
    assert Payment.objects.get(pk=payment.pk).status == "surplus"
    assert Order.objects.get(pk=order.pk).status == OrderStatus.CANCELLED
    assert Refund.objects.get(payment=payment).amount == payment.amount


@pytest.mark.parametrize("seconds_too_late", [0, 1])
def test_nobody_begins_to_pay_an_order_whose_time_is_over(order, seconds_too_late) -> None:
    """It is still pending: the job that ends it may come late."""
    with pytest.raises(NotPayable):
        begun(order, moment=ENDED + timedelta(seconds=seconds_too_late))

    assert not Payment.objects.exists()
    assert begun(order, moment=ENDED - timedelta(microseconds=1)).pk


def test_nobody_begins_to_pay_an_order_that_has_ended(order) -> None:
    cancel_order(order, moment=NOON)

    with pytest.raises(NotPayable):
        begun(order)

    assert not Payment.objects.exists()
