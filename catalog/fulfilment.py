"""What follows when an order is paid, in the same transaction: access, ledger, receipt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from accounts.outbox import put_letter
from accounts.plain_rows import insert_row
from catalog.models import Enrollment, LedgerEntry, MoneyMove, Order, Payment, Purchase

RECEIPT = "receipt"


def fulfil(
    order: Order, lines: Sequence[Purchase], *, payment: Payment | None, moment: datetime
) -> None:
    """Enrol the buyer, record the one charge and put the receipt into the outbox.

    Call it once, for whoever moved the order to paid. `payment` is None for a free order, whose
    charge is zero.
    """
    for line in lines:
        enrol(user_id=order.buyer_id, line=line, moment=moment)
    charge = LedgerEntry(
        order=order,
        key="charge",
        kind=MoneyMove.CHARGE,
        amount=order.total,
        currency=order.currency,
        payment=payment,
        recorded_at=moment,
    )
    insert_row(charge)
    put_letter(
        kind=RECEIPT,
        key=f"{RECEIPT}-{order.pk}",
        recipient_id=order.buyer_id,
        subject_id=order.pk,
        moment=moment,
    )


def enrol(*, user_id: int, line: Purchase, moment: datetime) -> None:
    """Give access to the course of the line; somebody who had it before gets it again."""
    access = Enrollment(
        user_id=user_id,
        course_id=line.course_id,
        purchase=line,
        is_active=True,
        enrolled_at=moment,
    )
    insert_row(
        access,
        update_on_conflict=["purchase", "is_active", "enrolled_at"],
        unique=["user", "course"],
    )
