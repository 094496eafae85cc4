"""Promotions: a lower price for a limited time and, where it says so, for limited seats."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F

from catalog.models import Promotion


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

    What is taken stays taken: the seats left move by the difference. One conditional update
    decides, so that a sale at the same moment is not lost. Raises SeatsTaken, and changes
    nothing, when more are taken than `seats`.
    """
    row = Promotion.objects.filter(pk=promotion.pk)
    if seats is None:
        row.update(seats=None, seats_left=None)
    elif not (
        row.filter(seats__isnull=True).update(seats=seats, seats_left=seats)
        # MySQL sets columns from left to right, each from what is there by then, and refuses
        # unsigned differences below zero: hence the order of columns and of terms.
        or row.filter(seats__lte=F("seats_left") + seats).update(
            seats_left=F("seats_left") + seats - F("seats"), seats=seats
        )
    ):
        current = row.get()
        raise SeatsTaken((current.seats or 0) - (current.seats_left or 0))
    promotion.refresh_from_db(fields=["seats", "seats_left"])
