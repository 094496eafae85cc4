"""Changing the seats of a promotion while they are being sold."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction
from django.db.models import F

from catalog.models import Promotion
from catalog.promotions import SeatsTaken, change_seats
from tests.factories import PromotionFactory


@pytest.mark.django_db
@pytest.mark.mariadb
@pytest.mark.parametrize(
    ("seats", "left", "wanted", "expected"),
    [
        (10, 4, 20, (20, 14)),
        (10, 4, 6, (6, 0)),
        (10, 4, 10, (10, 4)),
        (10, 10, 0, (0, 0)),
        (None, None, 5, (5, 5)),
        (10, 4, None, (None, None)),
        (None, None, None, (None, None)),
    ],
)
def test_what_is_taken_stays_taken(seats, left, wanted, expected) -> None:
    promotion = PromotionFactory(seats=seats, seats_left=left)

    change_seats(promotion, seats=wanted)

    assert (promotion.seats, promotion.seats_left) == expected
    promotion.refresh_from_db()
    assert (promotion.seats, promotion.seats_left) == expected


@pytest.mark.django_db
@pytest.mark.mariadb
def test_fewer_seats_than_are_taken_is_refused_and_changes_nothing() -> None:
    promotion = PromotionFactory(seats=10, seats_left=4)

    with pytest.raises(SeatsTaken) as refused:
        change_seats(promotion, seats=5)

    assert refused.value.n_taken == 6
    promotion.refresh_from_db()
    assert (promotion.seats, promotion.seats_left) == (10, 4)


def sell_while(change: Callable[[Promotion], None], *, promotion: Promotion, n: int) -> int:
    """Sell `n` seats in threads with connections of their own while `change` runs; how many sold.

    All wait at one barrier, so that they meet.
    """
    barrier = threading.Barrier(n + 1)
    sold: list[int] = []

    def sell() -> None:
        try:
            barrier.wait(timeout=20)
            row = Promotion.objects.filter(pk=promotion.pk, seats_left__gt=0)
            sold.append(row.update(seats_left=F("seats_left") - 1))
        finally:
            connection.close()

    def alter() -> None:
        try:
            barrier.wait(timeout=20)
            change(Promotion.objects.get(pk=promotion.pk))
        finally:
            connection.close()

    threads = [threading.Thread(target=sell) for _ in range(n)]
    threads.append(threading.Thread(target=alter))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return sum(sold)


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
def test_no_sale_is_lost_while_the_seats_change() -> None:
    for round_number in range(8):
        promotion = PromotionFactory(seats=40, seats_left=40)

        n_sold = sell_while(
            lambda p, n=round_number: change_seats(p, seats=60 + n), promotion=promotion, n=12
        )

        promotion.refresh_from_db()
        assert n_sold == 12
        assert promotion.seats == 60 + round_number
        assert promotion.seats_left == promotion.seats - n_sold


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
def test_without_the_one_update_a_sale_is_lost() -> None:
    """The control: reading first and writing after forgets what was sold between."""
    promotion = PromotionFactory(seats=10, seats_left=10)
    has_read, has_sold = threading.Event(), threading.Event()

    def careless() -> None:
        try:
            with transaction.atomic():
                row = Promotion.objects.get(pk=promotion.pk)
                has_read.set()
                assert has_sold.wait(timeout=20)
                row.seats_left += 20 - row.seats
                row.seats = 20
                row.save(update_fields=["seats", "seats_left"])
        finally:
            connection.close()

    thread = threading.Thread(target=careless)
    thread.start()
    assert has_read.wait(timeout=20)
    Promotion.objects.filter(pk=promotion.pk).update(seats_left=F("seats_left") - 1)
    has_sold.set()
    thread.join(timeout=30)

    promotion.refresh_from_db()
    assert promotion.seats_left == 20  # one seat was sold: 19 would be right


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
def test_with_the_one_update_the_same_interleaving_loses_nothing() -> None:
    promotion = PromotionFactory(seats=10, seats_left=10)
    stale = Promotion.objects.get(pk=promotion.pk)
    Promotion.objects.filter(pk=promotion.pk).update(seats_left=F("seats_left") - 1)

    change_seats(stale, seats=20)

    promotion.refresh_from_db()
    assert promotion.seats_left == 19
