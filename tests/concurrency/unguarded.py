"""The platform without its guards, for the controls: it reads what is left, and writes it later.

What is on sale here is sold more than once, which shows that the rushes of these tests do meet.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from django.db.models import QuerySet

from livecourse.wsgi import application

# So long lies between reading and writing, as it does on a busy server.
PAUSE_SECONDS = 0.02


def take_seat_carelessly(promotion_id: int, where: Mapping[str, object]) -> bool:
    """Take a seat if one was left when it was read."""
    from catalog.models import Promotion

    rows = Promotion.objects.filter(pk=promotion_id)
    left = rows.values_list("seats_left", flat=True).first()
    time.sleep(PAUSE_SECONDS)
    return bool(rows.update(seats_left=left - 1)) if left else False


def count_carelessly(rows: QuerySet, discount: object) -> int:
    """Count a use of a coupon if one was left when it was read."""
    coupon = rows.get()
    time.sleep(PAUSE_SECONDS)
    if coupon.max_uses is not None and coupon.n_used >= coupon.max_uses:
        return 0
    return rows.update(n_used=coupon.n_used + 1, spent=coupon.spent + discount)


def take_guards_out() -> None:
    """Let the rules of this process count carelessly."""
    from catalog import coupons, holds

    holds._take_seat = take_seat_carelessly
    coupons._count = count_carelessly


take_guards_out()

__all__ = ["application"]
