"""What a provider's word does to an order: once, whenever and however often it comes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from accounts.models import Letter
from catalog.checkout import OrderRequest, cancel_order, place_order
from catalog.models import Enrollment, Order, OrderStatus, Payment, PaymentStatus, Promotion
from catalog.payments import registry
from catalog.payments.overdue import PATIENCE, check_unsettled_payments, expire_due_orders
from catalog.payments.provider import (
    ForgedNotification,
    Outcome,
    PaymentResult,
    ProviderUnavailable,
)
from catalog.payments.registry import provider_named
from catalog.payments.sandbox import SIGNATURE_HEADER, Sandbox
from catalog.payments.settling import MismatchedPayment, UnknownPayment, apply_result
from catalog.payments.starting import start_payment
from catalog.refunds import send_due_refunds
from tests.catalog.buying_model import ensure_rules_hold
from tests.factories import CourseFactory, PromotionFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ENDED = NOON + timedelta(minutes=15)
ALWAYS = {"starts_at": NOON - timedelta(days=1), "ends_at": NOON + timedelta(days=1)}


@pytest.fixture
def promotion() -> Promotion:
    return PromotionFactory(seats=1, seats_left=1, **ALWAYS)


@pytest.fixture
def payment(promotion: Promotion) -> Payment:
    request = OrderRequest([promotion.course_id])
    order = place_order(buyer=UserFactory(), request=request, key="k", moment=NOON)
    return start_payment(
        order=order, provider=provider_named("sandbox"), return_url="/", moment=NOON
    )


def word(payment: Payment, outcome: Outcome = Outcome.SUCCEEDED, **other: Any) -> PaymentResult:
    told = {
        "number": payment.number.hex,
        "reference": payment.reference or "",
        "outcome": outcome,
        "amount": payment.amount,
        "currency": payment.currency,
    }
    return PaymentResult(**{**told, **other})


def status(payment: Payment) -> tuple[str, str]:
    payment = Payment.objects.select_related("order").get(pk=payment.pk)
    return payment.status, payment.order.status


@pytest.mark.parametrize(
    "words",
    sorted(set(permutations([Outcome.SUCCEEDED, Outcome.SUCCEEDED, Outcome.FAILED, Outcome.OPEN]))),
)
def test_in_whatever_order_words_come_the_end_is_that_of_one_honest_delivery(
    payment: Payment, words: tuple[Outcome, ...]
) -> None:
    for outcome in words:
        apply_result("sandbox", word(payment, outcome), moment=NOON)

    assert status(payment) == ("succeeded", "paid")
    assert Enrollment.objects.get().is_active
    assert Letter.objects.count() == 1


@pytest.mark.parametrize(
    ("other", "error"),
    [
        ({"amount": Decimal("59.99")}, MismatchedPayment),
        ({"amount": Decimal("NaN")}, MismatchedPayment),
        ({"currency": "USD"}, MismatchedPayment),
        ({"reference": "another"}, MismatchedPayment),
        ({"number": "0" * 32}, UnknownPayment),
        ({"number": "no number"}, UnknownPayment),
    ],
)
def test_a_word_about_something_else_changes_nothing(payment, other, error) -> None:
    with pytest.raises(error):
        apply_result("sandbox", word(payment, **other), moment=NOON)
    with pytest.raises(UnknownPayment):
        apply_result("stripe", word(payment), moment=NOON)

    assert status(payment) == ("started", "pending")


def test_paid_late_with_the_seat_still_free_the_order_is_paid(payment, promotion) -> None:
    assert expire_due_orders(moment=ENDED) == 1

    apply_result("sandbox", word(payment), moment=ENDED)

    assert status(payment) == ("succeeded", "paid")
    promotion.refresh_from_db()
    assert promotion.seats_left == 0


def test_paid_late_with_the_seat_gone_the_money_goes_back(payment, promotion) -> None:
    expire_due_orders(moment=ENDED)
    place_order(
        buyer=UserFactory(), request=OrderRequest([promotion.course_id]), key="k", moment=ENDED
    )

    for _ in range(2):
        apply_result("sandbox", word(payment), moment=ENDED)

    assert status(payment) == ("surplus", "expired")
    assert not Enrollment.objects.exists()
    entries = payment.ledger.order_by("pk").values_list("kind", "amount")
    assert list(entries) == [("surplus", payment.amount), ("surplus_return", payment.amount)]
    assert payment.refunds.get().amount == payment.amount


def test_paid_late_for_what_the_buyer_has_bought_meanwhile_the_money_goes_back(payment) -> None:
    order = payment.order
    cancel_order(order, moment=NOON)
    again = place_order(
        buyer=order.buyer,
        request=OrderRequest([order.lines.get().course_id]),
        key="2",
        moment=NOON,
    )

    apply_result("sandbox", word(payment), moment=NOON)

    assert status(payment) == ("surplus", "cancelled")
    assert Order.objects.get(pk=again.pk).status == OrderStatus.PENDING


def test_the_job_asks_the_vendor_before_it_expires_an_order(payment) -> None:
    """A notification that was lost loses nobody's money and nobody's course."""
    sandbox_of_tests().decide(payment.reference, Outcome.SUCCEEDED)

    assert expire_due_orders(moment=ENDED) == 0

    assert status(payment) == ("succeeded", "paid")
    ensure_rules_hold()


def test_a_payment_of_which_no_word_came_is_asked_about_in_time(payment) -> None:
    sandbox_of_tests().decide(payment.reference, Outcome.SUCCEEDED)

    assert check_unsettled_payments(moment=NOON + timedelta(minutes=1)) == 0
    assert check_unsettled_payments(moment=NOON + timedelta(minutes=2)) == 1

    assert status(payment) == ("succeeded", "paid")


class Away(Sandbox):
    """A vendor that does not answer questions."""

    def query(self, **asked: Any) -> PaymentResult | None:
        raise ProviderUnavailable("away")


class Muddled(Sandbox):
    """A vendor that answers about another payment."""

    def query(self, *, number: str, reference: str) -> PaymentResult | None:
        return PaymentResult("0" * 32, "", Outcome.SUCCEEDED, Decimal(1), "CNY")


def test_a_vendor_that_is_away_holds_an_order_up_but_not_for_ever(payment, monkeypatch) -> None:
    monkeypatch.setitem(registry.providers(), "sandbox", Away(secret="s"))

    assert expire_due_orders(moment=ENDED) == 0
    assert status(payment) == ("started", "pending")
    assert expire_due_orders(moment=ENDED + PATIENCE) == 1
    assert status(payment) == ("started", "expired")


def test_a_muddled_vendor_does_not_end_the_round_of_the_others(payment, monkeypatch) -> None:
    other = place_order(
        buyer=UserFactory(),
        request=OrderRequest([CourseFactory().pk]),
        key="k",
        moment=NOON + timedelta(seconds=1),
    )
    monkeypatch.setitem(registry.providers(), "sandbox", Muddled(secret="s"))

    assert expire_due_orders(moment=ENDED + timedelta(seconds=1)) == 2
    assert Order.objects.get(pk=other.pk).status == OrderStatus.EXPIRED


def sandbox_of_tests() -> Sandbox:
    provider = provider_named("sandbox")
    assert isinstance(provider, Sandbox)
    return provider


def signed(payment: Payment, *, sent_at: datetime, **other: Any) -> tuple[bytes, dict[str, str]]:
    told = {
        "number": payment.number.hex,
        "reference": payment.reference,
        "outcome": "succeeded",
        "amount": str(payment.amount),
        "currency": payment.currency,
        **other,
    }
    body = json.dumps(told).encode()
    return body, {SIGNATURE_HEADER.upper(): sandbox_of_tests().sign(body, moment=sent_at)}


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_notification_is_believed_for_five_minutes(payment, seconds) -> None:
    body, headers = signed(payment, sent_at=NOON + timedelta(seconds=seconds))

    read = sandbox_of_tests().read_notification(headers=headers, body=body, moment=NOON)

    assert read is not None
    assert (read.outcome, read.amount) == (Outcome.SUCCEEDED, payment.amount)


@pytest.mark.parametrize("seconds", [-301, 301, 10**9])
def test_an_old_notification_is_not_believed(payment, seconds) -> None:
    body, headers = signed(payment, sent_at=NOON + timedelta(seconds=seconds))

    with pytest.raises(ForgedNotification):
        sandbox_of_tests().read_notification(headers=headers, body=body, moment=NOON)


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "t=1",
        "v1=0",
        "t=,v1=",
        "t=x,v1=0",
        "t=-1,v1=0",
        "t=²,v1=0",
        "t=" + "9" * 400,
        "ü=1",
        ",,,",
    ],
)
def test_a_signature_of_any_other_shape_is_not_believed(payment, signature) -> None:
    body, _headers = signed(payment, sent_at=NOON)

    with pytest.raises(ForgedNotification):
        sandbox_of_tests().read_notification(
            headers={SIGNATURE_HEADER: signature}, body=body, moment=NOON
        )


@pytest.mark.parametrize("how", ["body", "time", "key"])
def test_a_forged_notification_is_refused_by_the_page_and_changes_nothing(
    client, payment, how
) -> None:
    now = datetime.now(UTC)
    body, headers = signed(payment, sent_at=now)
    signature = headers[SIGNATURE_HEADER.upper()]
    if how == "body":
        body = body.replace(b'"60.00"', b'"00.01"')
    if how == "time":
        signature = signature.replace(str(int(now.timestamp())), str(int(now.timestamp()) + 1))
    if how == "key":
        signature = Sandbox(secret="other").sign(body, moment=now)

    response = client.post(
        "/payments/sandbox/notify/",
        body,
        content_type="application/json",
        headers={SIGNATURE_HEADER: signature},
    )

    assert response.status_code == 400
    assert status(payment) == ("started", "pending")


def test_a_genuine_notification_pays_the_order_and_is_acknowledged_each_time(
    client, payment
) -> None:
    body, headers = signed(payment, sent_at=datetime.now(UTC))

    for _ in range(2):
        response = client.post(
            "/payments/sandbox/notify/",
            body,
            content_type="application/json",
            headers={SIGNATURE_HEADER: headers[SIGNATURE_HEADER.upper()]},
        )
        assert (response.status_code, response.content) == (200, b"ok")

    assert status(payment) == (PaymentStatus.SUCCEEDED, OrderStatus.PAID)
    assert client.post("/payments/nobody/notify/").status_code == 404
    assert client.get("/payments/sandbox/notify/").status_code == 405


def test_the_sandbox_starts_one_payment_for_a_number_and_gives_back_no_more_than_it_got(
    payment,
) -> None:
    sandbox_of_tests().decide(payment.reference, Outcome.SUCCEEDED)
    apply_result("sandbox", word(payment), moment=NOON)
    assert not sandbox_of_tests().decide(payment.reference, Outcome.FAILED)
    asked = {
        "number": payment.number.hex,
        "reference": payment.reference,
        "total": payment.amount,
        "currency": "CNY",
        "reason": "",
    }

    first = sandbox_of_tests().refund(key="a", amount=Decimal("59.99"), **asked)

    assert sandbox_of_tests().refund(key="a", amount=Decimal("59.99"), **asked) == first
    with pytest.raises(Exception, match="more than was paid"):
        sandbox_of_tests().refund(key="b", amount=Decimal("0.02"), **asked)
    assert send_due_refunds(moment=NOON) == 0
