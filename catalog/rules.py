"""Who may do what with courses, offers, orders and reviews."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules import add_perm, predicate

from accounts.rules import grant, is_operator, is_seller, is_staff, managed_through
from catalog.models import (
    Category,
    ConsultationSlot,
    Coupon,
    Course,
    CourseStatus,
    Enrollment,
    LedgerEntry,
    LessonProgress,
    MoneyMove,
    Order,
    Payment,
    Promotion,
    Purchase,
    Refund,
    Review,
    SandboxPayment,
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


@predicate
def is_unstudied(person: Person, section: Section | None) -> bool:
    """What somebody has learned from stays, and with it how far they are."""
    return section is None or not LessonProgress.objects.filter(lesson__section=section).exists()


@predicate
def is_unsold(person: Person, promotion: Promotion | None) -> bool:
    return promotion is None or not promotion.purchases.exists()


@predicate
def is_free(person: Person, slot: ConsultationSlot | None) -> bool:
    """A time that somebody has taken is theirs: it neither moves nor vanishes."""
    return slot is None or slot.purchase_id is None


@predicate
def has_line_paid_by(person: Person, payment: Payment | None) -> bool:
    """Whether a course of the person is among what the payment is for."""
    return payment is None or has_line_of(person, payment.order)


@predicate
def is_of_own_line(person: Person, row: Refund | LedgerEntry | None) -> bool:
    """Whether the money is that of a line of the person."""
    return row is None or (row.purchase is not None and row.purchase.course.seller_id == person.pk)


@predicate
def charges_own_line(person: Person, entry: LedgerEntry | None) -> bool:
    """Whether a course of the person is among what was charged for."""
    return entry is None or (entry.kind == MoneyMove.CHARGE and has_line_of(person, entry.order))


own = managed_through("seller")
of_own_course = managed_through("course__seller")
of_own_line = is_operator | (is_seller & is_of_own_line)

grant(Category, view=is_staff, add=is_operator, change=is_operator)
grant(Course, view=own, add=is_staff, change=own, delete=own & is_draft)
grant(Section, view=of_own_course, change=of_own_course, delete=of_own_course & is_unstudied)
grant(
    ConsultationSlot,
    view=of_own_course,
    add=is_staff,
    change=of_own_course & is_free,
    delete=of_own_course & is_free,
)
grant(Coupon, view=own, add=is_staff, change=own, delete=own & is_unused)
grant(
    Promotion,
    view=of_own_course,
    add=is_staff,
    change=of_own_course,
    delete=of_own_course & is_unsold,
)
grant(Order, view=is_operator | (is_seller & has_line_of))
grant(Purchase, view=of_own_course)
grant(Enrollment, view=of_own_course)
grant(Review, view=of_own_course, change=is_operator)
# Money is recorded by what moves it, never by hand.
grant(Payment, view=is_operator | (is_seller & has_line_paid_by))
grant(LedgerEntry, view=of_own_line | (is_seller & charges_own_line))
grant(Refund, view=of_own_line)
grant(SandboxPayment, view=is_operator)
add_perm("catalog.refund_purchase", of_own_course)
add_perm("catalog.ask_again_refund", of_own_line)
