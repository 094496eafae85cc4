"""What an order holds while it waits for payment, and has once it is paid.

A seat of a promotion, a use of a coupon, a time of a consultation: each is taken by a conditional
update and given back by its opposite. Rows are locked in one order everywhere (coupon,
promotions by primary key, times), and before a row that points to them is written: on MySQL the
foreign key of that row would lock them in share mode, and two such transactions would wait for
each other for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from django.db.models import F, Q
from django.utils.translation import gettext as _

from accounts.plain_rows import Plus, change_row, fetch_rows
from catalog.coupons import give_back_use
from catalog.models import ConsultationSlot, CourseKind, Order, Promotion, Purchase


class SoldOut(Exception):
    """Nothing is left: no seat at this price, or no time of the consultation."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text or _("All seats at this price are taken."))


class PriceChanged(Exception):
    """The price is no longer the one that was shown; `total` is what it comes to now."""

    def __init__(self, total: Decimal | None = None) -> None:
        super().__init__(_("The price has changed. Please look at it again."))
        self.total = total


def take_seats(promotions: Iterable[Promotion], *, moment: datetime) -> None:
    """Take one seat of each promotion, as it was read: at that price, running, with a seat left.

    Raises SoldOut or PriceChanged; the caller's transaction must then end. A promotion without
    a limit is locked as well, so that a limit set meanwhile counts this sale.
    """
    for promotion in sorted(promotions, key=lambda one: one.pk):
        as_read = {
            "price": promotion.price,
            "is_active": True,
            "starts_at__lte": moment,
            "ends_at__gt": moment,
        }
        if not _take_seat(promotion.pk, as_read):
            if fetch_rows(Promotion, fields=["pk"], pk=promotion.pk, **as_read):
                raise SoldOut
            raise PriceChanged


def take_seats_again(promotion_ids: Iterable[int]) -> None:
    """Take the seats back that an order had given up, whatever the promotion is by now."""
    for pk in sorted(promotion_ids):
        if not _take_seat(pk, {}):
            raise SoldOut


def _take_seat(promotion_id: int, where: Mapping[str, object]) -> bool:
    # NULL - 1 is NULL: without a limit nothing is counted, and the row is locked all the same.
    has_seat = {"seats_left__gt_or_null": 0}
    return change_row(
        Promotion, promotion_id, where={**where, **has_seat}, to={"seats_left": Plus(-1)}
    )


def take_slots(lines: Sequence[Purchase], *, chosen: Iterable[int], moment: datetime) -> None:
    """Give each consultation among the lines its time: the chosen one, else the next free one.

    `chosen` are ids of times. The lines must be stored and have their course. Raises SoldOut,
    also for a chosen time that nothing here can have: nobody gets another one than they chose.
    """
    wanted = set(chosen)
    taken = {
        _take_slot(line, wanted=wanted, moment=moment)
        for line in lines
        if line.course.kind == CourseKind.CONSULTATION
    }
    if not wanted <= taken:
        raise SoldOut(_("This time has just been taken."))


def _take_slot(line: Purchase, *, wanted: set[int], moment: datetime) -> int:
    free = ConsultationSlot.objects.filter(
        course=line.course_id, purchase=None, starts_at__gt=moment
    )
    of_course = ConsultationSlot.objects.filter(course=line.course_id, pk__in=wanted)
    if wanted and (slot := of_course.first()) is not None:
        if not free.filter(pk=slot.pk).update(purchase=line):
            raise SoldOut(_("This time has just been taken."))
        return slot.pk
    while (slot := free.first()) is not None:
        if free.filter(pk=slot.pk).update(purchase=line):
            return slot.pk
    raise SoldOut(_("No time is free for this consultation."))


def move_slot(line: Purchase, *, slot: ConsultationSlot, moment: datetime) -> None:
    """Change the time of a consultation to another free one of the same course.

    Must run in a transaction. Raises SoldOut when that time is taken or past, or the present
    one has begun.
    """
    if slot.course_id != line.course_id:
        raise SoldOut(_("This time has just been taken."))
    present = ConsultationSlot.objects.filter(purchase=line)
    if present.filter(starts_at__lte=moment).exists():
        raise SoldOut(_("Your consultation has begun; its time cannot be changed."))
    present.exclude(pk=slot.pk).update(purchase=None)
    free = Q(purchase=None) | Q(purchase=line)
    if not ConsultationSlot.objects.filter(free, pk=slot.pk, starts_at__gt=moment).update(
        purchase=line
    ):
        raise SoldOut(_("This time has just been taken."))


def give_back(order: Order) -> None:
    """Give back all that an unpaid order holds. Call it once, for whoever moved its status."""
    lines = list(order.lines.all())
    if order.coupon_id is not None:
        give_back_use(
            order.coupon_id, discount=sum((line.coupon_discount for line in lines), Decimal(0))
        )
    give_back_lines(lines)


def give_back_lines(lines: Iterable[Purchase]) -> None:
    """Give back seats and times of lines that nobody holds any more."""
    lines = sorted(lines, key=lambda line: line.promotion_id or 0)
    for line in lines:
        if line.promotion_id is not None:
            Promotion.objects.filter(pk=line.promotion_id).update(seats_left=F("seats_left") + 1)
    keys = [line.pk for line in lines]
    ConsultationSlot.objects.filter(purchase__in=keys).update(purchase=None)
    Purchase.objects.filter(pk__in=keys).update(holder=None)
