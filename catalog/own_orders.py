"""One order as its buyer sees it."""

from __future__ import annotations

import uuid

from accounts.models import User
from accounts.plain_rows import fetch_rows
from catalog.models import Course, Order, Purchase


def own_order(buyer: User, public_id: uuid.UUID, *, is_locked: bool = False) -> Order | None:
    """The buyer's order of that id with its lines, or None; three short queries.

    Of the courses only what an order shows is there: slug, title and kind. `is_locked` locks the
    order's row until the transaction ends.
    """
    orders = fetch_rows(Order, buyer=buyer, public_id=public_id, is_locked=is_locked)
    if not orders:
        return None
    (order,) = orders
    order.shown_lines = fetch_rows(Purchase, order=order)
    keys = [line.course_id for line in order.shown_lines]
    courses = {
        course.pk: course
        for course in fetch_rows(Course, fields=["slug", "title", "kind"], pk=keys)
    }
    for line in order.shown_lines:
        line.course = courses[line.course_id]
    return order
