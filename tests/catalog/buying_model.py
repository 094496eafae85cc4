"""A model of buying in plain Python, and what must be so in the database after every step.

The model says what each step does to orders, seats, coupons and times; it knows no locks and no
jobs. `tests/catalog/test_buying_machine.py` lets the platform and the model run side by side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import F, Q, Sum

from accounts.models import User
from catalog.discounts import percentage_of, share_out
from catalog.models import (
    ConsultationSlot,
    Coupon,
    Course,
    Enrollment,
    LedgerEntry,
    Order,
    Payment,
    Promotion,
    Purchase,
    Refund,
    SandboxPayment,
)
from tests.factories import (
    ConsultationSlotFactory,
    CouponFactory,
    CourseFactory,
    PromotionFactory,
    SellerFactory,
    UserFactory,
)

HOLD = timedelta(minutes=15)
ZERO = Decimal("0.00")


class World:
    """Few people and few things, so that they meet: the rows that every run begins with."""

    def __init__(self, noon: datetime) -> None:
        self.noon = noon
        always = {"starts_at": noon - timedelta(days=9), "ends_at": noon + timedelta(days=90)}
        self.buyers: list[User] = UserFactory.create_batch(3)
        ann, ben = SellerFactory.create_batch(2)
        self.courses: list[Course] = [
            CourseFactory(seller=ann, list_price=Decimal("100.00")),
            CourseFactory(seller=ann, list_price=Decimal("33.33")),
            CourseFactory(seller=ben, list_price=Decimal("10.01")),
            CourseFactory(seller=ann, list_price=Decimal("50.00"), kind="consultation"),
            CourseFactory(seller=ben, list_price=ZERO),
        ]
        first, _second, third, talk, _free = self.courses
        self.promotions: list[Promotion] = [
            PromotionFactory(course=first, price=Decimal("60.00"), seats=2, seats_left=2, **always),
            PromotionFactory(course=third, price=Decimal("4.99"), seats=1, seats_left=1, **always),
        ]
        self.coupons: list[Coupon] = [
            CouponFactory(seller=ann, code="TENTH", percent=10, max_uses=2, **always),
            CouponFactory(
                seller=ben,
                code="FIVER",
                kind="amount",
                percent=None,
                amount=Decimal("5.00"),
                budget=Decimal("9.99"),
                per_user_limit=2,
                **always,
            ),
        ]
        self.slots: list[ConsultationSlot] = [
            ConsultationSlotFactory(course=talk, starts_at=noon + timedelta(hours=hours))
            for hours in (2, 48)
        ]


@dataclass
class ModelLine:
    course: int
    promotion: int | None
    price: Decimal
    coupon_discount: Decimal
    is_refunded: bool = False


@dataclass
class ModelPayment:
    number: str
    reference: str
    ours: str = "started"
    book: str = "open"
    started_at: datetime | None = None


@dataclass
class ModelOrder:
    pk: int
    buyer: int
    status: str
    coupon: int | None
    expires_at: datetime
    lines: list[ModelLine]
    payments: list[ModelPayment] = field(default_factory=list)

    @property
    def total(self) -> Decimal:
        return sum((line.price for line in self.lines), ZERO)

    @property
    def discount(self) -> Decimal:
        return sum((line.coupon_discount for line in self.lines), ZERO)

    @property
    def is_holding(self) -> bool:
        return self.status in ("pending", "paid")

    def holds(self, course: int) -> bool:
        return self.is_holding and any(
            line.course == course and not line.is_refunded for line in self.lines
        )


@dataclass
class Limits:
    """Of a coupon."""

    row: Coupon
    n_used: int = 0
    spent: Decimal = ZERO
    is_active: bool = True

    def allows(self, discount: Decimal) -> bool:
        has_use = self.row.max_uses is None or self.n_used < self.row.max_uses
        return has_use and (self.row.budget is None or self.spent + discount <= self.row.budget)


class Refused(Exception):
    """The model refuses; `name` is the class of the error that the platform must raise."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Model:
    """What buying means, one step after another."""

    def __init__(self, world: World) -> None:
        self.now = world.noon
        self.courses = {one.pk: one for one in world.courses}
        self.list_prices = {one.pk: one.list_price for one in world.courses}
        self.promotions = {one.pk: one for one in world.promotions}
        # None for no limit, else seats in all and seats left.
        self.seats: dict[int, list[int] | None] = {
            one.pk: [one.seats or 0, one.seats or 0] for one in world.promotions
        }
        self.coupons = {one.pk: Limits(one) for one in world.coupons}
        self.slots = {one.pk: one.starts_at for one in world.slots}
        self.slot_of: dict[int, tuple[int, int]] = {}
        self.orders: list[ModelOrder] = []

    def is_due(self, order: ModelOrder) -> bool:
        return order.status == "pending" and order.expires_at <= self.now

    def due(self) -> list[ModelOrder]:
        return sorted(filter(self.is_due, self.orders), key=lambda one: (one.expires_at, one.pk))

    def can_buy(self, buyer: int, courses: Sequence[int]) -> None:
        holding = [
            one
            for one in self.orders
            if one.buyer == buyer and any(one.holds(course) for course in courses)
        ]
        if any(one.status == "paid" for one in holding):
            raise Refused("AlreadyOwned")
        if any(not self.is_due(one) for one in holding):
            raise Refused("OrderOpen")
        for one in holding:
            self.end(one, "expired")

    def priced(
        self, courses: Sequence[int], coupon: int | None, expected: Decimal | None
    ) -> list[ModelLine]:
        lines, has_missed = [], False
        for course in sorted(set(courses)):
            line = ModelLine(course, None, self.list_prices[course], ZERO)
            for pk, promotion in self.promotions.items():
                if promotion.course_id == course and promotion.price < line.price:
                    seats = self.seats[pk]
                    if seats is None or seats[1] > 0:
                        line = ModelLine(course, pk, promotion.price, ZERO)
                    else:
                        has_missed = True
            lines.append(line)
        if coupon is not None:
            self._discount(lines, self.coupons[coupon])
        total = sum((line.price for line in lines), ZERO)
        if has_missed and expected != total:
            raise Refused("SoldOut")
        if expected is not None and expected != total:
            raise Refused("PriceChanged")
        return lines

    def _discount(self, lines: list[ModelLine], limits: Limits) -> None:
        if not limits.is_active:
            raise Refused("CouponNotRunning")
        of_seller = [
            line for line in lines if self.courses[line.course].seller_id == limits.row.seller_id
        ]
        if not of_seller:
            raise Refused("CouponCoversNothing")
        spend = sum((line.price for line in of_seller), ZERO)
        if limits.row.percent:
            discount = percentage_of(spend, limits.row.percent)
        else:
            discount = min(limits.row.amount or ZERO, spend)
        shares = share_out(discount, [line.price for line in of_seller])
        for line, share in zip(of_seller, shares, strict=True):
            line.price -= share
            line.coupon_discount = share

    def hold(self, order: ModelOrder, chosen: Sequence[int] = ()) -> None:
        """Take what the order needs, or raise Refused and take nothing."""
        times = self._times_for(order, chosen)
        if order.coupon is not None:
            limits = self.coupons[order.coupon]
            n_own = sum(
                one.buyer == order.buyer
                and one.coupon == order.coupon
                and one is not order
                and one.status in ("pending", "paid", "refunded")
                for one in self.orders
            )
            if not limits.allows(order.discount) or n_own >= limits.row.per_user_limit:
                raise Refused("CouponSpent")
        limited = [
            seats
            for line in order.lines
            if line.promotion is not None and (seats := self.seats[line.promotion]) is not None
        ]
        if any(seats[1] < 1 for seats in limited) or times is None:
            raise Refused("SoldOut")
        if order.coupon is not None:
            self.coupons[order.coupon].n_used += 1
            self.coupons[order.coupon].spent += order.discount
        for seats in limited:
            seats[1] -= 1
        for line, slot in times:
            self.slot_of[slot] = (order.pk, line)

    def _times_for(self, order: ModelOrder, chosen: Sequence[int]) -> list[tuple[int, int]] | None:
        free = [
            slot
            for slot, starts_at in sorted(self.slots.items(), key=lambda item: item[1])
            if slot not in self.slot_of and starts_at > self.now
        ]
        times: list[tuple[int, int]] = []
        for line in order.lines:
            if self.courses[line.course].kind == "consultation":
                possible = [slot for slot in free if not chosen or slot in chosen]
                if not possible:
                    return None
                times.append((line.course, possible[0]))
        taken = {slot for _course, slot in times}
        return times if set(chosen) <= taken else None

    def end(self, order: ModelOrder, status: str) -> None:
        order.status = status
        if order.coupon is not None:
            self.coupons[order.coupon].n_used -= 1
            self.coupons[order.coupon].spent -= order.discount
        for line in order.lines:
            self._give_back(order, line)

    def _give_back(self, order: ModelOrder, line: ModelLine) -> None:
        seats = self.seats[line.promotion] if line.promotion is not None else None
        if seats is not None:
            seats[1] += 1
        for slot, holder in list(self.slot_of.items()):
            if holder == (order.pk, line.course):
                del self.slot_of[slot]

    def told(self, order: ModelOrder, payment: ModelPayment, outcome: str) -> None:
        """The provider says what became of a payment."""
        if outcome == "failed":
            if payment.ours == "started":
                payment.ours = "failed"
        elif payment.ours in ("started", "failed"):
            payment.ours = "succeeded" if self._is_needed(order) else "surplus"

    def _is_needed(self, order: ModelOrder) -> bool:
        if order.status == "pending":
            order.status = "paid"
            return True
        if order.status not in ("expired", "cancelled"):
            return False
        others = [one for one in self.orders if one is not order and one.buyer == order.buyer]
        if any(one.holds(line.course) for one in others for line in order.lines):
            return False
        try:
            self.hold(order)
        except Refused:
            return False
        order.status = "paid"
        return True

    def close_payments(self, order: ModelOrder) -> None:
        for payment in order.payments:
            if payment.ours == "started" and payment.book == "open":
                payment.book = "closed"

    def ask(self, order: ModelOrder, payment: ModelPayment) -> None:
        """The provider is asked; its book answers."""
        outcome = {"paid": "succeeded", "declined": "failed", "closed": "failed"}
        if payment.book in outcome:
            self.told(order, payment, outcome[payment.book])

    def refund(self, order: ModelOrder, courses: Sequence[int]) -> None:
        lines = [line for line in order.lines if line.course in courses and not line.is_refunded]
        if order.status != "paid" or not lines:
            raise Refused("NotRefundable")
        for line in lines:
            line.is_refunded = True
            self._give_back(order, line)
        if all(line.is_refunded for line in order.lines):
            order.status = "refunded"

    def change_seats(self, promotion: int, seats: int | None) -> None:
        n_taken = sum(
            one.is_holding and line.promotion == promotion and not line.is_refunded
            for one in self.orders
            for line in one.lines
        )
        if seats is not None and seats < n_taken:
            raise Refused("SeatsTaken")
        self.seats[promotion] = None if seats is None else [seats, seats - n_taken]


def ensure_as_modelled(model: Model) -> None:
    """What the model knows is what the rows say."""
    statuses = dict(Order.objects.values_list("pk", "status"))
    assert statuses == {one.pk: one.status for one in model.orders}
    assert dict(Payment.objects.values_list("number", "status")) == {
        payment_number(one.number): one.ours for order in model.orders for one in order.payments
    }
    for pk, seats, left in Promotion.objects.values_list("pk", "seats", "seats_left"):
        assert model.seats[pk] == (None if seats is None else [seats, left])
    for pk, n_used, spent in Coupon.objects.values_list("pk", "n_used", "spent"):
        assert (model.coupons[pk].n_used, model.coupons[pk].spent) == (n_used, spent)
    taken = ConsultationSlot.objects.filter(purchase__isnull=False)
    assert model.slot_of == {
        pk: (order, course)
        for pk, order, course in taken.values_list("pk", "purchase__order", "purchase__course")
    }


def payment_number(number: str) -> object:
    return Payment._meta.get_field("number").to_python(number)


def ensure_rules_hold() -> None:
    """What must be so whatever happened. Each line names the promise that it checks."""
    lines = list(
        Purchase.objects.values_list(
            "pk", "order", "order__buyer", "order__status", "course", "course__kind",
            "promotion", "holder", "refunded_at", "price", "coupon_discount", "order__coupon",
        )
    )  # fmt: skip
    held: Counter[int] = Counter()
    uses: dict[int, dict[int, Decimal]] = {}
    totals: Counter[int] = Counter()
    entitled, with_time, holding = set(), set(), set()
    for (
        pk, order, buyer, status, course, kind, promotion, holder, refunded_at, price, off, coupon
    ) in lines:  # fmt: skip
        is_holding = status in ("pending", "paid") and refunded_at is None
        assert (holder == buyer) if is_holding else holder is None, "a line is held while it counts"
        totals[order] += price
        if holder is not None:
            assert (holder, course) not in holding, "nobody holds a course twice"
            holding.add((holder, course))
            held[promotion] += 1
            if kind == "consultation":
                with_time.add(pk)
        if status == "paid" and refunded_at is None:
            entitled.add((buyer, course, pk))
        if coupon is not None and status in ("pending", "paid", "refunded"):
            uses.setdefault(coupon, {}).setdefault(order, ZERO)
            uses[coupon][order] += off

    for pk, seats, left in Promotion.objects.values_list("pk", "seats", "seats_left"):
        assert seats is None or seats == left + held[pk], "seats = free + held + sold"
    for pk, n_used, spent in Coupon.objects.values_list("pk", "n_used", "spent"):
        counted = uses.get(pk, {})
        assert (n_used, spent) == (len(counted), sum(counted.values(), ZERO)), "uses of a coupon"
    active = Enrollment.objects.filter(is_active=True)
    assert set(active.values_list("user", "course", "purchase")) == entitled, "access"
    slots = ConsultationSlot.objects.exclude(purchase=None).values_list("purchase", flat=True)
    assert sorted(slots) == sorted(with_time), "each consultation that counts has one time"

    orders = list(Order.objects.values_list("pk", "status", "total"))
    assert {pk: total for pk, _status, total in orders} == dict(totals), "lines make the total"
    ledger = list(LedgerEntry.objects.values_list("order", "kind", "amount"))
    charges = sorted((order, amount) for order, kind, amount in ledger if kind == "charge")
    paid = sorted((pk, total) for pk, status, total in orders if status in ("paid", "refunded"))
    assert charges == paid, "one charge of each paid order"
    ensure_money_adds_up(ledger)


def ensure_money_adds_up(ledger: Sequence[tuple[int, str, Decimal]]) -> None:
    """The ledger says what the sandbox's book says, but for transfers that are on their way."""
    kept = sum(
        (amount if kind in ("charge", "surplus") else -amount for _order, kind, amount in ledger),
        ZERO,
    )
    on_its_way = Refund.objects.filter(status="requested").aggregate(sum=Sum("amount"))["sum"]
    known = Payment.objects.filter(status__in=["succeeded", "surplus"]).values_list("number")
    in_book = SandboxPayment.objects.filter(
        state="paid", number__in=[number.hex for (number,) in known]
    ).aggregate(sum=Sum(F("amount") - F("refunded")))["sum"]
    assert kept == (in_book or ZERO) - (on_its_way or ZERO), "ledger = book"
    assert not Refund.objects.filter(Q(status="failed")).exists(), "no transfer is refused"
