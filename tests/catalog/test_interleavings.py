"""Two steps of buying that meet at the worst moment, forced: real connections, MariaDB.

`stopped_at` halts one thread before a named call of a rule; the other then takes its step whole,
or waits for a row that the first has locked. Whatever wins, rows and money agree afterwards.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from catalog import checkout, expiry, holds, refunds
from catalog.checkout import NotOnSale, OrderRequest, cancel_order, place_order
from catalog.coupons import CouponSpent, claim_coupon
from catalog.expiry import close_unpaid
from catalog.holds import PriceChanged, SoldOut
from catalog.models import (
    ConsultationSlot,
    Coupon,
    CouponClaim,
    Course,
    LedgerEntry,
    Order,
    OrderStatus,
    Payment,
    Promotion,
    Refund,
    SandboxPayment,
    SandboxRefund,
)
from catalog.payments import settling, starting
from catalog.payments.overdue import expire_due_orders
from catalog.payments.paying import pay_in_sandbox
from catalog.payments.provider import Outcome, PaymentResult
from catalog.payments.registry import provider_named
from catalog.payments.sandbox import Sandbox
from catalog.payments.settling import apply_result
from catalog.payments.starting import NotPayable, start_payment
from catalog.promotions import change_seats
from catalog.refunds import NotRefundable, refund_lines, send_due_refunds
from tests.catalog.buying_model import ensure_rules_hold
from tests.factories import (
    ConsultationSlotFactory,
    CouponFactory,
    CourseFactory,
    PromotionFactory,
    UserFactory,
)

pytestmark = [pytest.mark.mariadb(only=True), pytest.mark.django_db(transaction=True)]

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=15)
ALWAYS = {"starts_at": NOW - timedelta(days=1), "ends_at": NOW + timedelta(days=9)}
SECONDS = 20
# Long enough for a step that waits for nothing to be through; a step that waits is still waiting.
A_MOMENT = 0.3


@pytest.fixture
def threads() -> Iterator[Callable[..., Future[Any]]]:
    """Runs a step in a thread with a connection of its own."""

    def step(rule: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return rule(*args, **kwargs)
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as pool:
        yield lambda rule, *args, **kwargs: pool.submit(step, rule, *args, **kwargs)


class Stop:
    """Where the first thread to come halts until it may go on; the others pass."""

    def __init__(self) -> None:
        self._is_first = threading.Lock()
        self.reached, self.go_on = threading.Event(), threading.Event()

    def __call__(self) -> None:
        if self._is_first.acquire(blocking=False):
            self.reached.set()
            assert self.go_on.wait(SECONDS)


@pytest.fixture
def stopped_at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stop]:
    def stop(where: object, name: str) -> Stop:
        point, real = Stop(), getattr(where, name)

        def halting(*args: Any, **kwargs: Any) -> Any:
            point()
            return real(*args, **kwargs)

        monkeypatch.setattr(where, name, halting)
        return point

    return stop


def meet(first: Future[Any], point: Stop, second: Callable[[], Future[Any]]) -> list[object]:
    """Let `second` run while `first` is halted; the results or errors of both."""
    assert point.reached.wait(SECONDS), first.exception(0) if first.done() else "not reached"
    other = second()
    wait([other], timeout=A_MOMENT)
    point.go_on.set()
    return [one.exception(SECONDS) or one.result(SECONDS) for one in (first, other)]


def order_of(*courses: Course, buyer: User | None = None, key: str = "k", **more: Any) -> Order:
    request = OrderRequest([one.pk for one in courses], **more)
    return place_order(buyer=buyer or UserFactory(), request=request, key=key, moment=NOW)


def begun(order: Order) -> Payment:
    return start_payment(
        order=order, provider=provider_named("sandbox"), return_url="/", moment=NOW
    )


def sandbox() -> Sandbox:
    provider = provider_named("sandbox")
    assert isinstance(provider, Sandbox)
    return provider


def word_of(payment: Payment) -> PaymentResult:
    """What the sandbox tells after the buyer paid there."""
    sandbox().decide(payment.reference or "", Outcome.SUCCEEDED)
    return PaymentResult(
        payment.number.hex,
        payment.reference or "",
        Outcome.SUCCEEDED,
        payment.amount,
        payment.currency,
    )


def paid_order(*courses: Course) -> Order:
    order = order_of(*courses)
    pay_in_sandbox(order=order, outcome="success", return_url="/", moment=NOW)
    return order


def settle_all() -> None:
    """Transfers go, then the books are even."""
    send_due_refunds(moment=LATER + timedelta(days=1))
    ensure_rules_hold()


def status_of(order: Order) -> str:
    return Order.objects.get(pk=order.pk).status


@pytest.fixture
def promotion(transactional_db: None) -> Promotion:
    return PromotionFactory(seats=1, seats_left=1, price=Decimal("60.00"), **ALWAYS)


def test_paid_while_it_expires_the_payment_waits_and_the_seat_is_had_again(
    threads, stopped_at, promotion
) -> None:
    order = order_of(promotion.course)
    word = word_of(begun(order))
    point = stopped_at(expiry, "give_back")
    first = threads(close_unpaid, order.pk, OrderStatus.EXPIRED, moment=LATER)
    expired, _payment = meet(
        first, point, lambda: threads(apply_result, "sandbox", word, moment=LATER)
    )

    assert expired is True
    assert status_of(order) == OrderStatus.PAID
    settle_all()


def test_expired_while_it_is_paid_nothing_expires(threads, stopped_at, promotion) -> None:
    order = order_of(promotion.course)
    word = word_of(begun(order))
    point = stopped_at(settling, "fulfil")

    first = threads(apply_result, "sandbox", word, moment=LATER)
    _payment, expired = meet(
        first, point, lambda: threads(close_unpaid, order.pk, OrderStatus.EXPIRED, moment=LATER)
    )

    assert (expired, status_of(order)) == (False, OrderStatus.PAID)
    settle_all()


def test_cancelled_while_it_is_paid_it_stays_paid(threads, stopped_at, promotion) -> None:
    order = order_of(promotion.course)
    word = word_of(begun(order))
    point = stopped_at(settling, "fulfil")

    first = threads(apply_result, "sandbox", word, moment=NOW)
    _payment, cancelled = meet(first, point, lambda: threads(cancel_order, order, moment=NOW))

    assert (cancelled, status_of(order)) == (False, OrderStatus.PAID)
    settle_all()


def test_a_late_payment_whose_seat_another_has_taken_goes_back(
    threads, stopped_at, promotion
) -> None:
    order = order_of(promotion.course)
    word = word_of(begun(order))
    cancel_order(order, moment=NOW)
    point = stopped_at(checkout, "take_slots")

    first = threads(order_of, promotion.course, buyer=UserFactory())
    other, _payment = meet(first, point, lambda: threads(apply_result, "sandbox", word, moment=NOW))

    assert isinstance(other, Order)
    assert status_of(order) == OrderStatus.CANCELLED
    assert Payment.objects.get(order=order).status == "surplus"
    settle_all()
    assert SandboxRefund.objects.get().amount == Decimal("60.00")


def test_a_notification_again_while_its_order_is_refunded_changes_nothing(
    threads, stopped_at, promotion
) -> None:
    order = paid_order(promotion.course)
    payment = order.payments.get()
    word = PaymentResult(
        payment.number.hex, payment.reference, Outcome.SUCCEEDED, payment.amount, "CNY"
    )
    point = stopped_at(refunds, "give_back_lines")
    lines = list(order.lines.values_list("pk", flat=True))
    first = threads(refund_lines, order=order, line_ids=lines, by=None, reason="", moment=NOW)
    done, _payment = meet(first, point, lambda: threads(apply_result, "sandbox", word, moment=NOW))

    assert len(done) == 1
    assert status_of(order) == OrderStatus.REFUNDED
    settle_all()


def test_of_two_refunds_of_one_line_one_happens(threads, stopped_at, promotion) -> None:
    order = paid_order(promotion.course, CourseFactory())
    line = order.lines.order_by("pk").first().pk
    point = stopped_at(refunds, "give_back_lines")
    refund = {"order": order, "line_ids": [line], "by": None, "reason": "", "moment": NOW}
    first = threads(refund_lines, **refund)
    done, refused = meet(first, point, lambda: threads(refund_lines, **refund))

    assert len(done) == 1
    assert isinstance(refused, NotRefundable)
    assert Refund.objects.count() == 1
    settle_all()


def test_two_lines_refunded_at_once_make_the_order_refunded(threads, stopped_at) -> None:
    order = paid_order(CourseFactory(), CourseFactory())
    lines = list(order.lines.order_by("pk").values_list("pk", flat=True))
    point = stopped_at(refunds, "give_back_lines")
    more = {"order": order, "by": None, "reason": "", "moment": NOW}
    first = threads(refund_lines, line_ids=lines[:1], **more)
    meet(first, point, lambda: threads(refund_lines, line_ids=lines[1:], **more))

    assert status_of(order) == OrderStatus.REFUNDED
    settle_all()


def test_a_transfer_asked_of_the_sandbox_twice_at_once_goes_once(threads) -> None:
    order = paid_order(CourseFactory())
    lines = list(order.lines.values_list("pk", flat=True))
    refund_lines(order=order, line_ids=lines, by=None, reason="", moment=NOW)
    payment = order.payments.get()
    asked = {
        "number": payment.number.hex,
        "reference": payment.reference,
        "key": "line",
        "amount": payment.amount,
        "total": payment.amount,
        "currency": "CNY",
        "reason": "",
    }

    answers = {one.result(SECONDS) for one in [threads(sandbox().refund, **asked) for _ in "ab"]}

    assert len(answers) == 1
    assert SandboxPayment.objects.get().refunded == payment.amount


@pytest.mark.parametrize(
    ("change", "refusal"),
    [({"list_price": Decimal("120.00")}, PriceChanged), ({"status": "archived"}, NotOnSale)],
)
def test_what_a_seller_changed_before_the_order_was_written_holds(
    threads, stopped_at, change, refusal
) -> None:
    course = CourseFactory()
    point = stopped_at(checkout, "take_seats")

    first = threads(order_of, course, buyer=UserFactory())
    refused, _n = meet(
        first, point, lambda: threads(Course.objects.filter(pk=course.pk).update, **change)
    )

    assert isinstance(refused, refusal)
    assert not Order.objects.exists()


def test_a_change_of_price_waits_for_an_order_that_is_being_written(threads, stopped_at) -> None:
    course = CourseFactory()
    point = stopped_at(checkout, "_ensure_unchanged")

    first = threads(order_of, course, buyer=UserFactory())
    order, _n = meet(
        first, point, lambda: threads(Course.objects.filter(pk=course.pk).update, list_price=120)
    )

    assert order.total == Decimal("100.00")
    assert order_of(course).total == Decimal("120.00")


def test_a_promotion_that_got_another_price_meanwhile_is_not_sold_at_the_old_one(
    threads, stopped_at, promotion
) -> None:
    point = stopped_at(checkout, "take_seats")

    first = threads(order_of, promotion.course, buyer=UserFactory())
    refused, _n = meet(
        first, point, lambda: threads(Promotion.objects.filter(pk=promotion.pk).update, price=70)
    )

    assert isinstance(refused, PriceChanged)
    assert Promotion.objects.get().seats_left == 1


def test_seats_set_while_one_is_sold_count_that_sale(threads, stopped_at, promotion) -> None:
    Promotion.objects.update(seats=None, seats_left=None)
    point = stopped_at(checkout, "take_slots")

    first = threads(order_of, promotion.course, buyer=UserFactory())
    order, _none = meet(first, point, lambda: threads(change_seats, promotion, seats=1))

    assert isinstance(order, Order)
    promotion.refresh_from_db()
    assert (promotion.seats, promotion.seats_left) == (1, 0)
    ensure_rules_hold()


def test_seats_taken_away_meanwhile_are_not_sold(threads, stopped_at, promotion) -> None:
    point = stopped_at(checkout, "take_seats")

    first = threads(order_of, promotion.course, buyer=UserFactory())
    refused, _none = meet(first, point, lambda: threads(change_seats, promotion, seats=0))

    assert isinstance(refused, SoldOut)
    ensure_rules_hold()


@pytest.mark.parametrize("change", [{"is_active": False}, {"percent": 5}, {"max_uses": 0}])
def test_a_coupon_that_changed_meanwhile_takes_nothing_off(threads, stopped_at, change) -> None:
    course = CourseFactory()
    coupon = CouponFactory(seller=course.seller, code="TENTH", **ALWAYS)
    point = stopped_at(checkout, "take_use")

    first = threads(order_of, course, buyer=UserFactory(), coupon_code="TENTH")
    refused, _n = meet(
        first, point, lambda: threads(Coupon.objects.filter(pk=coupon.pk).update, **change)
    )

    assert isinstance(refused, CouponSpent)
    assert not Order.objects.exists()
    ensure_rules_hold()


def test_two_starts_at_once_are_one_payment(threads, stopped_at) -> None:
    order = order_of(CourseFactory())
    point = stopped_at(starting, "_title")

    begin = {
        "order": order, "provider": sandbox(), "return_url": "/", "moment": NOW
    }  # fmt: skip
    first = threads(start_payment, **begin)
    one, other = meet(first, point, lambda: threads(start_payment, **begin))

    assert one.pk == other.pk
    assert Payment.objects.count() == SandboxPayment.objects.count() == 1


def test_a_payment_cannot_begin_while_its_order_is_cancelled(threads, stopped_at) -> None:
    order = order_of(CourseFactory())
    point = stopped_at(expiry, "give_back")
    first = threads(cancel_order, order, moment=NOW)
    cancelled, refused = meet(first, point, lambda: threads(begun, order))

    assert cancelled is True
    assert isinstance(refused, NotPayable)


def test_one_key_sent_twice_at_once_is_one_order(threads, stopped_at, promotion) -> None:
    buyer = UserFactory()
    point = stopped_at(checkout, "take_slots")

    first = threads(order_of, promotion.course, buyer=buyer)
    one, other = meet(first, point, lambda: threads(order_of, promotion.course, buyer=buyer))

    assert one.pk == other.pk
    assert Order.objects.count() == 1
    ensure_rules_hold()


def test_one_course_ordered_twice_at_once_is_held_once(threads, stopped_at) -> None:
    course, buyer = CourseFactory(), UserFactory()
    point = stopped_at(checkout, "take_slots")

    first = threads(order_of, course, buyer=buyer, key="1")
    order, refused = meet(first, point, lambda: threads(order_of, course, buyer=buyer, key="2"))

    assert isinstance(order, Order)
    assert isinstance(refused, checkout.OrderOpen)
    ensure_rules_hold()


def test_the_job_twice_at_once_expires_each_order_once(threads, promotion) -> None:
    for _ in range(8):
        order_of(CourseFactory())
    order_of(promotion.course)

    jobs = [threads(expire_due_orders, moment=LATER) for _ in range(3)]

    assert sum(job.result(SECONDS) for job in jobs) == 9
    assert Promotion.objects.get().seats_left == 1
    ensure_rules_hold()


def test_two_payments_of_one_order_at_once_charge_once_and_the_other_goes_back(threads) -> None:
    order = order_of(CourseFactory())
    words = []
    for _ in range(2):
        payment = begun(order)
        Payment.objects.filter(pk=payment.pk).update(status="failed")
        words.append(word_of(payment))

    for one in [threads(apply_result, "sandbox", word, moment=NOW) for word in words]:
        one.result(SECONDS)

    assert sorted(Payment.objects.values_list("status", flat=True)) == ["succeeded", "surplus"]
    assert LedgerEntry.objects.filter(kind="charge").count() == 1
    settle_all()


def test_one_time_chosen_by_two_at_once_is_had_by_one(threads, stopped_at) -> None:
    slot = ConsultationSlotFactory(starts_at=NOW + timedelta(days=1))
    ConsultationSlotFactory(course=slot.course, starts_at=NOW + timedelta(days=2))
    point = stopped_at(holds, "_take_slot")
    first = threads(order_of, slot.course, buyer=UserFactory(), slots=[slot.pk])
    results = meet(
        first, point, lambda: threads(order_of, slot.course, buyer=UserFactory(), slots=[slot.pk])
    )

    assert sorted(type(one).__name__ for one in results) == ["Order", "SoldOut"]
    assert ConsultationSlot.objects.filter(purchase=None).count() == 1
    ensure_rules_hold()


def test_ten_claims_of_one_coupon_at_once_are_one(threads) -> None:
    coupon, person = CouponFactory(**ALWAYS), UserFactory()

    claims = [threads(claim_coupon, person=person, coupon=coupon, moment=NOW) for _ in range(10)]

    assert len({one.result(SECONDS).pk for one in claims}) == 1
    assert CouponClaim.objects.count() == 1


def test_the_last_use_of_a_coupon_is_had_by_one_of_ten(threads) -> None:
    course = CourseFactory()
    CouponFactory(seller=course.seller, code="TENTH", max_uses=1, **ALWAYS)
    buyers = UserFactory.create_batch(10)

    orders = [threads(order_of, course, buyer=one, coupon_code="TENTH") for one in buyers]
    results = [type(one.exception(SECONDS) or one.result()).__name__ for one in orders]

    assert sorted(results) == ["CouponSpent"] * 9 + ["Order"]
    ensure_rules_hold()
