"""Orders that were not paid: they end, and what they held is free again."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from accounts.transactions import in_one_transaction
from catalog.holds import give_back
from catalog.models import Order, OrderStatus

MOST_AT_ONCE = 500


@in_one_transaction
def close_unpaid(order_id: int, status: OrderStatus, *, moment: datetime) -> bool:
    """Move an unpaid order to expired, when its time is over, or to cancelled.

    One conditional update decides: of a payment, a cancellation and any number of expiries at
    the same moment one happens. Returns whether this was it.
    """
    waiting = Order.objects.filter(pk=order_id, status=OrderStatus.PENDING)
    if status == OrderStatus.EXPIRED:
        waiting = waiting.filter(expires_at__lte=moment)
    if not waiting.update(status=status):
        return False
    give_back(Order.objects.get(pk=order_id))
    return True


def due_orders(*, moment: datetime) -> QuerySet[Order]:
    """Orders whose time to be paid is over, the oldest first."""
    due = Order.objects.filter(status=OrderStatus.PENDING, expires_at__lte=moment)
    return due.order_by("expires_at", "pk")


def give_back_due(*, moment: datetime, most: int = MOST_AT_ONCE) -> int:
    """Expire the orders that are due and return how many were, whoever expired them.

    What their payment providers know is not asked here: money that still arrives is handled as
    late (`catalog.payments.settling`).
    """
    keys = list(due_orders(moment=moment).values_list("pk", flat=True)[:most])
    for pk in keys:
        close_unpaid(pk, OrderStatus.EXPIRED, moment=moment)
    return len(keys)
