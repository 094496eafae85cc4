"""Times of consultations for those who buy them: which are free, and changing a booked one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from accounts.transactions import in_one_transaction
from catalog.holds import SoldOut, move_slot
from catalog.models import ConsultationSlot, Course, CourseKind, Order, OrderStatus, Purchase

MOST_TIMES = 60


class NoBooking(Exception):
    """The person has no such consultation, or has it no more."""


def free_times(courses: Iterable[Course], *, moment: datetime) -> dict[int, list[ConsultationSlot]]:
    """The times that can be booked, by course, the next one first; at most MOST_TIMES each.

    One query for all consultations among the courses, and none without any.
    """
    times: dict[int, list[ConsultationSlot]] = {
        course.pk: [] for course in courses if course.kind == CourseKind.CONSULTATION
    }
    if not times:
        return times
    free = ConsultationSlot.objects.filter(course__in=times, purchase=None, starts_at__gt=moment)
    for slot in free.order_by("starts_at", "pk"):
        of_course = times[slot.course_id]
        if len(of_course) < MOST_TIMES:
            of_course.append(slot)
    return times


@in_one_transaction
def move_time(*, buyer_id: int, line_id: int, slot_id: int, moment: datetime) -> Purchase:
    """Change the time of a consultation that the buyer has or holds.

    Raises NoBooking for a line that is not theirs, and SoldOut when the wanted time is not free
    or the present one has begun; nothing is then changed.
    """
    line = Purchase.objects.filter(pk=line_id, holder=buyer_id).first()
    if line is None:
        raise NoBooking
    # Whoever ends or refunds the order locks it first as well, and gives its times back: then
    # either they wait, or nobody holds the line any more.
    order = Order.objects.select_for_update().get(pk=line.order_id)
    is_held = Purchase.objects.filter(pk=line_id, holder=buyer_id).exists()
    if not is_held or order.status not in (OrderStatus.PENDING, OrderStatus.PAID):
        raise NoBooking
    slot = ConsultationSlot.objects.filter(pk=slot_id, course=line.course_id).first()
    if slot is None:
        raise SoldOut
    move_slot(line, slot=slot, moment=moment)
    return line
