"""A thousand notifications: repeated, shuffled, late, at the same moment, some of them forged."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.models import User
from catalog.checkout import OrderRequest, cancel_order, place_order
from catalog.expiry import close_unpaid
from catalog.models import Enrollment, Order, OrderStatus, Payment, PaymentStatus, Promotion
from catalog.payments.provider import Outcome, PaymentResult
from catalog.payments.registry import provider_named
from catalog.payments.sandbox import SIGNATURE_HEADER, Sandbox
from catalog.payments.settling import apply_result
from catalog.payments.starting import start_payment
from tests.concurrency.buyers import Answer, Request, at_once, codes
from tests.concurrency.referee import broken_promises
from tests.factories import PromotionFactory, UserFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.mariadb]

SEED = 20_260_105
N_DELIVERIES, N_FORGED = 1000, 50
N_AT_ONCE = 32
# Chosen so that their events, each sent one to five times, come to more than are sent.
N_OF_EACH_STORY = 34


@dataclass
class Story:
    """One order and what its provider will say of it; `events` in the order in which it happens."""

    order: Order
    events: list[tuple[Payment, Outcome]] = field(default_factory=list)


def _order(promotion: Promotion, buyer: User, *, minutes_ago: int = 0) -> Order:
    moment = timezone.now() - timedelta(minutes=minutes_ago)
    return place_order(
        buyer=buyer, request=OrderRequest([promotion.course_id]), key="k", moment=moment
    )


def _payment(order: Order) -> Payment:
    sandbox = provider_named("sandbox")
    moment = order.created_at + timedelta(seconds=1)
    return start_payment(order=order, provider=sandbox, return_url="http://x/", moment=moment)


def paid(promotion: Promotion, buyer: User) -> Story:
    order = _order(promotion, buyer)
    return Story(order, [(_payment(order), Outcome.SUCCEEDED)])


def paid_at_the_second_try(promotion: Promotion, buyer: User) -> Story:
    order = _order(promotion, buyer)
    payment = _payment(order)
    return Story(order, [(payment, Outcome.FAILED), (payment, Outcome.SUCCEEDED)])


def declined(promotion: Promotion, buyer: User) -> Story:
    order = _order(promotion, buyer)
    return Story(order, [(_payment(order), Outcome.FAILED)])


def paid_twice(promotion: Promotion, buyer: User) -> Story:
    order = _order(promotion, buyer)
    first = _payment(order)
    _say(first, Outcome.FAILED)
    second = _payment(order)
    assert first.pk != second.pk
    return Story(order, [(first, Outcome.SUCCEEDED), (second, Outcome.SUCCEEDED)])


def paid_late(promotion: Promotion, buyer: User) -> Story:
    order = _order(promotion, buyer, minutes_ago=60)
    payment = _payment(order)
    assert close_unpaid(order.pk, OrderStatus.EXPIRED, moment=timezone.now())
    return Story(order, [(payment, Outcome.SUCCEEDED)])


def paid_after_it_was_cancelled(promotion: Promotion, buyer: User) -> Story:
    order = _order(promotion, buyer)
    payment = _payment(order)
    assert cancel_order(order, moment=timezone.now())
    return Story(order, [(payment, Outcome.SUCCEEDED)])


def paid_late_when_the_seat_was_gone(_promotion: Promotion, buyer: User) -> Story:
    scarce = PromotionFactory(course=_promotion.course, price="50.00", seats=1, seats_left=1)
    story = paid_late(scarce, buyer)
    _order(scarce, UserFactory())
    # Nobody else gets this price.
    Promotion.objects.filter(pk=scarce.pk).update(is_active=False)
    return story


STORIES: list[Callable[[Promotion, User], Story]] = [
    paid,
    paid_at_the_second_try,
    declined,
    paid_twice,
    paid_late,
    paid_after_it_was_cancelled,
    paid_late_when_the_seat_was_gone,
]


def _say(payment: Payment, outcome: Outcome) -> None:
    """What the provider says, taken in without HTTP."""
    result = PaymentResult(**{**_told(payment, outcome), "amount": payment.amount})
    apply_result("sandbox", result, moment=timezone.now())


def _told(payment: Payment, outcome: Outcome) -> dict[str, str]:
    return {
        "number": payment.number.hex,
        "reference": payment.reference or "",
        "outcome": outcome,
        "amount": f"{payment.amount:.2f}",
        "currency": payment.currency,
    }


def make_stories() -> list[Story]:
    """Every kind of story as often, on seats enough for all."""
    promotion = PromotionFactory(seats=1000, seats_left=1000)
    kinds = STORIES * N_OF_EACH_STORY
    return [tell(promotion, UserFactory()) for tell in kinds]


def notification(told: dict[str, str], *, age_seconds: int = 0, secret: str = "") -> Request:
    """What the sandbox sends, signed as it signs."""
    sandbox = Sandbox(secret=secret or settings.SECRET_KEY)
    body = json.dumps(told, sort_keys=True).encode()
    moment = timezone.now() - timedelta(seconds=age_seconds)
    signature = sandbox.sign(body, moment=moment)
    return Request("/payments/sandbox/notify/", body, {SIGNATURE_HEADER: signature})


def forged(story: Story, other: Story, kind: str) -> Request:
    """A notification of a success that nobody may believe."""
    payment, _outcome = story.events[0]
    told = _told(payment, Outcome.SUCCEEDED)
    if kind == "signed by somebody else":
        return notification(told, secret="not-the-secret")
    if kind == "older than 300 seconds":
        return notification(told, age_seconds=302)
    if kind == "another amount under the old signature":
        honest = notification(told)
        return Request(honest.path, honest.body.replace(b"0.00", b"0.01"), honest.headers)
    changes = {
        "another amount": {"amount": "0.01"},
        "another currency": {"currency": "JPY"},
        "another order's number": {"number": other.events[0][0].number.hex},
    }
    return notification({**told, **changes[kind]})


FORGERIES = [
    "signed by somebody else",
    "older than 300 seconds",
    "another amount under the old signature",
    "another amount",
    "another currency",
    "another order's number",
]


def outcome_of(story: Story) -> tuple:
    """All that became of an order, without what tells two orders apart."""
    order = Order.objects.get(pk=story.order.pk)
    return (
        order.status,
        order.total,
        sorted(order.payments.values_list("status", flat=True)),
        sorted(order.ledger.values_list("kind", "amount")),
        sorted(order.refunds.values_list("status", "amount")),
        [line.holder_id == order.buyer_id for line in order.lines.all()],
        Enrollment.objects.filter(user=order.buyer_id, is_active=True).count(),
    )


def test_a_thousand_deliveries_end_as_one_honest_run(shop, ask) -> None:
    choice = random.Random(SEED)
    ordered, stories = make_stories(), make_stories()
    events = [(n_story, event) for n_story, story in enumerate(stories) for event in story.events]
    # Each event at least once, at most five times, together as many as shall be sent.
    copies = Counter(range(len(events)))
    while copies.total() < N_DELIVERIES - N_FORGED:
        place = choice.randrange(len(events))
        copies[place] += copies[place] < 5
    deliveries = [(notification(_told(*events[n][1])), 200) for n in copies.elements()]
    for n in range(N_FORGED):
        one, other = choice.sample(stories, 2)
        deliveries.append((forged(one, other, FORGERIES[n % len(FORGERIES)]), 400))
    choice.shuffle(deliveries)
    n_logged = shop.log.read_text().count("refused: ")

    for story in ordered:
        for payment, outcome in story.events:
            _say(payment, outcome)
    answers: list[Answer] = at_once(
        [request for request, _ in deliveries], port=shop.port, most=N_AT_ONCE
    )

    assert len(answers) == N_DELIVERIES
    assert [one.status for one in answers] == [status for _, status in deliveries]
    assert shop.log.read_text().count("refused: ") == n_logged + N_FORGED
    assert [outcome_of(story) for story in stories] == [outcome_of(story) for story in ordered]
    assert broken_promises(ask) == {}


def test_the_stories_end_as_they_should(shop, ask) -> None:
    """What the honest run is: without this, two runs could agree on a wrong end."""
    promotion = PromotionFactory(seats=1000, seats_left=1000)
    ends = {}
    for tell in STORIES:
        story = tell(promotion, UserFactory())
        sent = [notification(_told(*event)) for event in story.events]
        assert codes(at_once(sent, port=shop.port, most=1)) == {"200": len(sent)}
        status, _total, payments, ledger, refunds, held, n_learning = outcome_of(story)
        ends[tell] = (status, payments, [kind for kind, _ in ledger], len(refunds), n_learning)
        assert held == [status in ("paid", "pending")]

    bought = ("paid", ["succeeded"], ["charge"], 0, 1)
    assert ends == {
        paid: bought,
        paid_at_the_second_try: bought,
        declined: ("pending", ["failed"], [], 0, 0),
        paid_twice: (
            "paid",
            ["succeeded", "surplus"],
            ["charge", "surplus", "surplus_return"],
            1,
            1,
        ),
        paid_late: bought,
        paid_after_it_was_cancelled: bought,
        paid_late_when_the_seat_was_gone: (
            "expired",
            ["surplus"],
            ["surplus", "surplus_return"],
            1,
            0,
        ),
    }
    assert broken_promises(ask) == {}


@pytest.mark.parametrize("kind", FORGERIES)
def test_what_is_forged_is_refused_logged_and_changes_nothing(shop, ask, kind) -> None:
    promotion = PromotionFactory(seats=10, seats_left=10)
    story, other = paid(promotion, UserFactory()), paid(promotion, UserFactory())
    before = outcome_of(story), outcome_of(other)
    logged = shop.log.read_text()

    answers = at_once([forged(story, other, kind)], port=shop.port)

    assert [one.status for one in answers] == [400]
    assert "refused: " in shop.log.read_text()[len(logged) :]
    assert (outcome_of(story), outcome_of(other)) == before
    assert before[0][:1] == ("pending",)
    assert set(Payment.objects.values_list("status", flat=True)) == {PaymentStatus.STARTED}
