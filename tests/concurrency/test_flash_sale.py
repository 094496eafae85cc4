"""A flash sale: many buyers, few seats, and everybody clicks twice."""

from __future__ import annotations

import uuid

import pytest

from catalog.models import Enrollment, LedgerEntry, Order, Promotion
from tests.concurrency.buyers import Answer, Request, at_once, codes, order, pay, percentile
from tests.concurrency.referee import broken_promises, lost_orders
from tests.concurrency.world import make_buyers, make_offer
from tests.conftest import IS_LONG

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.mariadb]

N_BUYERS, N_SEATS = 500, 50
N_ROUNDS = 20 if IS_LONG else 3


def two_clicks(tokens: list[str], course_id: int) -> tuple[list[str], list[Request]]:
    """Two clicks of every buyer, all first ones before all second ones; the token of each.

    Every second buyer sends one key with both, as our pages do; the others two, as two tabs do.
    """
    keys = [uuid.uuid4().hex for _ in tokens]
    others = [key if place % 2 else uuid.uuid4().hex for place, key in enumerate(keys)]
    senders = [*tokens, *tokens]
    sent = zip(senders, [*keys, *others], strict=True)
    return senders, [order(token, [course_id], key=key) for token, key in sent]


def orders_of(senders: list[str], answers: list[Answer]) -> dict[str, str]:
    """The orders that were acknowledged: the token of the buyer by the order's public id."""
    return {
        answer.told["id"]: token
        for token, answer in zip(senders, answers, strict=True)
        if answer.status == 201
    }


def sell(shop, tokens: list[str], promotion: Promotion) -> tuple[dict[str, str], list[Answer]]:
    """One rush, and the winners pay; their orders, and the answers to all the clicks."""
    senders, clicks = two_clicks(tokens, promotion.course_id)
    answers = at_once(clicks, port=shop.port)
    won = orders_of(senders, answers)
    paid = at_once([pay(token, order_id) for order_id, token in won.items()], port=shop.port)
    assert codes(paid) == {"200": len(won)}
    assert {answer.told["status"] for answer in paid} <= {"paid"}
    return won, answers


def assert_same_for_both_clicks(answers: list[Answer]) -> None:
    """Those who sent one key with both clicks got one answer: their order, or a refusal."""
    first, second = answers[: len(answers) // 2], answers[len(answers) // 2 :]
    for one, other in list(zip(first, second, strict=True))[1::2]:
        assert one.code == other.code
        assert one.status != 201 or one.told["id"] == other.told["id"]


def assert_sold(promotion: Promotion, *, n: int) -> None:
    """Exactly so many orders, each with one charge, one payment and one learner."""
    promotion.refresh_from_db()
    assert promotion.seats_left == promotion.seats - n
    sold = Order.objects.filter(lines__promotion=promotion)
    assert [one.status for one in sold] == ["paid"] * n
    assert LedgerEntry.objects.filter(order__in=sold).count() == n
    assert Enrollment.objects.filter(course=promotion.course_id, is_active=True).count() == n


def test_fifty_seats_sell_to_exactly_fifty_of_five_hundred_in_every_round(shop, ask) -> None:
    tokens = make_buyers(N_BUYERS)
    acknowledged: set[str] = set()
    refused: set[str] = set()

    for _ in range(N_ROUNDS):
        promotion = make_offer(N_SEATS)
        won, answers = sell(shop, tokens, promotion)
        acknowledged |= set(won)
        refused |= set(codes(answers))

        assert len(won) == N_SEATS
        assert_same_for_both_clicks(answers)
        assert_sold(promotion, n=N_SEATS)
        print(f"p50 {percentile(answers, 0.5):.2f} s, p99 {percentile(answers, 0.99):.2f} s")

    assert refused == {"201", "409 sold_out", "409 order_open"}
    assert lost_orders(ask, acknowledged) == set()
    assert broken_promises(ask) == {}


def test_as_many_seats_as_buyers_sell_to_all_of_them(shop, ask) -> None:
    tokens = make_buyers(N_SEATS)
    for _ in range(10 if IS_LONG else 3):
        promotion = make_offer(N_SEATS)

        won, _answers = sell(shop, tokens, promotion)

        assert sorted(won.values()) == sorted(tokens)
        assert_sold(promotion, n=N_SEATS)
    assert broken_promises(ask) == {}


@pytest.mark.mariadb(only=True)
def test_without_the_conditional_update_it_oversells(unguarded_shop, ask) -> None:
    """The control: the same rush, on a server that reads first and writes after."""
    promotion = make_offer(N_SEATS)

    won, _answers = sell(unguarded_shop, make_buyers(N_BUYERS), promotion)

    assert len(won) > N_SEATS
    assert list(broken_promises(ask)) == ["seats = seats left + lines that somebody holds"]
