"""What a course costs at one moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.models import Course, Promotion
from catalog.pricing import Price, _price, current_price, current_prices
from tests.factories import CourseFactory, PromotionFactory

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

amounts = st.decimals(min_value=0, max_value=Decimal("99999999.99"), places=2)
offers = st.lists(
    st.tuples(amounts, st.integers(-3, 3), st.integers(1, 4), st.sampled_from([None, 0, 2])),
    max_size=4,
)


@given(list_price=amounts, promoted=st.none() | amounts)
@settings(deadline=None, derandomize=True)
def test_the_price_is_never_negative_and_never_above_the_list_price(list_price, promoted) -> None:
    course = Course(list_price=list_price)
    promotion = None if promoted is None else Promotion(course=course, price=promoted)

    price = _price(course, promotion)

    assert 0 <= price.amount <= list_price
    assert price.is_reduced == (promoted is not None and promoted < list_price)
    assert 0 <= price.percent_off <= 100
    # Rounded down: the reduction is at least what the page says.
    assert price.amount * 100 <= price.list_price * (100 - price.percent_off)


@pytest.mark.django_db
@given(list_price=amounts, given_offers=offers)
@settings(deadline=None, derandomize=True, max_examples=25)
def test_of_the_promotions_that_run_the_lowest_holds_and_sorting_agrees(
    list_price, given_offers
) -> None:
    course = CourseFactory(list_price=list_price)
    for price, begins, lasts, seats in given_offers:
        PromotionFactory(
            course=course,
            price=price,
            starts_at=NOON + begins * HOUR,
            ends_at=NOON + (begins + lasts) * HOUR,
            seats=seats,
            seats_left=seats,
        )
    running = [
        price
        for price, begins, lasts, seats in given_offers
        if begins <= 0 < begins + lasts and seats != 0
    ]

    shown = current_price(course, moment=NOON)

    assert shown.amount == min([list_price, *running])
    assert Course.objects.with_price_at(NOON).get(pk=course.pk).price_now == shown.amount
    course.promotions.all().delete()
    course.delete()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("moment", "amount"),
    [
        (NOON - timedelta(seconds=1), "100.00"),
        (NOON, "60.00"),
        (NOON + HOUR - timedelta(seconds=1), "60.00"),
        (NOON + HOUR, "100.00"),
    ],
)
def test_a_promotion_holds_from_its_beginning_until_just_before_its_end(moment, amount) -> None:
    promotion = PromotionFactory(starts_at=NOON, ends_at=NOON + HOUR)

    assert current_price(promotion.course, moment=moment).amount == Decimal(amount)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "hindrance",
    [
        {"is_active": False},
        {"is_public": False},
        {"seats": 5, "seats_left": 0},
        {"price": Decimal("100.00")},
        {"price": Decimal("120.00")},
    ],
)
def test_a_promotion_that_does_not_lower_the_price_for_everybody_leaves_it(hindrance) -> None:
    promotion = PromotionFactory(starts_at=NOON, ends_at=NOON + HOUR, **hindrance)

    price = current_price(promotion.course, moment=NOON)

    assert price.amount == price.list_price == Decimal("100.00")
    assert price.promotion is None


@pytest.mark.django_db
def test_equal_prices_name_the_promotion_that_ends_first() -> None:
    """The page says until when the price holds: it must not promise too long."""
    course = CourseFactory()
    later = PromotionFactory(course=course, starts_at=NOON, ends_at=NOON + 9 * HOUR)
    sooner = PromotionFactory(course=course, starts_at=NOON, ends_at=NOON + HOUR)

    price = current_price(course, moment=NOON)

    assert price.promotion == sooner
    assert price.promotion != later


@pytest.mark.django_db
def test_the_prices_of_many_courses_take_one_query(django_assert_num_queries) -> None:
    courses = [PromotionFactory().course for _ in range(7)]

    with django_assert_num_queries(1):
        prices = current_prices(courses, moment=NOON)

    assert set(prices) == {course.pk for course in courses}


def test_a_free_course_has_no_reduction_to_show() -> None:
    price = Price(Decimal(0), Decimal(0), "CNY")

    assert price.is_free
    assert not price.is_reduced
    assert price.percent_off == 0
