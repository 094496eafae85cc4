"""What a course costs now, and why: for cards, pages, cart, API and the order itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from accounts.plain_rows import fetch_rows
from catalog.coupons import discount_of
from catalog.discounts import share_out
from catalog.models import DEFAULT_CURRENCY, Coupon, Course, Promotion
from catalog.models.money import LARGEST_AMOUNT

ZERO = Decimal("0.00")


class NotOneOrder(Exception):
    """The courses cannot be bought together; the base of the reasons."""


class MixedCurrencies(NotOneOrder):
    """Courses in different currencies cannot be paid at once."""

    def __init__(self) -> None:
        super().__init__(_("Courses in different currencies cannot be bought in one order."))


class TotalTooLarge(NotOneOrder):
    """Together the courses cost more than one order can hold."""

    def __init__(self) -> None:
        super().__init__(_("This is too much for one order. Please buy some of it in another."))


@dataclass(frozen=True)
class Price:
    """What one course costs at one moment, before any coupon.

    `promotion` is the running one that lowers it, or None when the list price holds; `missed` is
    a running one that would lower it further and has no seat left.
    """

    amount: Decimal
    list_price: Decimal
    currency: str
    promotion: Promotion | None = None
    missed: Promotion | None = None

    @property
    def is_reduced(self) -> bool:
        return self.amount < self.list_price

    @property
    def is_free(self) -> bool:
        return self.amount == 0

    @property
    def percent_off(self) -> int:
        """The reduction in whole percent of the list price, rounded down so as not to flatter."""
        if not self.is_reduced:
            return 0
        return int((self.list_price - self.amount) * 100 / self.list_price)


@dataclass(frozen=True)
class QuoteLine:
    """One course in a quote: list price - promotion - coupon = price."""

    course: Course
    offer: Price
    coupon_discount: Decimal

    @property
    def list_price(self) -> Decimal:
        return self.offer.list_price

    @property
    def promotion_discount(self) -> Decimal:
        return self.offer.list_price - self.offer.amount

    @property
    def price(self) -> Decimal:
        return self.offer.amount - self.coupon_discount


@dataclass(frozen=True)
class Quote:
    """What courses cost together, line by line; every sum is the sum of its lines."""

    lines: Sequence[QuoteLine]
    currency: str
    coupon: Coupon | None = None

    @property
    def list_total(self) -> Decimal:
        return sum((line.list_price for line in self.lines), ZERO)

    @property
    def promotion_discount(self) -> Decimal:
        return sum((line.promotion_discount for line in self.lines), ZERO)

    @property
    def coupon_discount(self) -> Decimal:
        return sum((line.coupon_discount for line in self.lines), ZERO)

    @property
    def total(self) -> Decimal:
        return sum((line.price for line in self.lines), ZERO)

    @property
    def missed(self) -> list[Promotion]:
        """Running promotions that would lower a line and have no seat left."""
        return [line.offer.missed for line in self.lines if line.offer.missed]


def current_prices(
    courses: Iterable[Course], *, moment: datetime, also: Collection[int] = ()
) -> dict[int, Price]:
    """The price of each course by its id, with one query for all of them.

    `also` are ids of promotions that hold for this buyer besides those for everybody.
    """
    courses = list(courses)
    best: dict[int, Promotion] = {}
    taken: dict[int, Promotion] = {}
    running = fetch_rows(
        Promotion,
        course=[course.pk for course in courses],
        is_active=True,
        starts_at__lte=moment,
        ends_at__gt=moment,
    )
    holding = [one for one in running if one.is_public or one.pk in also]
    # The lowest price last; of equal ones that which ends first.
    holding.sort(key=lambda one: (one.price, one.ends_at, one.pk), reverse=True)
    for promotion in holding:
        has_seat = promotion.seats_left is None or promotion.seats_left > 0
        (best if has_seat else taken)[promotion.course_id] = promotion
    return {
        course.pk: _price(course, best.get(course.pk), taken.get(course.pk)) for course in courses
    }


def current_price(course: Course, *, moment: datetime, also: Collection[int] = ()) -> Price:
    """The price of one course."""
    return current_prices([course], moment=moment, also=also)[course.pk]


def quote(
    courses: Sequence[Course],
    *,
    moment: datetime,
    also: Collection[int] = (),
    coupon: Coupon | None = None,
) -> Quote:
    """What the courses cost together at the moment, in their order.

    The courses must come with their category selected when there is a coupon. Raises
    MixedCurrencies or TotalTooLarge, and CouponRefused when the coupon cannot lower this price.
    """
    currencies = {course.currency for course in courses} or {DEFAULT_CURRENCY}
    if len(currencies) > 1:
        raise MixedCurrencies
    (currency,) = currencies
    if sum(course.list_price for course in courses) > LARGEST_AMOUNT:
        raise TotalTooLarge
    prices = current_prices(courses, moment=moment, also=also)
    offers = [prices[course.pk] for course in courses]
    shares = [ZERO] * len(offers)
    if coupon is not None:
        amounts = [offer.amount for offer in offers]
        covered, discount = discount_of(coupon, courses, amounts, moment=moment)
        for place, share in zip(
            covered, share_out(discount, [amounts[place] for place in covered]), strict=True
        ):
            shares[place] = share
    lines = [
        QuoteLine(course, offer, share)
        for course, offer, share in zip(courses, offers, shares, strict=True)
    ]
    return Quote(lines, currency, coupon)


def _price(course: Course, promotion: Promotion | None, taken: Promotion | None = None) -> Price:
    amount, holds = course.list_price, None
    if promotion is not None and promotion.price < amount:
        amount, holds = promotion.price, promotion
    missed = taken if taken is not None and taken.price < amount else None
    return Price(amount, course.list_price, course.currency, holds, missed)
