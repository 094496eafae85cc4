"""Orders whose time is over, and payments of which no word came."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from catalog.expiry import close_unpaid, due_orders
from catalog.models import Order, OrderStatus, Payment, PaymentStatus
from catalog.payments.provider import ProviderUnavailable
from catalog.payments.registry import UnknownProvider
from catalog.payments.settling import (
    MismatchedPayment,
    check_payment,
    close_payments,
    unsettled_payments,
)

logger = logging.getLogger(__name__)

# A provider that cannot be asked holds up an order for so long, and not for ever.
PATIENCE = timedelta(minutes=30)
MOST_AT_ONCE = 500


def expire_due_orders(*, moment: datetime, most: int = MOST_AT_ONCE) -> int:
    """End the orders that are due and return how many this call ended.

    The provider of a payment that was begun is asked first: an order that was paid becomes paid,
    even when the notification was lost. May run late, twice and in parallel.
    """
    n_expired = 0
    for order in due_orders(moment=moment).prefetch_related("payments")[:most]:
        started = [one for one in order.payments.all() if one.status == PaymentStatus.STARTED]
        answers = [_ask(payment, moment=moment) for payment in started]
        if not all(answers) and not _is_out_of_patience(order, moment):
            continue
        if close_unpaid(order.pk, OrderStatus.EXPIRED, moment=moment):
            n_expired += 1
            close_payments(order)
    return n_expired


def check_unsettled_payments(*, moment: datetime, most: int = MOST_AT_ONCE) -> int:
    """Ask after payments of which no word came; returns how many could be asked about."""
    payments = list(unsettled_payments(moment=moment).select_related("order")[:most])
    return sum(_ask(payment, moment=moment) for payment in payments)


def _ask(payment: Payment, *, moment: datetime) -> bool:
    """Whether the provider could be asked; its answer has been followed."""
    try:
        check_payment(payment, moment=moment)
    except (ProviderUnavailable, UnknownProvider) as error:
        logger.warning("payment %s could not be asked about: %s", payment.number.hex, error)
        return False
    except MismatchedPayment as error:
        logger.error("payment %s: %s", payment.number.hex, error)
    return True


def _is_out_of_patience(order: Order, moment: datetime) -> bool:
    return order.expires_at is not None and order.expires_at + PATIENCE <= moment
