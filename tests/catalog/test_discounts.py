"""The arithmetic of coupons, and that whoever asks for a price gets the same one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from catalog.checkout import OrderRequest, place_order, quote_for
from catalog.coupons import BelowMinimumSpend, CouponCoversNothing, discount_of
from catalog.discounts import percentage_of, share_out
from catalog.models import Category, Coupon, Course
from tests.factories import CategoryFactory, CouponFactory, CourseFactory, UserFactory

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ALWAYS = {"starts_at": NOON - timedelta(days=1), "ends_at": NOON + timedelta(days=900)}
CENT = Decimal("0.01")
amounts = st.decimals(min_value=0, max_value=Decimal("1999999.99"), places=2)
baskets = st.lists(amounts, min_size=1, max_size=50)
exact = settings(deadline=None, derandomize=True, max_examples=300)


@given(basket=baskets, data=st.data())
@exact
def test_shares_come_to_the_discount_and_are_fair_to_the_cent(basket, data) -> None:
    whole = sum(basket)
    discount = data.draw(st.decimals(min_value=0, max_value=whole, places=2))

    shares = share_out(discount, basket)

    assert sum(shares) == discount
    for share, amount in zip(shares, basket, strict=True):
        assert 0 <= share <= amount
        # No share is a whole cent away from its exact proportion.
        assert whole == 0 or abs(share * whole - discount * amount) < CENT * whole
        assert share == share.quantize(CENT)
    for (share, amount), (other, other_amount) in zip(
        zip(shares, basket, strict=True), zip(shares[1:], basket[1:], strict=True), strict=False
    ):
        assert amount != other_amount or other <= share <= other + CENT


@given(basket=baskets, too_much=st.decimals(min_value=CENT, max_value=10, places=2))
@exact
def test_more_than_there_is_cannot_be_shared_out(basket, too_much) -> None:
    for discount in (sum(basket) + too_much, -too_much):
        with pytest.raises(ValueError, match="cannot come off"):
            share_out(discount, basket)


@given(amount=amounts, percent=st.integers(1, 100))
@exact
def test_a_percentage_is_rounded_half_up_and_never_more_than_the_amount(amount, percent) -> None:
    off = percentage_of(amount, percent)

    assert 0 <= off <= amount
    assert abs(off * 100 - amount * percent) <= Decimal("0.5")
    assert percentage_of(amount, 100) == amount


@pytest.mark.parametrize(
    ("amount", "percent", "off"),
    [("0.05", 10, "0.01"), ("0.04", 10, "0.00"), ("33.33", 10, "3.33"), ("33.35", 10, "3.34")],
)
def test_half_a_cent_is_taken_off(amount, percent, off) -> None:
    assert percentage_of(Decimal(amount), percent) == Decimal(off)


@pytest.mark.django_db
@pytest.mark.mariadb
@given(
    basket=st.lists(amounts, min_size=1, max_size=4),
    off=st.integers(1, 100) | st.decimals(min_value=CENT, max_value=3_000_000, places=2),
    minimum=st.just(Decimal(0)) | amounts,
    others=st.integers(0, 2),
    has_choice=st.booleans(),
)
@settings(deadline=None, derandomize=True, max_examples=25)
def test_quote_order_and_api_agree_and_only_the_sellers_courses_get_cheaper(
    basket, off, minimum, others, has_choice
) -> None:
    first = CourseFactory(list_price=basket[0])
    mine = [first] + [CourseFactory(seller=first.seller, list_price=price) for price in basket[1:]]
    elsewhere = CourseFactory.create_batch(others, category=first.category)
    terms = {"percent": off} if isinstance(off, int) else {"percent": None, "amount": off}
    kind = "percent" if isinstance(off, int) else "amount"
    coupon = CouponFactory(seller=first.seller, kind=kind, minimum_spend=minimum, **terms, **ALWAYS)
    if has_choice:
        coupon.courses.add(first)
    covered = mine[:1] if has_choice else mine
    spend = sum(course.list_price for course in covered)
    request = OrderRequest([one.pk for one in mine + elsewhere], coupon_code=coupon.code)
    if spend < minimum:
        with pytest.raises(BelowMinimumSpend):
            quote_for(request=request, moment=NOON)
        return

    quoted = quote_for(request=request, moment=NOON)
    buyer = UserFactory()
    order = place_order(buyer=buyer, request=request, key="k", moment=NOON)

    expected = percentage_of(spend, off) if isinstance(off, int) else min(off, spend)
    assert quoted.coupon_discount == expected
    assert 0 <= quoted.total <= quoted.list_total
    assert quoted.total == quoted.list_total - quoted.promotion_discount - quoted.coupon_discount
    for line in quoted.lines:
        assert 0 <= line.price <= line.list_price
        assert line.course in covered or line.coupon_discount == 0
    lines = list(order.lines.order_by("course"))
    assert [(line.course_id, line.price, line.coupon_discount) for line in lines] == [
        (line.course.pk, line.price, line.coupon_discount) for line in quoted.lines
    ]
    assert (order.total, order.list_total) == (quoted.total, quoted.list_total)
    coupon.refresh_from_db()
    assert (coupon.n_used, coupon.spent) == (1, expected)
    client = APIClient()
    client.force_authenticate(buyer)
    shown = client.get(f"/api/v1/orders/{order.public_id}/").json()
    assert shown["total"] == f"{quoted.total:.2f}"
    assert [Decimal(line["price"]) for line in shown["lines"]] == [one.price for one in lines]
    assert Decimal(shown["coupon_discount"]) == expected


@pytest.mark.django_db
@given(chosen=st.sets(st.integers(0, 3)), courses=st.sets(st.integers(0, 4)))
@settings(deadline=None, derandomize=True, max_examples=60)
def test_a_category_covers_what_lies_within_it_and_nothing_beside(chosen, courses) -> None:
    above = CategoryFactory()
    within = CategoryFactory(parent=above)
    beside = CategoryFactory()
    below = CategoryFactory(parent=beside)
    fields: list[Category] = [above, within, beside, below]
    first = CourseFactory(category=above)
    mine: list[Course] = [first] + [
        CourseFactory(seller=first.seller, category=field) for field in (within, beside, below)
    ]
    mine.append(CourseFactory(category=above))  # of another seller
    coupon: Coupon = CouponFactory(seller=first.seller, **ALWAYS)
    coupon.categories.set([fields[place] for place in chosen])
    coupon.courses.set([mine[place] for place in courses])
    assume(chosen or courses)
    by_field = [{0}, {0, 1}, {2}, {2, 3}]
    wanted = [place for place in range(4) if place in courses or by_field[place] & chosen]
    prices = [course.list_price for course in mine]

    if not wanted:
        with pytest.raises(CouponCoversNothing):
            discount_of(coupon, mine, prices, moment=NOON)
        return
    covered, discount = discount_of(coupon, mine, prices, moment=NOON)

    assert covered == wanted
    assert discount == 10 * len(wanted)
