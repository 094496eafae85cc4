"""What a card of a course shows, gathered for a whole list at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from catalog.models import Course
from catalog.pricing import Price, current_prices


@dataclass(frozen=True)
class CourseCard:
    """One course with its price now and, where there is one, the reason why it is shown."""

    course: Course
    price: Price
    reason: str = ""


def course_cards(
    courses: Iterable[Course], *, moment: datetime, reasons: Mapping[int, str] | None = None
) -> list[CourseCard]:
    """Cards in the order of the courses, with one query for all prices.

    The courses must come with `with_ratings()` and with seller and category selected;
    `reasons` are sentences by course id.
    """
    courses = list(courses)
    prices = current_prices(courses, moment=moment)
    return [
        CourseCard(course, prices[course.pk], (reasons or {}).get(course.pk, ""))
        for course in courses
    ]
