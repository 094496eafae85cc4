"""A provider that moves no money: pay, decline, or let the time run out, on a page of the platform.

It stands for a vendor on another machine. It keeps a book of its own, decides nothing about
orders, and tells what happened by signed notifications over HTTP, which a job delivers until
they are acknowledged.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from http import HTTPStatus

from django.db.models import F
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from accounts.plain_rows import change_row, fetch_rows, insert_row
from accounts.transactions import in_one_transaction
from catalog.models import SandboxNotice, SandboxPayment, SandboxRefund, SandboxState
from catalog.models.money import to_the_cent
from catalog.payments.provider import (
    ForgedNotification,
    Outcome,
    PaymentRequest,
    PaymentResult,
    Provider,
    RefundRefused,
    StartedPayment,
)

SIGNATURE_HEADER = "Sandbox-Signature"
TOLERANCE = timedelta(seconds=300)
OUTCOMES = {
    SandboxState.OPEN: Outcome.OPEN,
    SandboxState.PAID: Outcome.SUCCEEDED,
    SandboxState.DECLINED: Outcome.FAILED,
    SandboxState.CLOSED: Outcome.FAILED,
}
STATES = {Outcome.SUCCEEDED: SandboxState.PAID, Outcome.FAILED: SandboxState.DECLINED}
DELIVERY_TIMEOUT_SECONDS = 10
MOST_ATTEMPTS = 20
LEASE = timedelta(minutes=2)
LONGEST_WAIT = timedelta(hours=1)


class Sandbox(Provider):
    """The sandbox; `secret` is what its signatures are derived from."""

    name = "sandbox"

    def __init__(self, *, secret: str) -> None:
        self._key = hashlib.sha256(b"livecourse.sandbox:" + secret.encode()).digest()

    @property
    def label(self) -> str:
        return _("Test payment (no money moves)")

    def start(self, request: PaymentRequest) -> StartedPayment:
        payment = self._entry(request)
        # Asked twice with one number, it is in the book already: one statement for both cases.
        insert_row(payment, update_on_conflict=["number"], unique=["number"])
        page = reverse("catalog:sandbox", args=[payment.reference])
        return StartedPayment(reference=payment.reference.hex, redirect_url=page)

    @in_one_transaction
    def start_decided(self, request: PaymentRequest, outcome: Outcome) -> PaymentResult:
        """Begin a payment that is paid or declined at once, with its notification.

        The number must be a new one.
        """
        payment = self._entry(request)
        payment.state = STATES[outcome]
        insert_row(payment)
        insert_row(SandboxNotice(payment=payment, outcome=outcome))
        return _result(payment)

    def _entry(self, request: PaymentRequest) -> SandboxPayment:
        return SandboxPayment(
            reference=self.reference_of(request.number),
            number=request.number,
            title=request.title,
            amount=request.amount,
            currency=request.currency,
            return_url=request.return_url,
            notify_url=request.notify_url,
        )

    def reference_of(self, number: str) -> uuid.UUID:
        """The sandbox's own number of a payment; who knows ours cannot guess it."""
        digest = hmac.new(self._key, b"reference:" + number.encode(), hashlib.sha256)
        return uuid.UUID(bytes=digest.digest()[:16], version=4)

    def read_notification(
        self, *, headers: Mapping[str, str], body: bytes, moment: datetime
    ) -> PaymentResult | None:
        by_name = {name.lower(): value for name, value in headers.items()}
        self._verify(by_name.get(SIGNATURE_HEADER.lower(), ""), body, moment)
        try:
            told = json.loads(body)
            return PaymentResult(
                number=str(told["number"]),
                reference=str(told["reference"]),
                outcome=Outcome(told["outcome"]),
                amount=Decimal(told["amount"]),
                currency=str(told["currency"]),
            )
        except (ValueError, KeyError, TypeError, InvalidOperation) as error:
            raise ForgedNotification(f"not a notification: {error}") from error

    def _verify(self, signature: str, body: bytes, moment: datetime) -> None:
        parts = dict(part.partition("=")[::2] for part in signature.split(","))
        sent_at = parts.get("t", "")
        if not sent_at.isascii() or not sent_at.isdigit() or len(sent_at) > 12:
            raise ForgedNotification("the signature has no time")
        if abs(moment.timestamp() - int(sent_at)) > TOLERANCE.total_seconds():
            raise ForgedNotification("the notification is too old, or from the future")
        if not constant_time_compare(parts.get("v1", ""), self.digest(sent_at, body)):
            raise ForgedNotification("the signature does not match")

    def digest(self, sent_at: str, body: bytes) -> str:
        """The signature of a body that is sent at a second since the epoch: HMAC-SHA256, hex."""
        return hmac.new(self._key, sent_at.encode() + b"." + body, hashlib.sha256).hexdigest()

    def sign(self, body: bytes, *, moment: datetime) -> str:
        """The value of the signature header."""
        sent_at = str(int(moment.timestamp()))
        return f"t={sent_at},v1={self.digest(sent_at, body)}"

    def acknowledgement(self) -> tuple[str, bytes]:
        return "text/plain", b"ok"

    def query(self, *, number: str, reference: str) -> PaymentResult | None:
        payment = SandboxPayment.objects.filter(number=number).first()
        return None if payment is None else _result(payment)

    @in_one_transaction
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
        paid = SandboxPayment.objects.filter(number=number, state=SandboxState.PAID)
        payment = paid.select_for_update().first()
        if payment is None:
            raise RefundRefused("the sandbox knows no such paid payment")
        if (before := SandboxRefund.objects.filter(key=key).first()) is not None:
            return str(before.pk)
        refunded = to_the_cent(F("refunded") + amount)
        if not paid.filter(amount__gte=refunded).update(refunded=refunded):
            raise RefundRefused("more than was paid cannot be given back")
        return str(SandboxRefund.objects.create(payment=payment, key=key, amount=amount).pk)

    def close(self, *, number: str, reference: str) -> None:
        SandboxPayment.objects.filter(number=number, state=SandboxState.OPEN).update(
            state=SandboxState.CLOSED
        )

    @in_one_transaction
    def decide(self, reference: str, outcome: Outcome) -> PaymentResult | None:
        """Let the buyer pay or decline, and say so; None when the payment is not open any more.

        What is decided and the notification of it are stored together: none is lost.
        """
        # As with a real card, another try can follow on one that was declined.
        undecided = [SandboxState.OPEN, SandboxState.DECLINED]
        found = fetch_rows(SandboxPayment, reference=reference)
        if not found:
            return None
        (payment,) = found
        payment.state = STATES[outcome]
        is_decided = change_row(
            SandboxPayment, payment.pk, where={"state": undecided}, to={"state": payment.state}
        )
        if not is_decided:
            return None
        insert_row(SandboxNotice(payment=payment, outcome=outcome))
        return _result(payment)

    def notification(self, notice: SandboxNotice) -> bytes:
        """The body of a notification."""
        payment = notice.payment
        told = {
            "number": payment.number,
            "reference": payment.reference.hex,
            "outcome": notice.outcome,
            "amount": f"{payment.amount:.2f}",
            "currency": payment.currency,
        }
        return json.dumps(told, sort_keys=True).encode()


def _result(payment: SandboxPayment) -> PaymentResult:
    return PaymentResult(
        number=payment.number,
        reference=payment.reference.hex,
        outcome=OUTCOMES[SandboxState(payment.state)],
        amount=payment.amount,
        currency=payment.currency,
    )


def deliver_notices(sandbox: Sandbox, *, moment: datetime, most: int = 200) -> int:
    """Send the notifications that are due; returns how many were acknowledged.

    One that is not acknowledged is sent again, later each time. Workers at the same time share
    them: who moves `not_before` sends.
    """
    due = SandboxNotice.objects.filter(
        delivered_at=None, not_before__lte=moment, n_attempts__lt=MOST_ATTEMPTS
    )
    n_delivered = 0
    for notice in due.select_related("payment").order_by("pk")[:most]:
        wait = min(LEASE * 2**notice.n_attempts, LONGEST_WAIT)
        claimed = due.filter(pk=notice.pk).update(
            not_before=moment + wait, n_attempts=F("n_attempts") + 1
        )
        if claimed and _deliver(sandbox, notice):
            SandboxNotice.objects.filter(pk=notice.pk).update(delivered_at=timezone.now())
            n_delivered += 1
    return n_delivered


def _deliver(sandbox: Sandbox, notice: SandboxNotice) -> bool:
    body = sandbox.notification(notice)
    request = urllib.request.Request(  # noqa: S310 - the platform's own SITE_URL
        notice.payment.notify_url,
        data=body,
        headers={
            "Content-Type": "application/json",
            SIGNATURE_HEADER: sandbox.sign(body, moment=timezone.now()),
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=DELIVERY_TIMEOUT_SECONDS) as answer:  # noqa: S310
            return answer.status == HTTPStatus.OK
    except (urllib.error.URLError, OSError):
        # Not acknowledged, for whatever reason: it is sent again.
        return False
