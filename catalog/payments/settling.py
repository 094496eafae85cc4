"""What a provider's word means for an order.

Notifications come late, twice, out of order, or not at all; answers to our questions come beside
them. All of them end here, and whatever their order, the outcome is that of one honest delivery:
each step is a conditional update that only the first can win.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from accounts.models import User
from accounts.plain_rows import change_row, fetch_rows
from accounts.transactions import in_one_transaction
from catalog.coupons import CouponSpent, take_use_again
from catalog.fulfilment import fulfil
from catalog.holds import SoldOut, take_seats_again, take_slots
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
)
from catalog.payments.provider import Outcome, PaymentResult, ProviderUnavailable
from catalog.payments.registry import UnknownProvider, provider_named

logger = logging.getLogger(__name__)

ENDED_UNPAID = (OrderStatus.EXPIRED, OrderStatus.CANCELLED)
# Before the first a notification is likely to be under way; after the other nobody pays any more.
ASK_AFTER = timedelta(minutes=2)
ASK_UNTIL = timedelta(hours=25)


class UnknownPayment(Exception):
    """The message is about a payment that was never started here."""


class MismatchedPayment(Exception):
    """The message is genuine, but not about what was to be paid."""


def apply_result(provider: str, result: PaymentResult, *, moment: datetime) -> Payment:
    """Let the order follow what the provider says happened; said again, it changes nothing.

    Raises UnknownPayment, and MismatchedPayment when number, reference, amount or currency are
    not those of the payment: then nothing changed.
    """
    try:
        number = uuid.UUID(hex=result.number)
        payment = Payment.objects.select_related("order").get(number=number, provider=provider)
    except (ValueError, Payment.DoesNotExist):
        raise UnknownPayment(result.number) from None
    follow(payment, result, moment=moment)
    return payment


def follow(payment: Payment, result: PaymentResult, *, moment: datetime) -> None:
    """The same for a payment that is known. Raises MismatchedPayment."""
    _ensure_same(payment, result)
    if result.outcome == Outcome.SUCCEEDED:
        _settle(payment, reference=result.reference, moment=moment)
    elif result.outcome == Outcome.FAILED:
        Payment.objects.filter(pk=payment.pk, status=PaymentStatus.STARTED).update(
            status=PaymentStatus.FAILED, settled_at=moment
        )


def _ensure_same(payment: Payment, result: PaymentResult) -> None:
    is_same = (
        payment.number.hex == result.number.replace("-", "")
        and (not payment.reference or not result.reference or payment.reference == result.reference)
        and payment.amount == result.amount
        and payment.currency == result.currency
    )
    if not is_same:
        raise MismatchedPayment(
            f"payment {payment.number.hex}: {payment.amount} {payment.currency} was to be paid, "
            f"{payment.provider} says {result.amount} {result.currency}, {result.reference!r}"
        )


@in_one_transaction
def _settle(payment: Payment, *, reference: str, moment: datetime) -> None:
    # A payment that failed can still succeed: the buyer tries another card on the same page.
    open_ones = [PaymentStatus.STARTED, PaymentStatus.FAILED]
    settled = {"status": PaymentStatus.SUCCEEDED, "settled_at": moment}
    if reference:
        settled["reference"] = reference
    if not change_row(Payment, payment.pk, where={"status": open_ones}, to=settled):
        return
    # Of what was read before, only what never changes is used: buyer, amounts, lines.
    order = payment.order
    paid = {"status": OrderStatus.PAID, "paid_at": moment}
    if change_row(Order, order.pk, where={"status": OrderStatus.PENDING}, to=paid):
        order.status, order.paid_at = OrderStatus.PAID, moment
        fulfil(order, order.shown_lines, payment=payment, moment=moment)
    elif not _revive(order, payment=payment, moment=moment):
        _return_surplus(payment, moment=moment)


def _revive(order: Order, *, payment: Payment, moment: datetime) -> bool:
    """Make an order paid that had ended, if all that it held can be had again."""
    try:
        with transaction.atomic():
            _ensure_somebody_is_there(order.buyer_id)
            ended = Order.objects.filter(pk=order.pk, status__in=ENDED_UNPAID)
            if not ended.update(status=OrderStatus.PAID, paid_at=moment):
                return False
            lines = list(order.lines.select_related("course"))
            if order.coupon_id is not None:
                discount = sum((line.coupon_discount for line in lines), Decimal(0))
                take_use_again(order, discount=discount)
            take_seats_again(line.promotion_id for line in lines if line.promotion_id is not None)
            _hold_again(order, lines)
            take_slots(lines, chosen=(), moment=moment)
            fulfil(order, lines, payment=payment, moment=moment)
    except (SoldOut, CouponSpent, _Owned, _Gone) as reason:
        logger.info("late payment of order %s goes back: %s", order.public_id, reason)
        return False
    return True


class _Gone(Exception):
    """The buyer's account has ended; nobody could use what it would give."""


def _ensure_somebody_is_there(buyer_id: int) -> None:
    # Locked, as erasure locks it: what an erased person had is not given to them again.
    (buyer,) = fetch_rows(User, fields=["is_active"], pk=buyer_id, is_locked=True)
    if not buyer.is_active:
        raise _Gone("the account has ended")


class _Owned(Exception):
    """The buyer has got one of the courses meanwhile."""


def _hold_again(order: Order, lines: Iterable[Purchase]) -> None:
    keys = [line.course_id for line in lines]
    if Enrollment.objects.active().filter(user=order.buyer_id, course__in=keys).exists():
        raise _Owned("owned by now")
    try:
        with transaction.atomic():
            order.lines.update(holder=order.buyer_id)
    except IntegrityError:
        raise _Owned("ordered again") from None


def _return_surplus(payment: Payment, *, moment: datetime) -> None:
    """Record money that came and was not needed, and ask for its return."""
    Payment.objects.filter(pk=payment.pk).update(status=PaymentStatus.SURPLUS)
    for kind, key in [
        (MoneyMove.SURPLUS, f"surplus-{payment.pk}"),
        (MoneyMove.SURPLUS_RETURN, f"surplus-return-{payment.pk}"),
    ]:
        LedgerEntry.objects.create(
            order=payment.order,
            key=key,
            kind=kind,
            amount=payment.amount,
            currency=payment.currency,
            payment=payment,
            recorded_at=moment,
        )
    Refund.objects.create(
        key=f"surplus-{payment.pk}",
        order=payment.order,
        payment=payment,
        amount=payment.amount,
        currency=payment.currency,
        requested_at=moment,
        not_before=moment,
    )


def check_payment(payment: Payment, *, moment: datetime) -> Outcome:
    """Ask the provider what became of the payment, follow its answer and return it.

    Open when the provider does not know the payment. Raises ProviderUnavailable, and
    UnknownProvider when it is not set up any more.
    """
    provider = provider_named(payment.provider)
    result = provider.query(number=payment.number.hex, reference=payment.reference or "")
    if result is None:
        return Outcome.OPEN
    follow(payment, result, moment=moment)
    return result.outcome


def unsettled_payments(*, moment: datetime) -> QuerySet[Payment]:
    """Payments of which no word came, old enough that one may be lost."""
    return Payment.objects.filter(
        status=PaymentStatus.STARTED,
        started_at__gt=moment - ASK_UNTIL,
        started_at__lte=moment - ASK_AFTER,
    ).order_by("started_at", "pk")


def close_payments(order: Order) -> None:
    """Ask the providers to take no money any more for an order that has ended.

    A provider that cannot be reached is left: money that still comes is handled as late.
    """
    for payment in order.payments.filter(status=PaymentStatus.STARTED):
        try:
            provider_named(payment.provider).close(
                number=payment.number.hex, reference=payment.reference or ""
            )
        except (ProviderUnavailable, UnknownProvider) as error:
            logger.warning("payment %s could not be closed: %s", payment.number.hex, error)
