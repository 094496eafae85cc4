"""One person, one course, ten tabs: one order."""

from __future__ import annotations

import uuid

import pytest

from catalog.models import Order
from tests.concurrency.buyers import at_once, codes, order, pay
from tests.concurrency.referee import broken_promises
from tests.concurrency.world import make_buyers, make_offer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.mariadb]

N_PEOPLE, N_TABS = 20, 10


def test_ten_tabs_of_one_person_make_one_order(shop, ask) -> None:
    promotion = make_offer(1000)
    people = make_buyers(N_PEOPLE)

    answers = at_once(
        [
            order(token, [promotion.course_id], key=uuid.uuid4().hex)
            for _ in range(N_TABS)
            for token in people
        ],
        port=shop.port,
    )

    for place in range(N_PEOPLE):
        assert codes(answers[place::N_PEOPLE]) == {"201": 1, "409 order_open": N_TABS - 1}
    assert Order.objects.count() == N_PEOPLE
    assert broken_promises(ask) == {}


def test_one_order_paid_in_ten_tabs_is_charged_once(shop, ask) -> None:
    promotion = make_offer(1000)
    people = make_buyers(N_PEOPLE)
    orders = at_once(
        [order(token, [promotion.course_id], key="k") for token in people], port=shop.port
    )

    answers = at_once(
        [
            pay(token, placed.told["id"])
            for _ in range(N_TABS)
            for token, placed in zip(people, orders, strict=True)
        ],
        port=shop.port,
    )

    # Whoever comes just after the payment finds an order that waits no longer, or that is paid.
    assert set(codes(answers)) <= {"200", "409 not_payable"}
    assert {one.told["status"] for one in answers if one.status == 200} == {"paid"}
    assert set(Order.objects.values_list("status", flat=True)) == {"paid"}
    assert broken_promises(ask) == {}


def test_a_course_bought_alone_and_in_a_pair_is_held_once(shop, ask) -> None:
    first, second = make_offer(1000), make_offer(1000)
    people = make_buyers(N_PEOPLE)
    baskets = [[first.course_id], [second.course_id, first.course_id], [second.course_id]]

    answers = at_once(
        [order(token, basket, key=uuid.uuid4().hex) for basket in baskets for token in people],
        port=shop.port,
    )

    assert set(codes(answers)) == {"201", "409 order_open"}
    for place in range(N_PEOPLE):
        alone_first, pair, alone_second = (one.status for one in answers[place::N_PEOPLE])
        assert (alone_first, pair, alone_second) in [(201, 409, 201), (409, 201, 409)]
    assert broken_promises(ask) == {}
