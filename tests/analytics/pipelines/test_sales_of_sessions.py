"""Sales of a session are those of the ledger, whatever happened, and however late."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import Sum

from analytics.models import Event, EventKind, SessionFigures
from analytics.pipelines.figures import LATE_ARRIVAL, refresh_figures
from analytics.pipelines.profiles import refresh_profiles
from catalog import checkout
from catalog.checkout import OrderRequest
from catalog.expiry import give_back_due
from catalog.holds import SoldOut
from catalog.models import Enrollment, LedgerEntry, MoneyMove, Order, OrderStatus
from catalog.payments.paying import pay_in_sandbox
from catalog.payments.provider import Outcome, PaymentResult
from catalog.payments.settling import apply_result
from catalog.refunds import refund_lines
from streams.live_orders import place_order
from streams.models import LiveSession, OrderAttribution, SessionStatus
from tests.factories import (
    LONG_AGO,
    CouponFactory,
    CourseFactory,
    LiveSessionFactory,
    OperatorFactory,
    PromotionFactory,
    SessionPromotionFactory,
    ShowcaseItemFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

START = LONG_AGO
OPEN = {"starts_at": START, "ends_at": START + timedelta(days=60)}


def on_air() -> LiveSession:
    """A session that began at START, with two courses, one of them cheaper there."""
    session = LiveSessionFactory(status=SessionStatus.LIVE, started_at=START)
    for price in ("99.90", "19.90"):
        ShowcaseItemFactory(
            live_session=session,
            course=CourseFactory(seller=session.seller, list_price=Decimal(price)),
        )
    first = session.showcase.first().course
    SessionPromotionFactory(
        live_session=session,
        promotion=PromotionFactory(
            course=first, price="69.30", seats=5, seats_left=5, is_public=False, **OPEN
        ),
    )
    return session


def courses_of(session: LiveSession) -> list[int]:
    return list(session.showcase.order_by("pk").values_list("course", flat=True))


def buy(session: LiveSession, courses: list[int], *, moment=START, code="", buyer=None) -> Order:  # type: ignore[no-untyped-def]
    """An order from the session that is paid at once."""
    order = order_of(session, courses, moment=moment, code=code, buyer=buyer)
    pay(order, moment=moment)
    return order


def order_of(session: LiveSession, courses: list[int], *, moment, code="", buyer=None) -> Order:  # type: ignore[no-untyped-def]
    buyer = buyer or UserFactory()
    request = OrderRequest(courses, coupon_code=code)
    key = f"{buyer.pk}-{courses}-{moment}"
    return place_order(buyer=buyer, request=request, key=key, session=session, moment=moment)


def pay(order: Order, *, moment, outcome: str = "success") -> None:  # type: ignore[no-untyped-def]
    pay_in_sandbox(order=order, outcome=outcome, return_url="http://x/", moment=moment)
    order.refresh_from_db()


def refund(order: Order, *, n_lines: int = 99, moment) -> None:  # type: ignore[no-untyped-def]
    ids = list(order.lines.filter(refunded_at=None).values_list("pk", flat=True))[:n_lines]
    refund_lines(order=order, line_ids=ids, by=None, reason="", moment=moment)


def moved(session: LiveSession, kind: MoneyMove) -> Decimal:
    """What the ledger says of the session."""
    entries = LedgerEntry.objects.filter(
        kind=kind, order__in=OrderAttribution.objects.filter(live_session=session).values("order")
    )
    return (entries.aggregate(v=Sum("amount"))["v"] or Decimal(0)).quantize(Decimal("0.01"))


def figures_of(session: LiveSession) -> SessionFigures:
    return SessionFigures.objects.get(pk=session.pk)


@pytest.mark.parametrize("seed", range(6))
def test_gmv_is_the_charges_and_net_sales_what_refunds_leave_of_them(seed: int) -> None:
    chance = random.Random(seed)
    sessions = [on_air(), on_air()]
    codes = [CouponFactory(seller=one.seller, percent=15, **OPEN).code for one in sessions]
    orders: list[Order] = []
    moment = START
    for _step in range(30):
        moment += timedelta(minutes=chance.randint(1, 9))
        give_back_due(moment=moment)
        place = chance.randrange(2)
        deed = chance.choice(["buy", "buy", "leave", "decline", "refund"])
        if deed == "refund":
            paid = [one for one in orders if one.status == OrderStatus.PAID]
            if paid:
                chosen = chance.choice(paid)
                refund(chosen, n_lines=chance.randint(1, 2), moment=moment)
                chosen.refresh_from_db()
            continue
        courses = chance.sample(courses_of(sessions[place]), chance.randint(1, 2))
        code = codes[place] if chance.random() < 0.4 else ""
        try:
            order = order_of(sessions[place], courses, moment=moment, code=code)
        except SoldOut:
            continue
        if deed != "leave":
            pay(order, moment=moment, outcome="success" if deed == "buy" else "decline")
        orders.append(order)

    refresh_figures(now=moment)

    for session in sessions:
        figures = figures_of(session)
        assert figures.gmv == moved(session, MoneyMove.CHARGE)
        assert figures.refunded == moved(session, MoneyMove.REFUND)
        for part in ("promotions", "coupons"):
            assert sum(Decimal(one["gmv"]) for one in figures.sales[part]) == figures.gmv
            assert sum(Decimal(one["net_sales"]) for one in figures.sales[part]) == (
                figures.net_sales
            )
    assert any(figures_of(session).refunded for session in sessions)


def test_sales_are_told_apart_by_promotion_and_by_coupon() -> None:
    session = on_air()
    first, second = courses_of(session)
    coupon = CouponFactory(seller=session.seller, percent=10, **OPEN)
    both = buy(session, [first, second], code=coupon.code)
    buy(session, [second])
    refund(both, n_lines=1, moment=START)

    refresh_figures(now=START + timedelta(hours=1))

    sales = figures_of(session).sales
    promotion = session.promotions.get().promotion_id
    told = [(one["id"], one["n_orders"], one["n_buyers"]) for one in sales["promotions"]]
    assert told == [(promotion, 1, 1), (None, 2, 2)]
    assert sales["promotions"][0]["promotion_price"] == "69.30"
    assert (sales["promotions"][0]["gmv"], sales["promotions"][0]["net_sales"]) == ("62.37", "0.00")
    told = [(one["id"], one["coupon_code"], one["n_orders"]) for one in sales["coupons"]]
    assert told == [(coupon.pk, coupon.code, 1), (None, None, 1)]
    assert sales["coupons"][1]["gmv"] == "19.90"


def test_a_course_of_another_seller_in_the_order_is_not_this_sellers_sale() -> None:
    session, foreign = on_air(), CourseFactory(list_price=Decimal("50.00"))
    buy(session, [courses_of(session)[1], foreign.pk])
    ShowcaseItemFactory(live_session=session, course=foreign)
    # Shown here, sold here, and yet nothing of this seller.
    buy(session, [foreign.pk])

    refresh_figures(now=START)

    figures = figures_of(session)
    assert (figures.gmv, figures.n_orders, figures.n_buyers) == (Decimal("19.90"), 1, 1)
    assert moved(session, MoneyMove.CHARGE) == figures.gmv + 2 * foreign.list_price


def test_who_refunded_everything_has_bought_all_the_same() -> None:
    session = on_air()
    order = buy(session, courses_of(session))
    refund(order, moment=START)

    refresh_figures(now=START)

    figures = figures_of(session)
    assert (figures.n_buyers, figures.n_orders, figures.net_sales) == (1, 1, 0)
    assert figures.refunded == figures.gmv == order.total


def test_a_refund_long_after_the_session_shows_after_the_next_run() -> None:
    session = on_air()
    order = buy(session, courses_of(session))
    LiveSession.objects.filter(pk=session.pk).update(
        status=SessionStatus.ENDED, ended_at=START + timedelta(hours=2)
    )
    refresh_figures(now=START + timedelta(hours=3))
    late = START + LATE_ARRIVAL * 3
    refresh_figures(now=late)
    assert refresh_figures(now=late + timedelta(minutes=10)).n_results == 0

    refund(order, n_lines=1, moment=late + timedelta(minutes=15))
    run = refresh_figures(now=late + timedelta(minutes=20))

    assert run.n_results == 1
    assert figures_of(session).refunded == moved(session, MoneyMove.REFUND) > 0


def test_money_that_moves_elsewhere_counts_no_old_session_again(
    django_assert_max_num_queries,
) -> None:  # type: ignore[no-untyped-def]
    old = [LiveSessionFactory(ended=True) for _ in range(20)]
    late = START + LATE_ARRIVAL * 3
    refresh_figures(now=late)
    course = CourseFactory()
    order = checkout.place_order(
        buyer=UserFactory(), request=OrderRequest([course.pk]), key="k", moment=late
    )
    pay(order, moment=late)

    with django_assert_max_num_queries(30):
        run = refresh_figures(now=late + timedelta(minutes=10))

    assert run.n_results == 0
    assert not SessionFigures.objects.filter(live_session__in=old).exists()


def test_an_order_counts_from_its_payment_also_when_it_had_expired() -> None:
    session = on_air()
    order = order_of(session, [courses_of(session)[0]], moment=START)
    pay(order, moment=START, outcome="timeout")
    late = START + timedelta(hours=1)
    give_back_due(moment=late)
    refresh_figures(now=late)
    assert figures_of(session).gmv == 0

    succeed(order, moment=late)
    refresh_figures(now=late + timedelta(minutes=1))

    assert figures_of(session).gmv == order.total == moved(session, MoneyMove.CHARGE)


def test_money_that_was_not_needed_is_no_sale() -> None:
    session = on_air()
    buyer = UserFactory()
    courses = courses_of(session)[:1]
    first = order_of(session, courses, moment=START, buyer=buyer)
    pay(first, moment=START, outcome="timeout")
    late = START + timedelta(hours=1)
    give_back_due(moment=late)
    again = buy(session, courses, moment=late, buyer=buyer)

    succeed(first, moment=late)
    refresh_figures(now=late)

    assert moved(session, MoneyMove.SURPLUS) == first.total
    assert figures_of(session).gmv == again.total
    assert figures_of(session).n_orders == 1


def succeed(order: Order, *, moment) -> None:  # type: ignore[no-untyped-def]
    """The provider says, late, that the payment came."""
    payment = order.payments.get()
    result = PaymentResult(
        number=payment.number.hex,
        reference=payment.reference or "",
        outcome=Outcome.SUCCEEDED,
        amount=payment.amount,
        currency=payment.currency,
    )
    apply_result("sandbox", result, moment=moment)


def test_amounts_of_different_currencies_are_never_added() -> None:
    session = on_air()
    for _ in range(2):
        dollars = CourseFactory(seller=session.seller, list_price="10.00", currency="USD")
        buy(session, [dollars.pk])
    buy(session, [courses_of(session)[1]])

    refresh_figures(now=START)

    figures = figures_of(session)
    assert (figures.gmv, figures.currency, figures.n_orders) == (Decimal("20.00"), "USD", 3)
    told = {one["currency"]: one["gmv"] for one in figures.sales["promotions"]}
    assert told == {"USD": "20.00", "CNY": "19.90"}


def test_a_real_purchase_is_an_event_once_and_stays_one_after_a_refund() -> None:
    session = on_air()
    order = buy(session, courses_of(session))
    refused = buy(session, courses_of(session)[1:], buyer=UserFactory(is_personalised=False))
    for minutes in (1, 2, 3):
        refresh_profiles(now=START + timedelta(minutes=minutes))
    refund(order, moment=START + timedelta(minutes=4))
    refresh_profiles(now=START + timedelta(minutes=5))
    refresh_profiles(everything=True, now=START + timedelta(minutes=6))

    events = Event.objects.filter(kind=EventKind.PURCHASE)
    assert not events.filter(user=refused.buyer).exists()
    assert sorted(events.values_list("course", flat=True)) == sorted(courses_of(session))
    for event in events:
        line = order.lines.get(course=event.course_id)
        assert (event.user_id, event.live_session_id) == (order.buyer_id, session.pk)
        assert event.value == float(line.price)
        assert event.occurred_at == START


def test_an_erased_person_gets_no_purchase_events_again() -> None:
    from accounts.personal_data import erase_person
    from tests.factories import PASSWORD

    session = on_air()
    buyer = UserFactory()
    buy(session, courses_of(session), buyer=buyer)
    refresh_profiles(now=START)
    erase_person(person=buyer, password=PASSWORD)

    refresh_profiles(now=START + timedelta(minutes=5))

    assert not Event.objects.filter(user=buyer).exists()
    assert not Enrollment.objects.filter(user=buyer).exists()


def test_the_page_and_the_api_show_sales_by_offer(client) -> None:  # type: ignore[no-untyped-def]
    session = on_air()
    coupon = CouponFactory(seller=session.seller, code="ROOM<10>", **OPEN)
    order = buy(session, courses_of(session), code=coupon.code)
    refund(order, n_lines=1, moment=START)
    refresh_figures(now=START)
    client.force_login(session.seller)

    shown = client.get(f"/api/v1/seller/sessions/{session.pk}/metrics/").json()
    client.force_login(OperatorFactory())
    page = client.get(f"/admin/analytics/sessionfigures/{session.pk}/change/").content.decode()

    assert shown["refunded"] == f"{figures_of(session).refunded}"
    assert [one["promotion"] for one in shown["by_promotion"]] == [
        session.promotions.get().promotion_id,
        None,
    ]
    assert [(one["code"], one["n_orders"]) for one in shown["by_coupon"]] == [("ROOM<10>", 1)]
    assert "ROOM&lt;10&gt;" in page and "ROOM<10>" not in page
    assert session.showcase.first().course.title in page
