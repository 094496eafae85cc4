"""Giving money back: of a whole order or of one line.

The decision and the transfer are two things. Access, seats and ledger follow the decision at
once; the transfer is asked of the provider afterwards, until it answers.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db.models import F
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.outbox import put_letter
from accounts.transactions import in_one_transaction
from catalog.holds import give_back_lines
from catalog.models import (
    Enrollment,
    LedgerEntry,
    MoneyMove,
    Order,
    OrderStatus,
    Payment,
    PaymentStatus,
    Purchase,
    Refund,
    RefundStatus,
)
from catalog.payments.provider import ProviderUnavailable, RefundRefused
from catalog.payments.registry import UnknownProvider, provider_named

logger = logging.getLogger(__name__)

REFUND_LETTER = "refund"
LEASE = timedelta(minutes=5)
LONGEST_WAIT = timedelta(hours=6)
MOST_ATTEMPTS = 30


class NotRefundable(Exception):
    """Nothing of what was chosen is paid and not refunded yet."""

    def __init__(self) -> None:
        super().__init__(_("Only lines that were paid and not refunded yet can be refunded."))


@in_one_transaction
def refund_lines(
    *, order: Order, line_ids: Collection[int], by: User | None, reason: str, moment: datetime
) -> list[Refund]:
    """Refund lines of one paid order: take access away, record it, ask for the transfer.

    Of two at the same moment one refunds a line. `by` is who decided; whether they may is asked
    before. An order whose lines are all refunded is refunded. Raises NotRefundable, and changes
    nothing, when no line is left to refund.
    """
    # Locked, so that its status follows from all of its lines.
    order = Order.objects.select_for_update().get(pk=order.pk)
    if order.status != OrderStatus.PAID:
        raise NotRefundable
    lines = [
        line
        for line in order.lines.filter(pk__in=line_ids, refunded_at=None).order_by("pk")
        if Purchase.objects.filter(pk=line.pk, refunded_at=None).update(refunded_at=moment)
    ]
    if not lines:
        raise NotRefundable
    payment = order.payments.filter(status=PaymentStatus.SUCCEEDED).first()
    refunds = [
        _refund_line(order, line, payment=payment, by=by, reason=reason, moment=moment)
        for line in lines
    ]
    give_back_lines(lines)
    Enrollment.objects.filter(purchase__in=lines).update(is_active=False)
    if not order.lines.filter(refunded_at=None).exists():
        Order.objects.filter(pk=order.pk).update(status=OrderStatus.REFUNDED)
    put_letter(
        kind=REFUND_LETTER,
        key=f"{REFUND_LETTER}-{refunds[0].pk}",
        recipient_id=order.buyer_id,
        subject_id=order.pk,
        moment=moment,
    )
    return refunds


def _refund_line(
    order: Order,
    line: Purchase,
    *,
    payment: Payment | None,
    by: User | None,
    reason: str,
    moment: datetime,
) -> Refund:
    LedgerEntry.objects.create(
        order=order,
        key=f"refund-{line.pk}",
        kind=MoneyMove.REFUND,
        amount=line.price,
        currency=order.currency,
        payment=payment,
        purchase=line,
        recorded_at=moment,
    )
    # Nothing came through a provider, so nothing goes back through one.
    is_done = payment is None or line.price == 0
    return Refund.objects.create(
        key=f"line-{line.pk}",
        order=order,
        purchase=line,
        payment=payment,
        amount=line.price,
        currency=order.currency,
        reason=reason,
        requested_by=by,
        requested_at=moment,
        not_before=moment,
        status=RefundStatus.DONE if is_done else RefundStatus.REQUESTED,
        settled_at=moment if is_done else None,
    )


def send_due_refunds(*, moment: datetime, most: int = 100) -> int:
    """Ask the providers for the transfers that are due; returns how many are done.

    Who moves `not_before` asks, so that workers at the same time share them; the provider knows
    each refund by its key and pays once even when it is asked again.
    """
    due = Refund.objects.filter(status=RefundStatus.REQUESTED, not_before__lte=moment)
    n_done = 0
    for refund in due.select_related("payment").order_by("not_before", "pk")[:most]:
        wait = min(LEASE * 2 ** min(refund.n_attempts, 8), LONGEST_WAIT)
        claim = due.filter(pk=refund.pk)
        if claim.update(not_before=moment + wait, n_attempts=F("n_attempts") + 1):
            n_done += _send(refund, moment=moment)
    return n_done


def _send(refund: Refund, *, moment: datetime) -> bool:
    payment = refund.payment
    assert payment is not None, "a refund without a payment is done when it is made"
    asked = Refund.objects.filter(pk=refund.pk, status=RefundStatus.REQUESTED)
    try:
        reference = provider_named(payment.provider).refund(
            number=payment.number.hex,
            reference=payment.reference or "",
            key=refund.key,
            amount=refund.amount,
            total=payment.amount,
            currency=refund.currency,
            reason=refund.reason,
        )
    except (ProviderUnavailable, UnknownProvider) as error:
        logger.warning("refund %s: %s", refund.key, error)
        is_over = refund.n_attempts + 1 >= MOST_ATTEMPTS
        status = RefundStatus.FAILED if is_over else RefundStatus.REQUESTED
        asked.update(status=status, last_error=str(error)[:200])
        return False
    except RefundRefused as error:
        logger.error("refund %s was refused: %s", refund.key, error)
        asked.update(status=RefundStatus.FAILED, last_error=str(error)[:200], settled_at=moment)
        return False
    return bool(
        asked.update(
            status=RefundStatus.DONE, reference=reference, settled_at=moment, last_error=""
        )
    )


def ask_again(refund: Refund, *, moment: datetime) -> bool:
    """Let a refund that failed be asked of its provider once more; False when it did not fail."""
    failed = Refund.objects.filter(pk=refund.pk, status=RefundStatus.FAILED)
    return bool(
        failed.update(
            status=RefundStatus.REQUESTED, not_before=moment, n_attempts=0, settled_at=None
        )
    )
