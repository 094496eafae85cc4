"""Stripe, through the pages of Stripe Checkout."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from catalog.payments.minor_units import from_minor_units, to_minor_units
from catalog.payments.provider import (
    ForgedNotification,
    Outcome,
    PaymentRequest,
    PaymentResult,
    Provider,
    ProviderUnavailable,
    RefundRefused,
    StartedPayment,
)

if TYPE_CHECKING:
    import stripe

TOLERANCE_SECONDS = 300
# To connect, and for each answer. One more try follows, which the idempotency keys make safe.
TIMEOUT_SECONDS = (4.0, 12.0)
MOST_RETRIES = 1
# Stripe refuses a session that ends within 30 minutes. What is added to the order's own end is
# always the same, as a repeated request must be the same request.
LONGER_THAN_THE_ORDER = timedelta(minutes=31)
# A session ends after 24 hours at most: one of ours that is older needs no search.
SEARCH_BACK_SECONDS = 26 * 3600
MOST_SEARCHED = 2000
OUTCOMES = {
    "checkout.session.completed": Outcome.SUCCEEDED,
    "checkout.session.async_payment_succeeded": Outcome.SUCCEEDED,
    "checkout.session.async_payment_failed": Outcome.FAILED,
    "checkout.session.expired": Outcome.FAILED,
}
# Refusals that end when the account holds money again, or the other request has ended.
PASSING_REFUSALS = frozenset(["balance_insufficient", "lock_timeout", "idempotency_key_in_use"])


class StripeCheckout(Provider):
    """Stripe with the keys of one account.

    `api_base` is the address of Stripe's API, for another one than Stripe's own.
    """

    name = "stripe"

    def __init__(
        self,
        *,
        secret_key: str,
        webhook_secret: str,
        api_base: str = "https://api.stripe.com",
        timeout_seconds: tuple[float, float] = TIMEOUT_SECONDS,
        max_retries: int = MOST_RETRIES,
    ) -> None:
        # A large library, loaded only where its keys are set.
        import stripe

        self._sdk = stripe
        self._webhook_secret = webhook_secret
        self._client = stripe.StripeClient(
            secret_key,
            base_addresses={"api": api_base},
            http_client=stripe.RequestsClient(timeout=timeout_seconds),
            max_network_retries=max_retries,
        )

    @property
    def label(self) -> str:
        return _("Bank card (Stripe)")

    def start(self, request: PaymentRequest) -> StartedPayment:
        currency = request.currency.lower()
        try:
            amount = to_minor_units(request.amount, currency)
        except ValueError as error:
            raise ProviderUnavailable(str(error)) from error
        ends_at = request.expires_at + LONGER_THAN_THE_ORDER
        with self._answering():
            session = self._client.v1.checkout.sessions.create(
                params={
                    "mode": "payment",
                    "client_reference_id": request.number,
                    "metadata": {"number": request.number},
                    "payment_intent_data": {"metadata": {"number": request.number}},
                    "line_items": [
                        {
                            "quantity": 1,
                            "price_data": {
                                "currency": currency,
                                "unit_amount": amount,
                                "product_data": {"name": request.title},
                            },
                        }
                    ],
                    "expires_at": int(ends_at.timestamp()),
                    "success_url": request.return_url,
                    "cancel_url": request.return_url,
                },
                options={"idempotency_key": request.number},
            )
        return StartedPayment(reference=session.id, redirect_url=session.url or "")

    def read_notification(
        self, *, headers: Mapping[str, str], body: bytes, moment: datetime
    ) -> PaymentResult | None:
        by_name = {name.lower(): value for name, value in headers.items()}
        signature = by_name.get("stripe-signature", "")
        try:
            # The age is judged below by `moment`, and in both directions.
            event = self._sdk.Webhook.construct_event(
                body, signature, self._webhook_secret, tolerance=0
            )
            self._check_age(signature, moment)
            outcome = OUTCOMES.get(event["type"])
            session = event["data"]["object"]
            if outcome is None or not _number_of(session):
                return None
            if outcome == Outcome.SUCCEEDED and session["payment_status"] != "paid":
                # A slow way to pay was chosen; whether the money came is told later.
                return None
            return _result(session, outcome)
        except (
            self._sdk.SignatureVerificationError,
            ValueError,
            TypeError,
            LookupError,
            AttributeError,
        ) as error:
            raise ForgedNotification(f"not a notification of Stripe: {error}") from error

    def _check_age(self, signature: str, moment: datetime) -> None:
        # The first "t" is the one that the library took for signed.
        parts = (part.split("=", 2) for part in signature.split(","))
        sent_at = next(int(part[1]) for part in parts if part[0] == "t")
        if abs(moment.timestamp() - sent_at) > TOLERANCE_SECONDS:
            raise ValueError("too old, or from the future")

    def acknowledgement(self) -> tuple[str, bytes]:
        return "text/plain", b"ok"

    def query(self, *, number: str, reference: str) -> PaymentResult | None:
        with self._answering():
            session = self._session(number=number, reference=reference)
            return None if session is None else _result(session, _outcome_of(session))

    def refund(
        self,
        *,
        number: str,
        reference: str,
        key: str,
        amount: Decimal,
        total: Decimal,
        currency: str,
        reason: str,
    ) -> str:
        with self._answering():
            session = self._session(number=number, reference=reference)
            if session is None or session["payment_intent"] is None:
                raise RefundRefused("Stripe knows no such payment")
            intent = session["payment_intent"]["id"]
            # Stripe forgets an idempotency key after a day, but no refund.
            earlier = self._client.v1.refunds.list(params={"payment_intent": intent, "limit": 100})
            refund = next((one for one in earlier.data if _refund_key(one) == key), None)
            if refund is None:
                units = to_minor_units(amount, currency)
                refund = self._create_refund(
                    intent, number=number, key=key, units=units, reason=reason
                )
            if refund["status"] in ("failed", "canceled"):
                raise RefundRefused(f"Stripe says that refund {refund['id']} {refund['status']}")
            return str(refund["id"])

    def _create_refund(
        self, intent: str, *, number: str, key: str, units: int, reason: str
    ) -> stripe.Refund:
        try:
            return self._client.v1.refunds.create(
                params={
                    "payment_intent": intent,
                    "amount": units,
                    "reason": "requested_by_customer",
                    "metadata": {"key": key, "reason": reason[:500]},
                },
                # With the number, as several installations may share one account.
                options={"idempotency_key": f"{number}-{key}"},
            )
        except self._sdk.InvalidRequestError as error:
            if error.code in PASSING_REFUSALS:
                raise
            raise RefundRefused(str(error)) from error

    def close(self, *, number: str, reference: str) -> None:
        with self._answering():
            session = self._session(number=number, reference=reference)
            if session is None or session["status"] != "open":
                return
            try:
                self._client.v1.checkout.sessions.expire(session["id"])
            except self._sdk.InvalidRequestError:
                # Between the two calls it was paid, or ended by itself: then it is closed to all.
                now = self._session(number=number, reference=session["id"])
                if now is not None and now["status"] == "open":
                    raise

    def _session(self, *, number: str, reference: str) -> Any:
        """The session with its payment intent, or None when Stripe does not know it."""
        sessions = self._client.v1.checkout.sessions
        if reference:
            try:
                return sessions.retrieve(reference, params={"expand": ["payment_intent"]})
            except self._sdk.InvalidRequestError as error:
                if error.http_status == 404:
                    return None
                raise
        # Sessions cannot be searched by our number, so the latest ones are gone through.
        latest = sessions.list(
            params={
                "created": {"gte": int(time.time()) - SEARCH_BACK_SECONDS},
                "limit": 100,
                "expand": ["data.payment_intent"],
            }
        )
        for n_seen, session in enumerate(latest.auto_paging_iter()):
            if _number_of(session) == number:
                return session
            if n_seen + 1 >= MOST_SEARCHED:
                raise ProviderUnavailable("too many sessions of Stripe to find this one")
        return None

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Turn whatever keeps Stripe from answering into ProviderUnavailable."""
        try:
            yield
        except self._sdk.StripeError as error:
            raise ProviderUnavailable(f"Stripe: {error}") from error
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise ProviderUnavailable(f"Stripe answered what cannot be read: {error}") from error


def _number_of(session: Any) -> str:
    """Our number of the payment, or nothing where the session is not one of ours."""
    if session["object"] != "checkout.session":
        return ""
    metadata = session["metadata"]
    number = metadata["number"] if metadata and "number" in metadata else ""
    return str(number) if number and session["client_reference_id"] == number else ""


def _refund_key(refund: Any) -> str:
    metadata = refund["metadata"]
    return str(metadata["key"]) if metadata and "key" in metadata else ""


def _outcome_of(session: Any) -> Outcome:
    if session["payment_status"] == "paid":
        return Outcome.SUCCEEDED
    if session["status"] == "expired":
        return Outcome.FAILED
    intent = session["payment_intent"]
    if session["status"] == "complete" and intent["status"] in (
        "requires_payment_method",
        "canceled",
    ):
        # A slow way to pay that did not bring the money.
        return Outcome.FAILED
    return Outcome.OPEN


def _result(session: Any, outcome: Outcome) -> PaymentResult:
    currency = str(session["currency"]).upper()
    return PaymentResult(
        number=_number_of(session),
        reference=str(session["id"]),
        outcome=outcome,
        amount=from_minor_units(int(session["amount_total"]), currency),
        currency=currency,
    )
