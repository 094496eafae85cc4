"""Promotions: a lower price for a limited time and, where it says so, for limited seats."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F

from catalog.models import Promotion, Purchase


class SeatsTaken(Exception):
    """More seats are taken already than the promotion is to have.

    `n_taken` is how many.
    """

    def __init__(self, n_taken: int) -> None:
        super().__init__(f"{n_taken} seats are taken already")
        self.n_taken = n_taken


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
