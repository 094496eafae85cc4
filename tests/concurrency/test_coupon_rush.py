"""Coupons that many want at the same moment: never more uses or money than they have, nor fewer."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest

from catalog.models import Coupon, DiscountKind, Order
from tests.concurrency.buyers import Answer, at_once, codes, order
from tests.concurrency.referee import broken_promises
from tests.concurrency.world import make_buyers
from tests.factories import CouponFactory, CourseFactory, SellerFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.mariadb]

N_BUYERS = 200


def rush(shop, coupon: Coupon, *, n_courses: int = 1) -> list[Answer]:
    """All buyers order a course of the coupon's seller with the coupon, at the same moment."""
    courses = [CourseFactory(seller=coupon.seller).pk for _ in range(n_courses)]
    clicks = [
        order(token, [courses[place % n_courses]], key=uuid.uuid4().hex, coupon=coupon.code)
        for place, token in enumerate(make_buyers(N_BUYERS))
    ]
    return at_once(clicks, port=shop.port)


def test_twenty_uses_go_to_exactly_twenty_of_two_hundred(shop, ask) -> None:
    coupon = CouponFactory(max_uses=20)

    answers = rush(shop, coupon)

    assert codes(answers) == {"201": 20, "409 coupon_spent": N_BUYERS - 20}
    coupon.refresh_from_db()
    assert (coupon.n_used, coupon.spent) == (20, Decimal("200.00"))
    assert Order.objects.filter(coupon=coupon, total=Decimal("90.00")).count() == 20
    assert broken_promises(ask) == {}


def test_a_budget_is_spent_to_the_last_whole_use_and_never_beyond(shop, ask) -> None:
    # Orders of two kinds, so that what is left at the end depends on who was faster.
    kind = {"kind": DiscountKind.AMOUNT, "percent": None, "amount": Decimal("30.00")}
    coupon = CouponFactory(budget=Decimal("500.00"), **kind)

    answers = rush(shop, coupon, n_courses=2)

    # Sixteen times 30; a seventeenth would make 510.
    assert codes(answers) == {"201": 16, "409 coupon_spent": N_BUYERS - 16}
    coupon.refresh_from_db()
    assert coupon.spent == Decimal("480.00")
    assert broken_promises(ask) == {}


def test_one_person_in_ten_tabs_uses_it_once(shop, ask) -> None:
    seller = SellerFactory()
    coupon = CouponFactory(seller=seller, max_uses=1000, per_user_limit=1)
    courses = [CourseFactory(seller=seller).pk for _ in range(10)]
    people = make_buyers(10)

    answers = at_once(
        [
            order(token, [course], key=uuid.uuid4().hex, coupon=coupon.code)
            for course in courses
            for token in people
        ],
        port=shop.port,
    )

    for place in range(len(people)):
        own = answers[place :: len(people)]
        assert codes(own) == {"201": 1, "409 coupon_spent": 9}
    coupon.refresh_from_db()
    assert coupon.n_used == len(people)
    assert broken_promises(ask) == {}


@pytest.mark.mariadb(only=True)
def test_without_the_conditional_update_it_is_used_too_often(unguarded_shop, ask) -> None:
    """The control: a server that reads how often it was used, and counts after."""
    answers = rush(unguarded_shop, CouponFactory(max_uses=20))

    assert codes(answers)["201"] > 20
    promise = "a coupon counts the orders that use it, and what it took off them"
    assert list(broken_promises(ask)) == [promise]
