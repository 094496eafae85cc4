"""Ordering again what the buyer has ordered before: open, over, or over for others too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from catalog.checkout import OrderOpen, OrderRequest, PriceChanged, place_order
from catalog.models import Order, OrderStatus, Promotion
from tests.factories import CouponFactory, CourseFactory, PromotionFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ENDED = NOON + timedelta(minutes=15)
ALWAYS = {"starts_at": NOON - timedelta(days=1), "ends_at": NOON + timedelta(days=1)}


@pytest.fixture
def promotion() -> Promotion:
    return PromotionFactory(seats=1, seats_left=1, **ALWAYS)


def status(order: Order) -> str:
    return Order.objects.get(pk=order.pk).status


def test_an_own_order_that_is_over_gives_its_seat_and_other_peoples_orders_are_let_be(
    promotion,
) -> None:
    """Their providers were not asked, and nothing of theirs is needed."""
    buyer, request = UserFactory(), OrderRequest([promotion.course_id])
    own = place_order(buyer=buyer, request=request, key="1", moment=NOON)
    other = place_order(
        buyer=UserFactory(), request=OrderRequest([CourseFactory().pk]), key="1", moment=NOON
    )

    again = place_order(buyer=buyer, request=request, key="2", moment=ENDED)

    assert again.total == promotion.price
    assert (status(own), status(other)) == (OrderStatus.EXPIRED, OrderStatus.PENDING)


def test_when_the_own_seat_does_not_suffice_those_of_others_that_are_over_are_taken(
    promotion,
) -> None:
    second = PromotionFactory(
        course=CourseFactory(seller=promotion.course.seller), seats=1, seats_left=1, **ALWAYS
    )
    buyer = UserFactory()
    own = place_order(
        buyer=buyer, request=OrderRequest([promotion.course_id]), key="1", moment=NOON
    )
    other = place_order(
        buyer=UserFactory(), request=OrderRequest([second.course_id]), key="1", moment=NOON
    )

    both = OrderRequest([promotion.course_id, second.course_id])
    again = place_order(buyer=buyer, request=both, key="2", moment=ENDED)

    assert again.total == promotion.price + second.price
    assert (status(own), status(other)) == (OrderStatus.EXPIRED, OrderStatus.EXPIRED)


def test_the_list_price_is_not_agreed_to_while_the_own_seat_comes_back(promotion) -> None:
    """Read with the own seat taken the list price holds; written, the lower price is free again."""
    buyer = UserFactory()
    own = place_order(
        buyer=buyer, request=OrderRequest([promotion.course_id]), key="1", moment=NOON
    )
    at_list_price = OrderRequest([promotion.course_id], expected_total=Decimal("100.00"))

    with pytest.raises(PriceChanged) as refused:
        place_order(buyer=buyer, request=at_list_price, key="2", moment=ENDED)

    assert refused.value.total == promotion.price
    assert status(own) == OrderStatus.EXPIRED
    promotion.refresh_from_db()
    assert promotion.seats_left == 1


@pytest.mark.parametrize("terms", ["sold out", "another price", "coupon of somebody else"])
def test_an_open_order_is_told_before_anything_else_that_is_wrong(promotion, terms) -> None:
    buyer = UserFactory()
    own = place_order(
        buyer=buyer, request=OrderRequest([promotion.course_id]), key="1", moment=NOON
    )
    request = {
        "sold out": OrderRequest([promotion.course_id]),
        "another price": OrderRequest([promotion.course_id], expected_total=Decimal("1.00")),
        "coupon of somebody else": OrderRequest(
            [promotion.course_id], coupon_code=CouponFactory(**ALWAYS).code
        ),
    }[terms]

    with pytest.raises(OrderOpen) as refused:
        place_order(buyer=buyer, request=request, key="2", moment=NOON)

    assert refused.value.order == own
    assert status(own) == OrderStatus.PENDING
