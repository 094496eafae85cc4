"""Stripe: notifications signed as its documentation says, and an API played on this machine."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.payments.minor_units import from_minor_units, to_minor_units
from catalog.payments.provider import (
    ForgedNotification,
    Outcome,
    PaymentRequest,
    PaymentResult,
    ProviderUnavailable,
    RefundRefused,
)
from catalog.payments.stripe_checkout import StripeCheckout
from tests.catalog.payments.vendor import Answer, Vendor

SECRET = "whsec_of_the_tests"
NUMBER = "0123456789abcdef0123456789abcdef"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SESSION: dict[str, Any] = {
    "id": "cs_test_1",
    "object": "checkout.session",
    "client_reference_id": NUMBER,
    "metadata": {"number": NUMBER},
    "amount_total": 19900,
    "currency": "cny",
    "payment_status": "paid",
    "status": "complete",
    "payment_intent": {"id": "pi_1", "object": "payment_intent", "status": "succeeded"},
    "url": "https://checkout.stripe.com/c/pay/cs_test_1",
}
PAID = PaymentResult(NUMBER, "cs_test_1", Outcome.SUCCEEDED, Decimal("199.00"), "CNY")
REFUND_OF = {
    "number": NUMBER,
    "reference": "cs_test_1",
    "key": "line-7",
    "amount": Decimal("49.50"),
    "total": Decimal("199.00"),
    "currency": "CNY",
    "reason": "",
}


def stripe_at(base: str = "http://127.0.0.1:9", max_retries: int = 0) -> StripeCheckout:
    return StripeCheckout(
        secret_key="sk_test_1",
        webhook_secret=SECRET,
        api_base=base,
        timeout_seconds=(0.5, 0.5),
        max_retries=max_retries,
    )


def event(kind: str = "checkout.session.completed", **changes: Any) -> bytes:
    return json.dumps(
        {
            "id": "evt_1",
            "object": "event",
            "type": kind,
            "data": {"object": SESSION | changes},
        }
    ).encode()


def signature(body: bytes, *, at: datetime = NOW, secret: str = SECRET) -> str:
    sent_at = int(at.timestamp())
    digest = hmac.new(secret.encode(), f"{sent_at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={sent_at},v1={digest}"


def read(body: bytes, header: str | None = None, **options: Any) -> PaymentResult | None:
    headers = {"stripe-SIGNATURE": signature(body, **options) if header is None else header}
    return stripe_at().read_notification(headers=headers, body=body, moment=NOW)


def listed(*objects: dict[str, Any]) -> Answer:
    page = {"object": "list", "data": list(objects), "has_more": False, "url": "/v1/any"}
    return Answer(json.dumps(page).encode())


def told(**changes: Any) -> Answer:
    return Answer(json.dumps(SESSION | changes).encode())


def error(status: int, **details: Any) -> Answer:
    return Answer(json.dumps({"error": {"message": "no", **details}}).encode(), status)


def request_for(amount: str = "199.00", currency: str = "CNY") -> PaymentRequest:
    return PaymentRequest(
        number=NUMBER,
        amount=Decimal(amount),
        currency=currency,
        title="唐诗三百首",
        return_url="https://courses.example.com/orders/1/",
        notify_url="https://courses.example.com/payments/stripe/notify/",
        expires_at=NOW + timedelta(minutes=15),
    )


# Notifications


@pytest.mark.parametrize(
    ("kind", "changes", "outcome"),
    [
        ("checkout.session.completed", {}, Outcome.SUCCEEDED),
        ("checkout.session.async_payment_succeeded", {}, Outcome.SUCCEEDED),
        (
            "checkout.session.async_payment_failed",
            {"payment_status": "unpaid"},
            Outcome.FAILED,
        ),
        (
            "checkout.session.expired",
            {"payment_status": "unpaid", "status": "expired"},
            Outcome.FAILED,
        ),
    ],
)
def test_a_genuine_notification_says_what_became_of_the_payment(kind, changes, outcome) -> None:
    result = read(event(kind, **changes))

    assert result == PaymentResult(NUMBER, "cs_test_1", outcome, Decimal("199.00"), "CNY")


def test_a_currency_without_cents_is_read_as_it_is_counted() -> None:
    result = read(event(currency="jpy", amount_total=3000))

    assert result is not None
    assert (result.amount, result.currency) == (Decimal(3000), "JPY")


@pytest.mark.parametrize(
    "body",
    [
        event(payment_status="unpaid"),
        event(kind="charge.refunded"),
        event(metadata={}, client_reference_id=None),
        event(metadata=None),
        event(client_reference_id="f" * 32),
    ],
    ids=["money under way", "another kind", "not ours", "without metadata", "of two minds"],
)
def test_a_genuine_notification_of_something_else_is_none(body) -> None:
    assert read(body) is None


@pytest.mark.parametrize("seconds", [-299, 0, 299])
def test_it_may_be_five_minutes_under_way(seconds) -> None:
    assert read(event(), at=NOW + timedelta(seconds=seconds)) == PAID


@pytest.mark.parametrize("seconds", [-302, 302])
def test_an_old_notification_or_one_from_the_future_is_refused(seconds) -> None:
    with pytest.raises(ForgedNotification, match="too old"):
        read(event(), at=NOW + timedelta(seconds=seconds))


def test_a_notification_signed_with_another_secret_is_refused() -> None:
    with pytest.raises(ForgedNotification):
        read(event(), secret="whsec_of_a_forger")


def test_a_changed_amount_is_refused() -> None:
    with pytest.raises(ForgedNotification):
        read(event(amount_total=1), signature(event()))


def test_a_second_time_before_the_signature_does_not_make_it_younger() -> None:
    body = event()
    old = signature(body, at=NOW - timedelta(hours=1))

    for header in [f"t={int(NOW.timestamp())},{old}", f"{old},t={int(NOW.timestamp())}"]:
        with pytest.raises(ForgedNotification):
            read(body, header)


@pytest.mark.parametrize(
    "header", ["", "t=,v1=", "v1=abc", "t=1,v1=é", "t=1", "nonsense", "t", ","]
)
def test_a_header_that_is_no_signature_is_refused(header) -> None:
    with pytest.raises(ForgedNotification):
        read(event(), header)


def test_a_notification_without_the_header_is_refused() -> None:
    with pytest.raises(ForgedNotification):
        stripe_at().read_notification(headers={}, body=event(), moment=NOW)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b"\xff\xfe", b'{"type": 1}', b"1"])
def test_a_signed_body_that_is_no_notification_is_refused(body) -> None:
    with pytest.raises(ForgedNotification):
        read(body)


@given(body=st.binary(max_size=300), header=st.text(max_size=120))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_whatever_else_comes_is_refused_and_never_another_error(body, header) -> None:
    with pytest.raises(ForgedNotification):
        read(body, header)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x, max_size=3)))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_no_signed_content_is_another_error(content) -> None:
    body = json.dumps(
        {"object": "event", "type": "checkout.session.completed", "data": {"object": content}}
    ).encode()
    with pytest.raises(ForgedNotification):
        read(body)


# Starting


def test_a_payment_starts_with_our_number_and_time_enough_for_stripe(vendor: Vendor) -> None:
    vendor.answers = [told(payment_status="unpaid", status="open")]

    started = stripe_at(vendor.base).start(request_for())

    assert started.reference == "cs_test_1"
    assert started.redirect_url == SESSION["url"]
    asked = vendor.asked[0]
    assert (asked.method, asked.path) == ("POST", "/v1/checkout/sessions")
    assert asked.headers["idempotency-key"] == NUMBER
    assert asked.headers["authorization"] == "Bearer sk_test_1"
    form = asked.form
    assert form["mode"] == "payment"
    assert form["client_reference_id"] == form["metadata[number]"] == NUMBER
    assert form["line_items[0][price_data][unit_amount]"] == "19900"
    assert form["line_items[0][price_data][currency]"] == "cny"
    assert form["line_items[0][price_data][product_data][name]"] == "唐诗三百首"
    assert form["success_url"] == form["cancel_url"] == "https://courses.example.com/orders/1/"
    # The buyer may click in the order's last moment, and Stripe wants 30 minutes from then.
    assert int(form["expires_at"]) >= (NOW + timedelta(minutes=45)).timestamp()


def test_a_repeated_start_is_the_very_same_request(vendor: Vendor) -> None:
    vendor.answers = [told(), told()]
    stripe = stripe_at(vendor.base)

    stripe.start(request_for())
    stripe.start(request_for())

    first, second = vendor.asked
    assert first.body == second.body
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


def test_a_currency_without_cents_is_sent_as_it_is_counted(vendor: Vendor) -> None:
    vendor.answers = [told()]

    stripe_at(vendor.base).start(request_for("3000.00", "JPY"))

    assert vendor.asked[0].form["line_items[0][price_data][unit_amount]"] == "3000"


def test_an_amount_that_the_currency_cannot_express_starts_nothing(vendor: Vendor) -> None:
    with pytest.raises(ProviderUnavailable):
        stripe_at(vendor.base).start(request_for("30.50", "JPY"))
    assert vendor.asked == []


def test_one_failure_is_followed_by_one_more_try(vendor: Vendor) -> None:
    vendor.answers = [Answer(b"{}", 503), told()]

    assert stripe_at(vendor.base, max_retries=1).start(request_for()).reference == "cs_test_1"


# Asking


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, Outcome.SUCCEEDED),
        ({"payment_status": "unpaid", "status": "open", "payment_intent": None}, Outcome.OPEN),
        ({"payment_status": "unpaid", "status": "expired", "payment_intent": None}, Outcome.FAILED),
        (
            {"payment_status": "unpaid", "payment_intent": {"id": "pi_1", "status": "processing"}},
            Outcome.OPEN,
        ),
        (
            {
                "payment_status": "unpaid",
                "payment_intent": {"id": "pi_1", "status": "requires_payment_method"},
            },
            Outcome.FAILED,
        ),
    ],
    ids=["paid", "open", "expired", "money under way", "money did not come"],
)
def test_a_question_by_reference_says_what_became_of_it(vendor: Vendor, changes, outcome) -> None:
    vendor.answers = [told(**changes)]

    result = stripe_at(vendor.base).query(number=NUMBER, reference="cs_test_1")

    assert result == PaymentResult(NUMBER, "cs_test_1", outcome, Decimal("199.00"), "CNY")
    assert vendor.asked[0].path == "/v1/checkout/sessions/cs_test_1"


def test_a_question_without_reference_finds_the_session_by_our_number(vendor: Vendor) -> None:
    foreign = SESSION | {"id": "cs_2", "metadata": {}, "client_reference_id": None}
    vendor.answers = [listed(foreign, SESSION)]

    assert stripe_at(vendor.base).query(number=NUMBER, reference="") == PAID
    earliest = int(vendor.asked[0].query["created[gte]"])
    assert time.time() - earliest > 25 * 3600


def test_a_payment_that_stripe_does_not_know_is_none(vendor: Vendor) -> None:
    vendor.answers = [
        listed(),
        error(404, type="invalid_request_error", code="resource_missing"),
    ]
    stripe = stripe_at(vendor.base)

    assert stripe.query(number=NUMBER, reference="") is None
    assert stripe.query(number=NUMBER, reference="cs_test_1") is None


# Giving back


def test_a_refund_is_asked_for_once_under_its_key(vendor: Vendor) -> None:
    refund = {"id": "re_1", "object": "refund", "status": "succeeded", "metadata": {}}
    vendor.answers = [told(), listed(), Answer(json.dumps(refund).encode())]

    assert stripe_at(vendor.base).refund(**REFUND_OF) == "re_1"

    asked = vendor.asked[2]
    assert (asked.method, asked.path) == ("POST", "/v1/refunds")
    assert asked.headers["idempotency-key"] == f"{NUMBER}-line-7"
    assert asked.form["payment_intent"] == "pi_1"
    assert asked.form["amount"] == "4950"
    assert asked.form["metadata[key]"] == "line-7"


def test_a_refund_that_was_made_before_is_not_made_again(vendor: Vendor) -> None:
    """Stripe forgets idempotency keys after a day; what it has refunded it does not forget."""
    other = {"id": "re_0", "object": "refund", "status": "succeeded", "metadata": {"key": "line-6"}}
    made = {"id": "re_1", "object": "refund", "status": "pending", "metadata": {"key": "line-7"}}
    vendor.answers = [told(), listed(other, made)]

    assert stripe_at(vendor.base).refund(**REFUND_OF) == "re_1"
    assert [asked.method for asked in vendor.asked] == ["GET", "GET"]


@pytest.mark.parametrize("code", ["charge_already_refunded", "amount_too_large", None])
def test_a_definite_no_to_a_refund_is_refused(vendor: Vendor, code) -> None:
    vendor.answers = [told(), listed(), error(400, type="invalid_request_error", code=code)]

    with pytest.raises(RefundRefused):
        stripe_at(vendor.base).refund(**REFUND_OF)


def test_a_refund_that_failed_at_the_bank_is_refused(vendor: Vendor) -> None:
    refund = {"id": "re_1", "object": "refund", "status": "failed", "metadata": {}}
    vendor.answers = [told(), listed(), Answer(json.dumps(refund).encode())]

    with pytest.raises(RefundRefused):
        stripe_at(vendor.base).refund(**REFUND_OF)


@pytest.mark.parametrize(
    "answer",
    [
        error(400, type="invalid_request_error", code="balance_insufficient"),
        error(401, type="invalid_request_error"),
        error(403, type="invalid_request_error"),
        error(409, type="idempotency_error"),
        error(429, type="invalid_request_error", code="rate_limit"),
        error(500, type="api_error"),
        Answer(b"<html>", 502),
        Answer(b"", 200),
    ],
    ids=["no money", "key", "right", "twice at once", "too often", "500", "html", "empty"],
)
def test_a_refund_that_may_succeed_later_is_unavailable(vendor: Vendor, answer) -> None:
    vendor.answers = [told(), listed(), answer]

    with pytest.raises(ProviderUnavailable):
        stripe_at(vendor.base).refund(**REFUND_OF)


# Closing


def test_closing_ends_an_open_session(vendor: Vendor) -> None:
    is_open = {"status": "open", "payment_status": "unpaid"}
    vendor.answers = [told(**is_open), told(status="expired")]

    stripe_at(vendor.base).close(number=NUMBER, reference="cs_test_1")

    assert vendor.asked[1].path == "/v1/checkout/sessions/cs_test_1/expire"


@pytest.mark.parametrize("status", ["complete", "expired"])
def test_closing_leaves_alone_what_is_over(vendor: Vendor, status) -> None:
    vendor.answers = [told(status=status)]

    stripe_at(vendor.base).close(number=NUMBER, reference="cs_test_1")

    assert len(vendor.asked) == 1


def test_closing_what_is_paid_at_the_same_moment_is_no_error(vendor: Vendor) -> None:
    refusal = error(400, type="invalid_request_error")
    vendor.answers = [told(status="open", payment_status="unpaid"), refusal, told()]

    stripe_at(vendor.base).close(number=NUMBER, reference="cs_test_1")


# A vendor that cannot be reached


def all_calls(stripe: StripeCheckout) -> list[Any]:
    return [
        lambda: stripe.start(request_for()),
        lambda: stripe.query(number=NUMBER, reference="cs_test_1"),
        lambda: stripe.query(number=NUMBER, reference=""),
        lambda: stripe.refund(**REFUND_OF),
        lambda: stripe.close(number=NUMBER, reference="cs_test_1"),
    ]


@pytest.mark.parametrize("n", range(5))
@pytest.mark.parametrize(
    "answer", [Answer(b"{}", 500), Answer(b"{}", 503), None], ids=["500", "503", "silence"]
)
def test_a_vendor_in_trouble_is_unavailable(vendor: Vendor, n, answer) -> None:
    vendor.answers = [answer]

    with pytest.raises(ProviderUnavailable):
        all_calls(stripe_at(vendor.base))[n]()


@pytest.mark.parametrize("n", range(5))
def test_a_refused_connection_is_unavailable(n) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ProviderUnavailable):
            all_calls(stripe_at(base))[n]()


# Smallest units


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [
        ("199.00", "CNY", 19900),
        ("0.01", "usd", 1),
        ("3000.00", "JPY", 3000),
        ("1.50", "KWD", 1500),
        ("99999999.99", "EUR", 9999999999),
    ],
)
def test_amounts_go_to_the_smallest_unit_and_back(amount, currency, units) -> None:
    assert to_minor_units(Decimal(amount), currency) == units
    assert from_minor_units(units, currency) == Decimal(amount)


def test_an_amount_below_the_smallest_unit_is_an_error() -> None:
    with pytest.raises(ValueError, match="smallest unit"):
        to_minor_units(Decimal("0.50"), "JPY")
