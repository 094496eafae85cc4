"""Promotions: a lower price for a limited time and, where it says so, for limited seats."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.models import Course, Promotion, Purchase


class SeatsTaken(Exception):
    """More seats are taken already than the promotion is to have.

    `n_taken` is how many.
    """

    def __init__(self, n_taken: int) -> None:
        super().__init__(f"{n_taken} seats are taken already")
        self.n_taken = n_taken


class NotBelowListPrice(Exception):
    """A promotion lowers the price; this one would not."""

    def __init__(self, course: Course) -> None:
        amount = f"{course.list_price} {course.currency}"
        text = _("The price must be below the list price, %(price)s.")
        super().__init__(text % {"price": amount})
        self.course = course


def ensure_below_list_price(course: Course, price: Decimal) -> None:
    """Raise NotBelowListPrice unless a promotion at this price lowers that of the course."""
    if price >= course.list_price:
        raise NotBelowListPrice(course)


def begin_promotion(
    course: Course,
    *,
    price: Decimal,
    seats: int | None,
    is_public: bool,
    by: User,
    moment: datetime,
    lasts: timedelta,
) -> Promotion:
    """Lower the price of the course from now on; its history says by whom.

    Raises NotBelowListPrice, and ValidationError for what no promotion can hold.
    """
    ensure_below_list_price(course, price)
    promotion = Promotion(
        course=course,
        price=price,
        seats=seats,
        seats_left=seats,
        is_public=is_public,
        starts_at=moment,
        ends_at=moment + lasts,
    )
    promotion.full_clean(exclude=["course"], validate_constraints=False)
    promotion._history_user = by  # type: ignore[attr-defined]
    promotion.save()
    return promotion


@transaction.atomic
def stop_promotion(promotion: Promotion, *, by: User, moment: datetime) -> bool:
    """End it now; False when it had ended. Who holds a seat at its price keeps it."""
    row = Promotion.objects.select_for_update().get(pk=promotion.pk)
    if not row.is_active or row.ends_at <= moment:
        return False
    # It lasts for some time, however short.
    row.ends_at = max(moment, row.starts_at + timedelta(milliseconds=1))
    row._history_user = by  # type: ignore[attr-defined]
    row.save(update_fields=["ends_at"])
    return True


@transaction.atomic
def change_seats(promotion: Promotion, *, seats: int | None) -> None:
    """Give the promotion so many seats in all; None lifts the limit.

    What is taken stays taken: the seats left move by the difference, and where there was no
    limit, what was sold or is held until now counts. Conditional updates decide, so that a sale
    at the same moment is not lost. Raises SeatsTaken, and changes nothing, when more are taken
    than `seats`.
    """
    row = Promotion.objects.filter(pk=promotion.pk)
    if seats is None:
        row.update(seats=None, seats_left=None)
    # MySQL sets columns from left to right, each from what is there by then, and refuses
    # unsigned differences below zero: hence the order of columns and of terms.
    elif not row.filter(seats__lte=F("seats_left") + seats).update(
        seats_left=F("seats_left") + seats - F("seats"), seats=seats
    ):
        # Every sale locks this row first: none is under way once it is ours.
        current = row.select_for_update().get()
        n_taken = (
            n_seats_held(promotion)
            if current.seats is None
            else current.seats - (current.seats_left or 0)
        )
        if current.seats is not None or n_taken > seats:
            raise SeatsTaken(n_taken)
        row.update(seats=seats, seats_left=seats - n_taken)
    promotion.refresh_from_db(fields=["seats", "seats_left"])


def n_seats_held(promotion: Promotion) -> int:
    """How many people have bought at this price or hold a seat until they pay."""
    return Purchase.objects.filter(promotion=promotion, holder__isnull=False).count()
