"""One order as its buyer sees it."""

from __future__ import annotations

import uuid

from accounts.models import User
from accounts.plain_rows import fetch_rows, fetch_rows_with
from catalog.models import Order, Purchase


def own_order(buyer: User, public_id: uuid.UUID, *, is_locked: bool = False) -> Order | None:
    """The buyer's order of that id with its lines, or None; two short queries.

    Of the courses only what an order shows is there: slug, title and kind. `is_locked` locks the
    order's row until the transaction ends.
    """
    orders = fetch_rows(Order, buyer=buyer, public_id=public_id, is_locked=is_locked)
    if not orders:
        return None
    (order,) = orders
    order.shown_lines = fetch_rows_with(
        Purchase, "course", fields=["slug", "title", "kind"], order=order
    )
    return order
