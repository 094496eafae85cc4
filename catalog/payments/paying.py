"""Paying in the sandbox without its page: a program says what shall happen."""

from __future__ import annotations

from datetime import datetime

from catalog.models import Order, Payment, PaymentStatus
from catalog.payments.provider import Outcome
from catalog.payments.registry import UnknownProvider, provider_named
from catalog.payments.sandbox import Sandbox
from catalog.payments.settling import follow
from catalog.payments.starting import open_payment, request_for, start_payment
from catalog.transactions import in_one_transaction

OUTCOMES = {"success": Outcome.SUCCEEDED, "decline": Outcome.FAILED}
STATUS = {
    Outcome.OPEN: PaymentStatus.STARTED,
    Outcome.SUCCEEDED: PaymentStatus.SUCCEEDED,
    Outcome.FAILED: PaymentStatus.FAILED,
}


@in_one_transaction
def pay_in_sandbox(*, order: Order, outcome: str, return_url: str, moment: datetime) -> Payment:
    """Begin a payment in the sandbox and let it end: success, decline, or timeout (it stays open).

    The order follows at once, in memory as well; the sandbox's notification comes later and
    changes nothing any more. One transaction, as sandbox and platform share a database. Raises
    NotPayable, and UnknownProvider where there is no sandbox.
    """
    sandbox = provider_named("sandbox")
    if not isinstance(sandbox, Sandbox):
        raise UnknownProvider("sandbox")
    if outcome not in OUTCOMES:
        return start_payment(order=order, provider=sandbox, return_url=return_url, moment=moment)
    payment, is_new = open_payment(order, provider=sandbox, moment=moment)
    request = request_for(payment, provider=sandbox, return_url=return_url)
    if is_new:
        result = sandbox.start_decided(request, OUTCOMES[outcome])
    else:
        reference = sandbox.start(request).reference
        sandbox.decide(reference, OUTCOMES[outcome])
        known = sandbox.query(number=request.number, reference=reference)
        assert known is not None, "the sandbox knows what it was just asked to start"
        result = known
    follow(payment, result, moment=moment)
    # The order is locked and waits: what the sandbox says is what the payment becomes.
    payment.status = STATUS[result.outcome]
    return payment
