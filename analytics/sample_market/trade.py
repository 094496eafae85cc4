"""Orders with their lines, coupons, attribution and access, as the checkout would leave them."""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property

import numpy as np
from django.db.models import Model

from analytics.models import Event, EventKind
from analytics.purchases import uuid_of_line
from analytics.sample_market.courses import SampleCourse
from analytics.sample_market.people import Viewers
from analytics.sample_market.plan import Keys, Plan
from analytics.sample_market.sessions import SampleSession
from catalog.discounts import percentage_of, share_out
from catalog.models import (
    Coupon,
    DiscountKind,
    Enrollment,
    LedgerEntry,
    MoneyMove,
    Order,
    OrderStatus,
    Promotion,
    Purchase,
    Refund,
    RefundStatus,
)
from streams.models import OrderAttribution

SHARE_REFUNDED = 0.03
# Of the refunds of two courses, those that give only one of them back.
SHARE_REFUNDED_IN_PART = 0.5
ORDER_HOLDS = timedelta(minutes=15)
# From placing an order to having paid it.
TO_PAY = timedelta(seconds=40)
ZERO = Decimal("0.00")


@dataclass(frozen=True)
class Access:
    """One course that one viewer (an index) has, since when, and whether still."""

    viewer: int
    course: SampleCourse
    since: datetime
    days_ago: int
    is_active: bool


@dataclass
class Trade:
    """What has been sold and seen so far; everything is appended, nothing is taken back."""

    plan: Plan
    keys: Keys
    viewers: Viewers
    chance: np.random.Generator
    rows: dict[type[Model], list[Model]] = field(default_factory=lambda: defaultdict(list))
    accesses: list[Access] = field(default_factory=list)
    owned: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    coupon_users: set[tuple[int, int]] = field(default_factory=set)
    # Viewers and days (ago) on which they did something outside live sessions.
    busy: set[tuple[int, int]] = field(default_factory=set)
    _seen: list[tuple] = field(default_factory=list)
    _seats_given_back: list[Promotion] = field(default_factory=list)

    @cached_property
    def _chance_of_parts(self) -> np.random.Generator:
        return self.plan.chance("refunds in part")

    def see(
        self,
        kind: EventKind,
        when: datetime,
        *,
        viewer: int | None = None,
        visitor: uuid.UUID | None = None,
        course: int | None = None,
        session: int | None = None,
        value: float | None = None,
        line: int | None = None,
    ) -> None:
        """Remember one event, unless it would lie ahead; a purchase names its `line`."""
        if when <= self.plan.now:
            user = None if viewer is None else self.viewers.users[viewer].pk
            self._seen.append(
                (when, len(self._seen), kind, user, visitor, course, session, value, line)
            )

    def events(self) -> list[Event]:
        """All events in the order in which they happened."""
        self._seen.sort()
        random = self.plan.chance("event ids").bytes(10 * len(self._seen))
        return [
            Event(
                pk=self.keys.new(Event),
                uuid=_uuid_of(when, random[10 * k : 10 * k + 10])
                if line is None
                else uuid_of_line(line),
                kind=int(kind),
                user_id=user,
                visitor_id=visitor,
                course_id=course,
                live_session_id=session,
                value=value,
                occurred_at=when,
                received_at=when,
            )
            for k, (when, _, kind, user, visitor, course, session, value, line) in enumerate(
                self._seen
            )
        ]

    def buy(
        self,
        viewer: int,
        courses: list[SampleCourse],
        when: datetime,
        *,
        days_ago: int,
        session: SampleSession | None = None,
        coupon: Coupon | None = None,
    ) -> None:
        """One paid order of courses that the viewer does not have, with all that follows."""
        lines = [self._line(course, when, session) for course in courses]
        prices = [
            promotion.price if promotion else course.row.list_price for course, promotion in lines
        ]
        cuts = [ZERO] * len(lines)
        if coupon is not None and (viewer, coupon.pk) not in self.coupon_users:
            cuts = _coupon_cuts(coupon, prices)
        is_refunded = sum(prices) > 0 and self.chance.random() < SHARE_REFUNDED
        refunded_at = when + timedelta(days=int(self.chance.integers(1, 7)), hours=3)
        is_refunded = is_refunded and refunded_at < self.plan.now
        order = self._order(viewer, when, lines, total=sum(prices, ZERO) - sum(cuts, ZERO))
        if any(cuts):
            assert coupon is not None
            order.coupon = coupon
            coupon.n_used += 1
            coupon.spent += sum(cuts, ZERO)
            self.coupon_users.add((viewer, coupon.pk))
        self._record(order, MoneyMove.CHARGE, when, amount=order.total)
        if session is None:
            self.busy.add((viewer, days_ago))
        else:
            self.rows[OrderAttribution].append(
                OrderAttribution(order=order, live_session=session.row)
            )
        bought = []
        for (course, promotion), price, cut in zip(lines, prices, cuts, strict=True):
            purchase = self._purchase(order, course, promotion, price=price - cut, cut=cut)
            bought.append(purchase)
            if promotion is not None and promotion.seats_left:
                promotion.seats_left -= 1
            self.see(
                EventKind.PURCHASE,
                when,
                viewer=viewer,
                course=course.row.pk,
                session=session.row.pk if session else None,
                value=float(purchase.price),
                line=purchase.pk,
            )
        if is_refunded:
            self._refund(order, bought, refunded_at)
        for course, purchase in zip(courses, bought, strict=True):
            self._give_access(viewer, course, purchase, days_ago=days_ago)

    def _refund(self, order: Order, lines: list[Purchase], when: datetime) -> None:
        """Give all of an order back or, of several lines, sometimes the first alone."""
        if len(lines) > 1 and self._chance_of_parts.random() < SHARE_REFUNDED_IN_PART:
            lines = lines[:1]
        else:
            order.status = OrderStatus.REFUNDED
        for line in lines:
            line.refunded_at, line.holder = when, None
            if line.promotion is not None and line.promotion.seats is not None:
                self._seats_given_back.append(line.promotion)
            self._record(order, MoneyMove.REFUND, when, amount=line.price, line=line)
            self.rows[Refund].append(
                Refund(
                    pk=self.keys.new(Refund),
                    key=f"line-{line.pk}",
                    order=order,
                    purchase=line,
                    amount=line.price,
                    requested_by=line.course.seller,
                    requested_at=when,
                    not_before=when,
                    # Nothing came through a provider, so nothing goes back through one.
                    status=RefundStatus.DONE,
                    settled_at=when,
                )
            )

    def give_seats_back(self) -> None:
        """Free the seats of refunded lines. Refunds come days after the sessions have sold."""
        for promotion in self._seats_given_back:
            promotion.seats_left += 1  # type: ignore[operator]
        self._seats_given_back.clear()

    def _record(
        self,
        order: Order,
        kind: MoneyMove,
        when: datetime,
        *,
        amount: Decimal,
        line: Purchase | None = None,
    ) -> None:
        """One entry of the ledger, as catalog's rules make it; no provider moved the money."""
        self.rows[LedgerEntry].append(
            LedgerEntry(
                pk=self.keys.new(LedgerEntry),
                order=order,
                key=str(kind) if line is None else f"{kind}-{line.pk}",
                kind=kind,
                amount=amount,
                purchase=line,
                recorded_at=when,
            )
        )

    def abandon(self, viewer: int, course: SampleCourse, when: datetime) -> None:
        """An order that was placed and never paid."""
        lines = [self._line(course, when, None)]
        promotion = lines[0][1]
        price = promotion.price if promotion else course.row.list_price
        order = self._order(viewer, when, lines, total=price, status=OrderStatus.EXPIRED)
        self._purchase(order, course, promotion, price=price).holder = None

    def _line(
        self, course: SampleCourse, when: datetime, session: SampleSession | None
    ) -> tuple[SampleCourse, Promotion | None]:
        """The course and the promotion that makes it cheapest at that moment, if any."""
        open_now = [row for row in course.promotions if row.starts_at <= when < row.ends_at]
        if session is not None and course.row.pk in session.promotions:
            open_now.append(session.promotions[course.row.pk])
        able = [row for row in open_now if row.seats_left is None or row.seats_left > 0]
        return course, min(able, key=lambda row: row.price, default=None)

    def _order(
        self,
        viewer: int,
        when: datetime,
        lines: list[tuple[SampleCourse, Promotion | None]],
        *,
        total: Decimal,
        status: OrderStatus = OrderStatus.PAID,
    ) -> Order:
        is_free = total == 0
        order = Order(
            pk=self.keys.new(Order),
            public_id=uuid.UUID(bytes=self.chance.bytes(16), version=4),
            buyer=self.viewers.users[viewer],
            status=status,
            list_total=sum((course.row.list_price for course, _ in lines), Decimal(0)),
            total=total,
            # A free order is paid when it is placed and never waits.
            created_at=when if is_free else when - TO_PAY,
            expires_at=None if is_free else when - TO_PAY + ORDER_HOLDS,
            paid_at=None if status == OrderStatus.EXPIRED else when,
        )
        self.rows[Order].append(order)
        return order

    def _purchase(
        self,
        order: Order,
        course: SampleCourse,
        promotion: Promotion | None,
        *,
        price: Decimal,
        cut: Decimal = ZERO,
    ) -> Purchase:
        purchase = Purchase(
            pk=self.keys.new(Purchase),
            order=order,
            course=course.row,
            promotion=promotion,
            holder=order.buyer,
            list_price=course.row.list_price,
            coupon_discount=cut,
            price=price,
        )
        self.rows[Purchase].append(purchase)
        return purchase

    def _give_access(
        self,
        viewer: int,
        course: SampleCourse,
        purchase: Purchase,
        *,
        days_ago: int,
    ) -> None:
        since = purchase.order.paid_at
        assert since is not None
        is_active = purchase.refunded_at is None
        self.owned[viewer].add(course.row.pk)
        self.rows[Enrollment].append(
            Enrollment(
                pk=self.keys.new(Enrollment),
                user=self.viewers.users[viewer],
                course=course.row,
                purchase=purchase,
                is_active=is_active,
                enrolled_at=since,
            )
        )
        self.accesses.append(Access(viewer, course, since, days_ago, is_active))


def _uuid_of(when: datetime, random: bytes) -> uuid.UUID:
    """A UUID of version 7: it begins with the time, so that an index of them grows at its end."""
    milliseconds = int(when.timestamp() * 1000)
    bits = (milliseconds << 80) | int.from_bytes(random, "big")
    bits = bits & ~(0xF << 76) | (7 << 76)
    return uuid.UUID(int=bits & ~(0b11 << 62) | (0b10 << 62))


def _coupon_cuts(coupon: Coupon, prices: list[Decimal]) -> list[Decimal]:
    """What the coupon takes off each line; nothing below its minimum spend or above its limits.

    The lines are all of its seller.
    """
    spend = sum(prices, ZERO)
    if coupon.kind == DiscountKind.PERCENT:
        assert coupon.percent is not None
        discount = percentage_of(spend, coupon.percent)
    else:
        discount = min(coupon.amount or ZERO, spend)
    is_spent = (coupon.max_uses is not None and coupon.n_used >= coupon.max_uses) or (
        coupon.budget is not None and coupon.spent + discount > coupon.budget
    )
    if is_spent or spend < coupon.minimum_spend:
        return [ZERO] * len(prices)
    return share_out(discount, prices)
