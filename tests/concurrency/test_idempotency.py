"""The same key is the same order, however close together and however broken it is sent."""

from __future__ import annotations

import pytest

from catalog.models import Order
from tests.concurrency.buyers import at_once, codes, leave_at_once, order
from tests.concurrency.referee import broken_promises
from tests.concurrency.world import make_buyers, make_offer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.mariadb]

N_BUYERS, N_TIMES = 50, 10


def test_sent_ten_times_at_once_it_is_one_order_with_one_answer(shop, ask) -> None:
    promotion = make_offer(1000)
    buyers = make_buyers(N_BUYERS)

    # Side by side: the ten of one buyer, then those of the next.
    clicks = [order(token, [promotion.course_id], key="once") for token in buyers]
    answers = at_once([click for click in clicks for _ in range(N_TIMES)], port=shop.port)

    assert codes(answers) == {"201": N_BUYERS * N_TIMES}
    bodies = [
        {one.body for one in answers[start : start + N_TIMES]}
        for start in range(0, len(answers), N_TIMES)
    ]
    assert [len(body) for body in bodies] == [1] * N_BUYERS
    assert Order.objects.count() == N_BUYERS
    assert broken_promises(ask) == {}


def test_with_another_body_it_is_refused_even_at_the_same_moment(shop, ask) -> None:
    courses = [make_offer(1000).course_id, make_offer(1000).course_id]
    buyers = make_buyers(N_BUYERS)

    answers = at_once(
        [order(token, [course], key="once") for token in buyers for course in courses],
        port=shop.port,
    )

    assert codes(answers) == {"201": N_BUYERS, "422 idempotency_key_reused": N_BUYERS}
    for place in range(0, len(answers), 2):
        assert {one.status for one in answers[place : place + 2]} == {201, 422}
    assert Order.objects.count() == N_BUYERS
    assert broken_promises(ask) == {}


def test_after_a_connection_that_broke_it_is_one_order(shop, ask) -> None:
    promotion = make_offer(N_BUYERS)
    clicks = [order(token, [promotion.course_id], key="once") for token in make_buyers(N_BUYERS)]

    leave_at_once(clicks, port=shop.port)
    # While the server may still be at the first ones.
    answers = at_once(clicks, port=shop.port)

    assert codes(answers) == {"201": N_BUYERS}
    assert Order.objects.count() == N_BUYERS
    assert len({one.told["id"] for one in answers}) == N_BUYERS
    promotion.refresh_from_db()
    assert promotion.seats_left == 0
    assert broken_promises(ask) == {}
