"""Unpaid orders end late, twice and in four processes at once, while buyers order and pay."""

from __future__ import annotations

import random
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import User
from catalog.checkout import OrderRequest, hold_time, place_order
from catalog.models import Order, OrderStatus, Payment, Promotion
from catalog.payments.overdue import expire_due_orders
from catalog.payments.provider import Outcome
from catalog.payments.registry import provider_named
from catalog.payments.starting import start_payment
from tests.concurrency.buyers import at_once, codes, order, pay
from tests.concurrency.referee import broken_promises
from tests.concurrency.shop import Shop
from tests.concurrency.test_webhooks import notification
from tests.concurrency.world import make_buyers, make_offer
from tests.operation.processes import ROOT

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.mariadb]

SEED = 20_260_106
N_PROCESSES = 4


class ExpiryJobs:
    """Four processes that run the job over and over, all at the same time."""

    def __init__(self, shop: Shop) -> None:
        command = [sys.executable, "-m", "tests.concurrency.expiry_job"]
        self.processes = [
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=shop.env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(N_PROCESSES)
        ]
        for process in self.processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"

    def start(self, *, seconds: float) -> None:
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write(f"{seconds}\n")
            process.stdin.flush()

    def counts(self) -> list[int]:
        """How many orders each of them ended, when all are done."""
        return [int(process.communicate(timeout=60)[0]) for process in self.processes]

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def jobs(shop) -> Iterator[ExpiryJobs]:
    """They are gone after the test."""
    started = ExpiryJobs(shop)
    try:
        yield started
    finally:
        started.end()


def order_that_ends(promotion: Promotion, buyer: User, *, in_seconds: float) -> Order:
    """An unpaid order whose time will be over then; it may lie in the past."""
    moment = timezone.now() - hold_time() + timedelta(seconds=in_seconds)
    request = OrderRequest([promotion.course_id])
    return place_order(buyer=buyer, request=request, key=uuid.uuid4().hex, moment=moment)


def test_orders_that_are_paid_while_they_end_are_paid_or_ended_and_never_both(
    shop, ask, jobs
) -> None:
    choice = random.Random(SEED)
    n_each = 40
    promotion = make_offer(3 * n_each)
    tokens = make_buyers(3 * n_each)
    buyers = list(User.objects.filter(email__startswith="buyer").order_by("pk"))
    orders = [order_that_ends(promotion, buyer, in_seconds=600) for buyer in buyers]
    by_api, by_vendor, by_nobody = (orders[n::3] for n in range(3))
    sandbox = provider_named("sandbox")
    payments = {
        one.pk: start_payment(
            order=one, provider=sandbox, return_url="http://x/", moment=timezone.now()
        )
        for one in by_vendor
    }

    def pay_by_api(one: Order) -> bool:
        token = tokens[orders.index(one)]
        (answer,) = at_once([pay(token, str(one.public_id))], port=shop.port)
        assert answer.code in ("200", "409 not_payable")
        return answer.status == 200

    def pay_at_vendor(one: Order) -> bool:
        payment: Payment = payments[one.pk]
        told = {
            "number": payment.number.hex,
            "reference": payment.reference or "",
            "outcome": Outcome.SUCCEEDED,
            "amount": f"{payment.amount:.2f}",
            "currency": payment.currency,
        }
        # A vendor that was told to take no money any more takes none.
        is_paid = sandbox.decide(payment.reference or "", Outcome.SUCCEEDED) is not None
        if is_paid:
            assert at_once([notification(told)], port=shop.port)[0].status == 200
        return is_paid

    def around_its_end(one: Order) -> bool:
        assert one.expires_at is not None
        left = (one.expires_at - timezone.now()).total_seconds()
        time.sleep(max(0.0, left + choice.uniform(-0.5, 0.3)))
        try:
            return pay_by_api(one) if one in by_api else pay_at_vendor(one)
        finally:
            connection.close()

    begin = timezone.now()
    for one in orders:
        one.expires_at = begin + timedelta(seconds=choice.uniform(1, 7))
    Order.objects.bulk_update(orders, ["expires_at"])
    payers = sorted([*by_api, *by_vendor], key=lambda one: one.expires_at)
    jobs.start(seconds=9)
    with ThreadPoolExecutor(16) as crowd:
        is_paid = dict(zip(payers, crowd.map(around_its_end, payers), strict=True))
    counts = jobs.counts()

    status = dict(Order.objects.values_list("pk", "status"))
    assert {one: status[one.pk] == OrderStatus.PAID for one in payers} == is_paid
    assert {status[one.pk] for one in by_nobody} == {OrderStatus.EXPIRED}
    n_paid = sum(is_paid.values())
    assert 0 < n_paid < len(payers)
    # Some that were paid late had been ended before; none was ended twice.
    assert len(orders) - n_paid <= sum(counts) <= len(orders)
    promotion.refresh_from_db()
    assert promotion.seats_left == promotion.seats - n_paid
    assert expire_due_orders(moment=timezone.now() + timedelta(hours=1)) == 0
    assert broken_promises(ask) == {}


def test_what_ended_long_ago_is_given_back_once_while_others_buy_it(shop, ask, jobs) -> None:
    n = 100
    promotion, tokens = make_offer(n), make_buyers(2 * n)
    others = tokens[n:]
    for buyer in User.objects.filter(email__startswith="buyer").order_by("pk")[:n]:
        order_that_ends(promotion, buyer, in_seconds=-3600)

    jobs.start(seconds=3)
    clicks = [order(token, [promotion.course_id], key="k") for token in others]
    answers = at_once(clicks, port=shop.port)
    counts = jobs.counts()

    # A seat that is just being given back can be missed; it is there for the next click.
    n_sold = codes(answers)["201"]
    assert set(codes(answers)) <= {"201", "409 sold_out"}
    expired = Order.objects.filter(status=OrderStatus.EXPIRED).count()
    # The buyers' own requests have ended some of them.
    assert sum(counts) <= expired == n
    promotion.refresh_from_db()
    assert promotion.seats_left == n - n_sold
    assert broken_promises(ask) == {}
