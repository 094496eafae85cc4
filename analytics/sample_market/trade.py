"""Orders with their lines, coupons, attribution and access, as the checkout would leave them."""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
from django.db.models import Model

from analytics.models import Event, EventKind
from analytics.sample_market.courses import SampleCourse
from analytics.sample_market.people import Viewers
from analytics.sample_market.plan import Keys, Plan
from analytics.sample_market.sessions import SampleSession
from catalog.models import (
    Coupon,
    DiscountKind,
    Enrollment,
    Order,
    OrderStatus,
    Promotion,
    Purchase,
)
from streams.models import OrderAttribution

SHARE_REFUNDED = 0.03
ORDER_HOLDS = timedelta(minutes=15)
CENT = Decimal("0.01")


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
    ) -> None:
        """Remember one event, unless it would lie ahead."""
        if when <= self.plan.now:
            user = None if viewer is None else self.viewers.users[viewer].pk
            self._seen.append((when, len(self._seen), kind, user, visitor, course, session, value))

    def events(self) -> list[Event]:
        """All events in the order in which they happened."""
        self._seen.sort()
        random = self.plan.chance("event ids").bytes(10 * len(self._seen))
        return [
            Event(
                pk=self.keys.new(Event),
                uuid=_uuid_of(when, random[10 * k : 10 * k + 10]),
                kind=int(kind),
                user_id=user,
                visitor_id=visitor,
                course_id=course,
                live_session_id=session,
                value=value,
                occurred_at=when,
                received_at=when,
            )
            for k, (when, _, kind, user, visitor, course, session, value) in enumerate(self._seen)
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
        cuts = [Decimal(0)] * len(lines)
        if coupon is not None and (viewer, coupon.pk) not in self.coupon_users:
            cuts = _coupon_cuts(coupon, prices)
        is_refunded = sum(prices) > 0 and self.chance.random() < SHARE_REFUNDED
        refunded_at = when + timedelta(days=int(self.chance.integers(1, 7)), hours=3)
        is_refunded = is_refunded and refunded_at < self.plan.now
        order = self._order(
            viewer,
            when,
            lines,
            total=sum(prices, Decimal(0)) - sum(cuts, Decimal(0)),
            status=OrderStatus.REFUNDED if is_refunded else OrderStatus.PAID,
        )
        if any(cuts):
            assert coupon is not None
            order.coupon = coupon
            coupon.n_used += 1
            coupon.spent += sum(cuts, Decimal(0))
            self.coupon_users.add((viewer, coupon.pk))
        if session is None:
            self.busy.add((viewer, days_ago))
        else:
            self.rows[OrderAttribution].append(
                OrderAttribution(order=order, live_session=session.row)
            )
        for (course, promotion), price, cut in zip(lines, prices, cuts, strict=True):
            purchase = self._purchase(order, course, promotion, price - cut)
            if promotion is not None and promotion.seats_left:
                promotion.seats_left -= 1
            if is_refunded:
                purchase.refunded_at = refunded_at
            self._give_access(
                viewer, course, purchase, is_active=not is_refunded, days_ago=days_ago
            )
            self.see(
                EventKind.PURCHASE,
                when,
                viewer=viewer,
                course=course.row.pk,
                session=session.row.pk if session else None,
                value=float(purchase.price),
            )

    def abandon(self, viewer: int, course: SampleCourse, when: datetime) -> None:
        """An order that was placed and never paid."""
        lines = [self._line(course, when, None)]
        promotion = lines[0][1]
        price = promotion.price if promotion else course.row.list_price
        order = self._order(viewer, when, lines, total=price, status=OrderStatus.EXPIRED)
        self._purchase(order, course, promotion, price)

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
        status: OrderStatus,
    ) -> Order:
        is_paid = status != OrderStatus.EXPIRED
        order = Order(
            pk=self.keys.new(Order),
            public_id=uuid.UUID(bytes=self.chance.bytes(16), version=4),
            buyer=self.viewers.users[viewer],
            status=status,
            list_total=sum((course.row.list_price for course, _ in lines), Decimal(0)),
            total=total,
            created_at=when - timedelta(seconds=40),
            expires_at=when + ORDER_HOLDS,
            paid_at=when if is_paid else None,
        )
        self.rows[Order].append(order)
        return order

    def _purchase(
        self, order: Order, course: SampleCourse, promotion: Promotion | None, price: Decimal
    ) -> Purchase:
        purchase = Purchase(
            pk=self.keys.new(Purchase),
            order=order,
            course=course.row,
            promotion=promotion,
            list_price=course.row.list_price,
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
        is_active: bool,
        days_ago: int,
    ) -> None:
        since = purchase.order.paid_at
        assert since is not None
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
    """What the coupon takes off each line; nothing below its minimum spend."""
    if sum(prices) < coupon.minimum_spend:
        return [Decimal(0)] * len(prices)
    if coupon.kind == DiscountKind.PERCENT:
        assert coupon.percent is not None
        return [(price * coupon.percent / 100).quantize(CENT) for price in prices]
    left = coupon.amount or Decimal(0)
    cuts = []
    for price in prices:
        cuts.append(min(left, price))
        left -= cuts[-1]
    return cuts
