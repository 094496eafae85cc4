"""Paying in the sandbox without its page: a program says what shall happen."""

from __future__ import annotations

import uuid
from datetime import datetime

from accounts.models import User
from accounts.transactions import in_one_transaction
from catalog.models import Order, OrderStatus, Payment, PaymentStatus
from catalog.own_orders import own_order
from catalog.payments.provider import Outcome
from catalog.payments.registry import UnknownProvider, provider_named
from catalog.payments.sandbox import Sandbox
from catalog.payments.settling import follow
from catalog.payments.starting import open_payment, request_for, start_payment

OUTCOMES = {"success": Outcome.SUCCEEDED, "decline": Outcome.FAILED}
STATUS = {
    Outcome.OPEN: PaymentStatus.STARTED,
    Outcome.SUCCEEDED: PaymentStatus.SUCCEEDED,
    Outcome.FAILED: PaymentStatus.FAILED,
}


@in_one_transaction
def pay_own_in_sandbox(
    *, buyer: User, public_id: uuid.UUID, outcome: str, return_url: str, moment: datetime
) -> tuple[Order | None, Payment | None]:
    """The buyer's order of that id as it is once it was paid or declined, and the payment.

    No order where the buyer has none such; no payment where it was paid before. Raises what
    pay_in_sandbox raises.
    """
    order = own_order(buyer, public_id, is_locked=True)
    if order is None or order.status == OrderStatus.PAID:
        return order, None
    payment = pay_in_sandbox(
        order=order, outcome=outcome, return_url=return_url, moment=moment, is_locked=True
    )
    return order, payment


@in_one_transaction
def pay_in_sandbox(
    *, order: Order, outcome: str, return_url: str, moment: datetime, is_locked: bool = False
) -> Payment:
    """Begin a payment in the sandbox and let it end: success, decline, or timeout (it stays open).

    The order follows at once, in memory as well; the sandbox's notification comes later and
    changes nothing any more. One transaction, as sandbox and platform share a database;
    `is_locked`: the order was read in it, with its row locked. Raises NotPayable, and
    UnknownProvider where there is no sandbox.
    """
    sandbox = provider_named("sandbox")
    if not isinstance(sandbox, Sandbox):
        raise UnknownProvider("sandbox")
    if outcome not in OUTCOMES:
        return start_payment(order=order, provider=sandbox, return_url=return_url, moment=moment)
    payment, is_new = open_payment(order, provider=sandbox, moment=moment, is_locked=is_locked)
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
