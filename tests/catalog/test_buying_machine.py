"""Any order of steps: hold, pay, notify, expire, cancel, refund, change, wait.

The platform and a model of it (`tests/catalog/buying_model.py`) take the same steps; after each,
rows, model and money must agree.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from catalog.checkout import OrderRequest, cancel_order, place_order
from catalog.models import Coupon, Course, Order, Payment, Promotion, SandboxNotice
from catalog.payments.overdue import check_unsettled_payments, expire_due_orders
from catalog.payments.paying import pay_in_sandbox
from catalog.payments.provider import ForgedNotification, Outcome
from catalog.payments.registry import provider_named
from catalog.payments.sandbox import SIGNATURE_HEADER, Sandbox
from catalog.payments.settling import apply_result, close_payments
from catalog.payments.starting import start_payment
from catalog.promotions import change_seats
from catalog.refunds import refund_lines, send_due_refunds
from tests.catalog.buying_model import (
    HOLD,
    Model,
    ModelOrder,
    ModelPayment,
    Refused,
    World,
    ensure_as_modelled,
    ensure_rules_hold,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
STEPS = 50
# Of each of the two seeds; MariaDB takes the same steps, fewer of them.
N_RUNS = {"sqlite": 120, "mysql": 25}
picks = st.integers(0, 999)
outcomes = st.sampled_from(["success", "success", "decline", "timeout"])


class BuyingMachine(RuleBasedStateMachine):
    """One run: it begins with the world's rows, and leaves nothing behind."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.model = Model(self.world)
        self.n_requests = 0
        self.has_written = True
        self.watch = connection.execute_wrapper(self._note_writing)
        self.watch.__enter__()
        self.transaction = transaction.atomic()
        self.transaction.__enter__()

    def _note_writing(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if not sql.startswith(("SELECT", "SAVEPOINT", "RELEASE SAVEPOINT")):
            self.has_written = True
        return execute(sql, *rest)

    def teardown(self) -> None:
        try:
            # Everything arrives in the end, and the books are even.
            for notice in SandboxNotice.objects.order_by("pk"):
                self._deliver(notice)
            while send_due_refunds(moment=self.model.now):
                pass
            self.everything_agrees()
        finally:
            transaction.set_rollback(True)
            self.transaction.__exit__(None, None, None)
            self.watch.__exit__(None, None, None)

    @invariant()
    def everything_agrees(self) -> None:
        ensure_as_modelled(self.model)
        # The rules are about rows alone: after a step that wrote nothing they hold as before.
        if self.has_written:
            ensure_rules_hold()
            self.has_written = False

    def _same(self, modelled: Callable[[], object], real: Callable[[], object]) -> bool:
        """Take the step in both; whether it was taken. They must refuse for the same reason."""
        try:
            modelled()
            refusal = None
        except Refused as refused:
            refusal = refused.name
        try:
            real()
        except Exception as error:
            if type(error).__name__ != refusal:
                raise AssertionError(f"{error!r} instead of {refusal}") from error
            return False
        assert refusal is None, f"not refused with {refusal}"
        return True

    def _order(self, pick: int) -> ModelOrder:
        return self.model.orders[pick % len(self.model.orders)]

    def _payment(self, pick: int) -> tuple[ModelOrder, ModelPayment] | None:
        pairs = [(order, one) for order in self.model.orders for one in order.payments]
        return pairs[pick % len(pairs)] if pairs else None

    @rule(
        buyer=st.integers(0, 2),
        courses=st.lists(st.integers(0, 4), min_size=1, max_size=2),
        coupon=st.sampled_from([None, None, 0, 1]),
        slot=st.sampled_from([None, None, None, 0, 1]),
        expected=st.sampled_from([None, None, None, "60.00", "100.00", "54.00"]),
    )
    def place(
        self,
        buyer: int,
        courses: list[int],
        coupon: int | None,
        slot: int | None,
        expected: str | None,
    ) -> None:
        world, model = self.world, self.model
        who, total = world.buyers[buyer], None if expected is None else Decimal(expected)
        ids = [world.courses[place].pk for place in courses]
        slots = [] if slot is None else [world.slots[slot].pk]
        code = "" if coupon is None else world.coupons[coupon].code
        coupon_id = None if coupon is None else world.coupons[coupon].pk
        self.n_requests += 1
        made: list[ModelOrder] = []
        stored: list[Order] = []

        def place_modelled() -> None:
            model.can_buy(who.pk, ids)
            try:
                made.append(self._hold(who.pk, ids, coupon_id, slots, total))
            except Refused as refused:
                if refused.name not in ("SoldOut", "CouponSpent") or not model.due():
                    raise
                for order in model.due():
                    model.end(order, "expired")
                made.append(self._hold(who.pk, ids, coupon_id, slots, total))

        def place_real() -> None:
            request = OrderRequest(courses=ids, coupon_code=code, slots=slots, expected_total=total)
            key = str(self.n_requests)
            order = place_order(buyer=who, request=request, key=key, moment=model.now)
            again = place_order(buyer=who, request=request, key=key, moment=model.now)
            assert again.pk == order.pk
            stored.append(order)

        if self._same(place_modelled, place_real):
            (order,), (row,) = made, stored
            for pk, holder in model.slot_of.items():
                if holder[0] == 0:
                    model.slot_of[pk] = (row.pk, holder[1])
            order.pk = row.pk
            model.orders.append(order)
            assert row.total == order.total
            assert row.status == order.status
        else:
            self._follow_expiry(who.pk)

    def _hold(
        self,
        buyer: int,
        courses: list[int],
        coupon: int | None,
        slots: list[int],
        expected: Decimal | None,
    ) -> ModelOrder:
        lines = self.model.priced(courses, coupon, expected)
        order = ModelOrder(0, buyer, "pending", coupon, self.model.now + HOLD, lines)
        self.model.hold(order, slots)
        if order.total == 0:
            order.status = "paid"
        return order

    def _follow_expiry(self, buyer: int) -> None:
        """Somebody with one open and one overdue order may find the second ended, or not yet."""
        for order in self.model.due():
            if order.buyer == buyer and Order.objects.get(pk=order.pk).status == "expired":
                self.model.end(order, "expired")

    @precondition(lambda self: self.model.orders)
    @rule(pick=picks, outcome=outcomes)
    def pay_by_api(self, pick: int, outcome: str) -> None:
        order = self._order(pick)
        book = {"success": "paid", "decline": "declined", "timeout": "open"}[outcome]
        paid: list[Payment] = []

        def pay_modelled() -> None:
            self._ensure_payable(order)

        def pay_real() -> None:
            row = Order.objects.get(pk=order.pk)
            paid.append(
                pay_in_sandbox(order=row, outcome=outcome, return_url="/", moment=self.model.now)
            )

        if self._same(pay_modelled, pay_real):
            payment = self._started(order, paid[0])
            if outcome != "timeout" and payment.book in ("open", "declined"):
                payment.book = book
            if outcome != "timeout":
                self.model.ask(order, payment)

    @precondition(lambda self: self.model.orders)
    @rule(pick=picks)
    def start_on_page(self, pick: int) -> None:
        order = self._order(pick)
        started: list[Payment] = []

        def start() -> None:
            row = Order.objects.get(pk=order.pk)
            payment = start_payment(
                order=row,
                provider=provider_named("sandbox"),
                return_url="/",
                moment=self.model.now,
            )
            started.append(payment)

        if self._same(lambda: self._ensure_payable(order), start):
            self._started(order, started[0])

    def _ensure_payable(self, order: ModelOrder) -> None:
        if order.status != "pending" or self.model.is_due(order):
            raise Refused("NotPayable")

    def _started(self, order: ModelOrder, row: Payment) -> ModelPayment:
        """The open payment of the order, which there is once; a new one after it ended."""
        for payment in order.payments:
            if payment.number == row.number.hex:
                assert payment.ours == "started"
                return payment
        assert all(payment.ours != "started" for payment in order.payments)
        # One that was decided at once is known here by its number alone.
        number = row.number.hex
        reference = sandbox().reference_of(number).hex
        assert row.reference in (None, reference)
        made = ModelPayment(number, reference, started_at=self.model.now)
        order.payments.append(made)
        return made

    @precondition(lambda self: any(order.payments for order in self.model.orders))
    @rule(pick=picks, is_success=st.booleans())
    def decide_on_page(self, pick: int, is_success: bool) -> None:
        """The buyer pays or declines at the sandbox; the platform has not heard of it yet."""
        _order, payment = self._payment(pick)
        outcome = Outcome.SUCCEEDED if is_success else Outcome.FAILED
        is_decided = bool(sandbox().decide(payment.reference, outcome))
        assert is_decided == (payment.book in ("open", "declined"))
        if is_decided:
            payment.book = "paid" if is_success else "declined"

    @precondition(lambda self: any(order.payments for order in self.model.orders))
    @rule(pick=picks, n_times=st.integers(1, 2))
    def notify(self, pick: int, n_times: int) -> None:
        """Any notification that there ever was: late, again, or before an earlier one."""
        notices = list(SandboxNotice.objects.order_by("pk"))
        if notices:
            for _ in range(n_times):
                self._deliver(notices[pick % len(notices)])

    def _deliver(self, notice: SandboxNotice) -> None:
        body = sandbox().notification(notice)
        moment = self.model.now
        headers = {SIGNATURE_HEADER: sandbox().sign(body, moment=moment)}
        result = sandbox().read_notification(headers=headers, body=body, moment=moment)
        assert result is not None
        apply_result("sandbox", result, moment=moment)
        for order in self.model.orders:
            for payment in order.payments:
                if payment.number == result.number:
                    self.model.told(order, payment, str(result.outcome))

    @precondition(lambda self: any(order.payments for order in self.model.orders))
    @rule(pick=picks, how=st.sampled_from(["signature", "body", "age", "future"]))
    def forge(self, pick: int, how: str) -> None:
        """A message of somebody else, or an old one: refused, and nothing changes."""
        _order, payment = self._payment(pick)
        row = Payment.objects.get(number=payment.number)
        body = (
            f'{{"number": "{payment.number}", "reference": "{payment.reference}", '
            f'"outcome": "succeeded", "amount": "{row.amount}", "currency": "CNY"}}'
        ).encode()
        moment = self.model.now
        off = {"age": timedelta(seconds=-301), "future": timedelta(seconds=301)}.get(how)
        signature = sandbox().sign(body, moment=moment + (off or timedelta()))
        if how == "signature":
            signature = signature[:-4] + "0000"
        if how == "body":
            body = body.replace(b"succeeded", b"failed")
        with pytest.raises(ForgedNotification):
            sandbox().read_notification(
                headers={SIGNATURE_HEADER: signature}, body=body, moment=moment
            )

    @rule(n_times=st.integers(1, 2))
    def expire(self, n_times: int) -> None:
        """The job runs, late as it may be, and perhaps twice."""
        for _ in range(n_times):
            n_expired = expire_due_orders(moment=self.model.now)
            n_modelled = 0
            for order in self.model.due():
                for payment in order.payments:
                    if payment.ours == "started":
                        self.model.ask(order, payment)
                if order.status == "pending":
                    self.model.end(order, "expired")
                    self.model.close_payments(order)
                    n_modelled += 1
            assert n_expired == n_modelled

    @rule()
    def ask_after_payments(self) -> None:
        check_unsettled_payments(moment=self.model.now)
        now = self.model.now
        open_ones = [
            (payment.started_at, payment, order)
            for order in self.model.orders
            for payment in order.payments
            if payment.ours == "started"
            and now - timedelta(hours=25) < payment.started_at <= now - timedelta(minutes=2)
        ]
        numbers = dict(Payment.objects.values_list("number", "pk"))
        by_number = {number.hex: pk for number, pk in numbers.items()}
        for _at, payment, order in sorted(
            open_ones, key=lambda one: (one[0], by_number[one[1].number])
        ):
            self.model.ask(order, payment)

    @precondition(lambda self: self.model.orders)
    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        order = self._order(pick)
        row = Order.objects.get(pk=order.pk)
        is_cancelled = cancel_order(row, moment=self.model.now)
        assert is_cancelled == (order.status == "pending")
        if is_cancelled:
            close_payments(row)
            self.model.end(order, "cancelled")
            self.model.close_payments(order)

    @precondition(lambda self: self.model.orders)
    @rule(pick=picks, which=st.sampled_from(["all", "first", "last"]))
    def refund(self, pick: int, which: str) -> None:
        order = self._order(pick)
        chosen = {"all": order.lines, "first": order.lines[:1], "last": order.lines[-1:]}[which]
        courses = [line.course for line in chosen]
        row = Order.objects.get(pk=order.pk)
        ids = list(row.lines.filter(course__in=courses).values_list("pk", flat=True))
        self._same(
            lambda: self.model.refund(order, courses),
            lambda: refund_lines(
                order=row, line_ids=ids, by=None, reason="", moment=self.model.now
            ),
        )

    @rule()
    def transfer(self) -> None:
        send_due_refunds(moment=self.model.now)

    @rule(which=st.integers(0, 1), seats=st.none() | st.integers(0, 3))
    def seller_changes_seats(self, which: int, seats: int | None) -> None:
        pk = self.world.promotions[which].pk
        self._same(
            lambda: self.model.change_seats(pk, seats),
            lambda: change_seats(Promotion.objects.get(pk=pk), seats=seats),
        )

    @rule(which=st.integers(0, 2), price=st.sampled_from(["0.01", "33.33", "59.99", "100.00"]))
    def seller_changes_price(self, which: int, price: str) -> None:
        pk = self.world.courses[which].pk
        Course.objects.filter(pk=pk).update(list_price=price)
        self.model.list_prices[pk] = Decimal(price)

    @rule(which=st.integers(0, 1), is_active=st.booleans())
    def seller_switches_coupon(self, which: int, is_active: bool) -> None:
        pk = self.world.coupons[which].pk
        Coupon.objects.filter(pk=pk).update(is_active=is_active)
        self.model.coupons[pk].is_active = is_active

    @rule(minutes=st.sampled_from([1, 5, 14, 15, 16, 90, 3000]))
    def time_passes(self, minutes: int) -> None:
        self.model.now += timedelta(minutes=minutes)


def sandbox() -> Sandbox:
    provider = provider_named("sandbox")
    assert isinstance(provider, Sandbox)
    return provider


@pytest.mark.parametrize("number", [20261125, 20261126])
def test_any_order_of_steps_keeps_seats_coupons_access_and_money_right(number: int) -> None:
    world_of_this_test = World(NOON)

    @seed(number)
    class Machine(BuyingMachine):
        world = world_of_this_test

    n_runs = int(os.environ.get("LIVECOURSE_MACHINE_RUNS", N_RUNS[connection.vendor]))
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=n_runs,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            derandomize=False,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
