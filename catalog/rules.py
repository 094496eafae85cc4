"""Who may do what with courses, offers, orders and reviews."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules import predicate

from accounts.rules import grant, is_operator, is_seller, is_staff, managed_through
from catalog.models import (
    Category,
    Coupon,
    Course,
    CourseStatus,
    Enrollment,
    Order,
    Promotion,
    Purchase,
    Review,
    Section,
)

if TYPE_CHECKING:
    from accounts.rules import Person


@predicate
def is_draft(person: Person, course: Course | None) -> bool:
    """Only a course that was never shown may vanish; others are archived."""
    return course is None or (course.status == CourseStatus.DRAFT and course.published_at is None)


@predicate
def is_unused(person: Person, coupon: Coupon | None) -> bool:
    return coupon is None or coupon.n_used == 0


@predicate
def has_line_of(person: Person, order: Order | None) -> bool:
    """Whether a course of the person is among what was ordered."""
    return order is None or order.lines.filter(course__seller_id=person.pk).exists()


own = managed_through("seller")
of_own_course = managed_through("course__seller")

grant(Category, view=is_staff, add=is_operator, change=is_operator)
grant(Course, view=own, add=is_staff, change=own, delete=own & is_draft)
grant(Section, view=of_own_course, change=of_own_course)
grant(Coupon, view=own, add=is_staff, change=own, delete=own & is_unused)
grant(Promotion, view=of_own_course, add=is_staff, change=of_own_course)
grant(Order, view=is_operator | (is_seller & has_line_of))
grant(Purchase, view=of_own_course)
grant(Enrollment, view=of_own_course)
grant(Review, view=of_own_course, change=is_operator)
