"""From courses to an order: what it costs is decided here, and what it holds is taken here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import IntegrityError
from django.db.models import prefetch_related_objects
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.plain_rows import Without, fetch_rows, insert_row
from accounts.transactions import in_one_transaction
from catalog.coupons import CouponRefused, CouponSpent, find_coupon, take_use
from catalog.expiry import close_unpaid, give_back_due
from catalog.fulfilment import fulfil
from catalog.holds import PriceChanged, SoldOut, take_seats, take_slots
from catalog.models import Course, CourseStatus, Enrollment, Order, OrderStatus, Purchase
from catalog.pricing import NotOneOrder, Quote, quote

MOST_COURSES = 50
# Requests of one buyer for one course that come and end while another one is placed.
MOST_MEETINGS = 5
LONGEST_KEY = 255
# What an order, its price and its answer need of a course.
_FIELDS_OF_COURSES = ("seller", "kind", "slug", "title", "category", "list_price", "currency")


class KeyReused(Exception):
    """The idempotency key came before with another request."""

    def __init__(self) -> None:
        super().__init__(_("This Idempotency-Key was sent before with another request."))


class NotOnSale(Exception):
    """One of the courses cannot be bought: there is none such, or it is not on sale."""

    def __init__(self, course_id: int) -> None:
        super().__init__(_("Course %(id)s is not on sale.") % {"id": course_id})


class AlreadyOwned(Exception):
    """The buyer has the course; `course` is which."""

    def __init__(self, course: Course) -> None:
        super().__init__(_("You already have “%(course)s”.") % {"course": course.title})
        self.course = course


class OwnCourse(Exception):
    """Sellers do not buy from themselves: it would be turnover that never was."""

    def __init__(self, course: Course) -> None:
        super().__init__(_("“%(course)s” is your own course.") % {"course": course.title})


class OrderOpen(Exception):
    """The buyer has ordered one of the courses and not paid yet; `order` is that order."""

    def __init__(self, order: Order) -> None:
        super().__init__(_("You have an order for this that waits for payment: pay or cancel it."))
        self.order = order


# All that can be wrong with an order, but for a key that came with another one.
REFUSED = (
    NotOnSale,
    AlreadyOwned,
    OwnCourse,
    OrderOpen,
    NotOneOrder,
    CouponRefused,
    CouponSpent,
    SoldOut,
    PriceChanged,
)


@dataclass(frozen=True)
class OrderRequest:
    """What somebody wants to buy, as they sent it.

    `courses` and `slots` are ids; `expected_total` is the price that was shown, when it was;
    `context` is whatever else tells two requests apart.
    """

    courses: Sequence[int]
    coupon_code: str = ""
    slots: Sequence[int] = ()
    expected_total: Decimal | None = None
    context: str = ""
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        total = None if self.expected_total is None else f"{self.expected_total:.2f}"
        parts = [
            sorted(set(self.courses)),
            self.coupon_code.strip().upper(),
            sorted(set(self.slots)),
            total,
            self.context,
        ]
        object.__setattr__(self, "digest", hashlib.sha256(json.dumps(parts).encode()).hexdigest())


def place_order(
    *,
    buyer: User,
    request: OrderRequest,
    key: str,
    moment: datetime,
    also: Collection[int] = (),
    also_write: Callable[[Order], None] | None = None,
) -> Order:
    """Place an order that holds its seats, coupon and times until it is paid or expires.

    The same buyer's `key` with the same request gives the same order, however often and however
    close together it is sent. `also` are promotions that hold for this buyer besides those for
    everybody; `also_write` is called with the new order in its transaction. A free order is paid
    at once.

    Raises KeyReused, NotOnSale, AlreadyOwned, OwnCourse, OrderOpen, NotOneOrder,
    CouponRefused, CouponSpent, SoldOut or PriceChanged, and has then written nothing.
    """
    try:
        courses = _courses_for(buyer, request.courses)
        return _place(_Placing(buyer, request, key, moment, courses, also, also_write))
    except REFUSED:
        # What refuses it may be the very order that this request made when it was first sent.
        if (placed := order_of_key(buyer, key, request)) is not None:
            return placed
        raise


def _place(placing: _Placing) -> Order:
    try:
        return placing.place()
    except REFUSED as refused:
        # What is wrong may come from an order of the buyer, open or over.
        if _end_held(placing.buyer, placing.courses, moment=placing.moment):
            return _place(placing)
        # What is missing may be held by other orders whose time is over.
        is_missing = isinstance(refused, (SoldOut, CouponSpent))
        if not (is_missing and give_back_due(moment=placing.moment)):
            raise
        return placing.place()


def order_of_key(buyer: User, key: str, request: OrderRequest) -> Order | None:
    """The order that this key made before. Raises KeyReused for another request."""
    order = Order.objects.filter(buyer=buyer, idempotency_key=key).first()
    if order is not None and order.request_digest != request.digest:
        raise KeyReused
    return order


@dataclass(frozen=True)
class _Placing:
    buyer: User
    request: OrderRequest
    key: str
    moment: datetime
    courses: Sequence[Course]
    also: Collection[int]
    also_write: Callable[[Order], None] | None

    def place(self) -> Order:
        for _attempt in range(MOST_MEETINGS):
            try:
                return self._write()
            except IntegrityError:
                # A request of the same buyer came before: with this key, or for one of these
                # courses.
                if (placed := order_of_key(self.buyer, self.key, self.request)) is not None:
                    return placed
                _ensure_not_owned(self.buyer, self.courses)
                _end_held(self.buyer, self.courses, moment=self.moment)
                # That one has ended meanwhile.
        return self._write()

    @in_one_transaction
    def _write(self) -> Order:
        priced = self._quote()
        # Taken before anything is written that points to them: see catalog.holds.
        if priced.coupon is not None:
            take_use(
                priced.coupon,
                buyer=self.buyer,
                discount=priced.coupon_discount,
                moment=self.moment,
            )
        is_free = priced.total == 0
        order = Order(
            buyer=self.buyer,
            status=OrderStatus.PAID if is_free else OrderStatus.PENDING,
            currency=priced.currency,
            list_total=priced.list_total,
            total=priced.total,
            coupon=priced.coupon,
            idempotency_key=self.key,
            request_digest=self.request.digest,
            created_at=self.moment,
            expires_at=None if is_free else self.moment + hold_time(),
            paid_at=self.moment if is_free else None,
        )
        insert_row(order)
        # As late as can be: who buys at the same promotion waits from here until the commit.
        promotions = [line.offer.promotion for line in priced.lines if line.offer.promotion]
        take_seats(promotions, moment=self.moment)
        lines = [
            Purchase(
                order=order,
                course=line.course,
                promotion=line.offer.promotion,
                holder=self.buyer,
                list_price=line.list_price,
                coupon_discount=line.coupon_discount,
                price=line.price,
            )
            for line in priced.lines
        ]
        for line in lines:
            insert_row(line)
        order.shown_lines = lines
        # Where a promotion holds, its update has asked for the price.
        _ensure_unchanged([line.course for line in lines if line.promotion_id is None])
        take_slots(lines, chosen=self.request.slots, moment=self.moment)
        if self.also_write is not None:
            self.also_write(order)
        if is_free:
            fulfil(order, lines, payment=None, moment=self.moment)
        return order

    def _quote(self) -> Quote:
        priced = _priced(self.request, self.courses, moment=self.moment, also=self.also)
        expected = self.request.expected_total
        if priced.missed and expected != priced.total:
            # Nobody agreed to pay more than the promotion that they were shown.
            raise SoldOut
        if expected is not None and expected != priced.total:
            raise PriceChanged(priced.total)
        return priced


def quote_for(*, request: OrderRequest, moment: datetime, also: Collection[int] = ()) -> Quote:
    """What the order would cost now; nothing is written or held.

    Raises NotOnSale, NotOneOrder or CouponRefused.
    """
    return _priced(request, _courses_on_sale(request.courses), moment=moment, also=also)


def _priced(
    request: OrderRequest, courses: Sequence[Course], *, moment: datetime, also: Collection[int]
) -> Quote:
    coupon = None
    if request.coupon_code.strip():
        coupon = find_coupon(request.coupon_code)
        prefetch_related_objects(courses, "category")
    return quote(courses, moment=moment, also=also, coupon=coupon)


def hold_time() -> timedelta:
    """How long an unpaid order holds what it takes."""
    return timedelta(minutes=settings.ORDER_HOLD_MINUTES)


def cancel_order(order: Order, *, moment: datetime) -> bool:
    """Cancel an order that waits for payment; False when it waits no longer."""
    return close_unpaid(order.pk, OrderStatus.CANCELLED, moment=moment)


def _courses_for(buyer: User, ids: Sequence[int]) -> list[Course]:
    """The courses in the order of their ids. Raises NotOnSale, OwnCourse or AlreadyOwned."""
    wanted = sorted(set(ids))
    courses = fetch_rows(
        Course,
        fields=_FIELDS_OF_COURSES,
        # One statement in place of two: hardly anybody orders what they have.
        without=Without(Enrollment, "course", {"user": buyer, "is_active": True}),
        pk=wanted,
        status=CourseStatus.PUBLISHED,
    )
    is_complete = len(courses) == len(wanted)
    if not is_complete:
        courses = _courses_on_sale(ids, fields=_FIELDS_OF_COURSES)
    _ensure_not_own(buyer, courses)
    if not is_complete:
        _ensure_not_owned(buyer, courses)
    return courses


def _courses_on_sale(ids: Sequence[int], *, fields: Sequence[str] = ()) -> list[Course]:
    """The courses in the order of their ids, which is the order in which their rows lock."""
    wanted = sorted(set(ids))
    courses = fetch_rows(Course, fields=fields, pk=wanted, status=CourseStatus.PUBLISHED)
    for pk in sorted(set(wanted) - {course.pk for course in courses}):
        raise NotOnSale(pk)
    return courses


def _ensure_unchanged(courses: Sequence[Course]) -> None:
    """Raise NotOnSale or PriceChanged when a course is no longer what was read.

    Call it when the lines are written: their foreign keys have locked the courses' rows by then.
    """
    if not courses:
        return
    by_id = {course.pk: course for course in courses}
    now = Course.objects.published().filter(pk__in=by_id)
    prices = {pk: rest for pk, *rest in now.values_list("pk", "list_price", "currency")}
    for pk, course in by_id.items():
        if pk not in prices:
            raise NotOnSale(pk)
        if prices[pk] != [course.list_price, course.currency]:
            raise PriceChanged


def _ensure_not_own(buyer: User, courses: Sequence[Course]) -> None:
    for course in courses:
        if course.seller_id == buyer.pk:
            raise OwnCourse(course)


def _ensure_not_owned(buyer: User, courses: Sequence[Course]) -> None:
    by_id = {course.pk: course for course in courses}
    for owned in fetch_rows(
        Enrollment, fields=["course"], user=buyer, course=list(by_id), is_active=True
    ):
        raise AlreadyOwned(by_id[owned.course_id])


def _end_held(buyer: User, courses: Sequence[Course], *, moment: datetime) -> int:
    """End the buyer's own orders of these courses whose time is over, and return how many.

    Raises OrderOpen, or AlreadyOwned, for one that still holds a course. Nobody need ask before
    a line is written: the database refuses a second holder.
    """
    n_ended = 0
    by_id = {course.pk: course for course in courses}
    held = Purchase.objects.filter(holder=buyer, course__in=by_id).select_related("order")
    for line in held:
        order = line.order
        if order.status == OrderStatus.PAID:
            raise AlreadyOwned(by_id[line.course_id])
        is_due = order.expires_at is not None and order.expires_at <= moment
        if not (is_due and close_unpaid(order.pk, OrderStatus.EXPIRED, moment=moment)):
            raise OrderOpen(order)
        n_ended += 1
    return n_ended
