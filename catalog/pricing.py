"""What a course costs now, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from catalog.models import Course, Promotion


@dataclass(frozen=True)
class Price:
    """The price that everybody pays at one moment.

    `promotion` is the running one that lowers it, or None when the list price holds.
    """

    amount: Decimal
    list_price: Decimal
    currency: str
    promotion: Promotion | None = None

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


def current_prices(courses: Iterable[Course], *, moment: datetime) -> dict[int, Price]:
    """The price of each course by its id, with one query for all of them."""
    courses = list(courses)
    promotions: dict[int, Promotion] = {}
    running = Promotion.objects.open_to_all_at(moment).filter(course__in=courses)
    for promotion in running.order_by("-price", "-ends_at"):
        promotions[promotion.course_id] = promotion
    return {course.pk: _price(course, promotions.get(course.pk)) for course in courses}


def current_price(course: Course, *, moment: datetime) -> Price:
    """The price of one course."""
    return current_prices([course], moment=moment)[course.pk]


def _price(course: Course, promotion: Promotion | None) -> Price:
    if promotion is not None and promotion.price < course.list_price:
        return Price(promotion.price, course.list_price, course.currency, promotion)
    return Price(course.list_price, course.list_price, course.currency)
