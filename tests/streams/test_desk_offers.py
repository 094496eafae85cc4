"""Offers made while live: their limits, their end, and who is written down as their maker."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from catalog.models import Coupon, Course, Promotion
from catalog.new_coupons import CodeTaken, WrongReduction
from catalog.pricing import current_price
from catalog.promotions import NotBelowListPrice
from streams.desk_offers import (
    CouponNotToHandOut,
    NotLowerThanNow,
    NotOnOfferHere,
    OfferRunning,
    OnlyWhileLive,
    WrongLength,
    end_promotion,
    hand_out_coupon,
    hand_out_new_coupon,
    start_promotion,
    stop_coupon,
)
from streams.live_orders import coupons_of_room, promotions_of_room
from streams.models import LiveSession, Room, SessionPromotion
from tests.factories import (
    CouponFactory,
    CourseFactory,
    LiveSessionFactory,
    PromotionFactory,
    SessionCouponFactory,
    SessionPromotionFactory,
    ShowcaseItemFactory,
)

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def session() -> LiveSession:
    """One that is live and shows one course for 100.00."""
    session = LiveSessionFactory(live=True)
    ShowcaseItemFactory(live_session=session, course__seller=session.seller)
    return session


def start(session: LiveSession, **given: object) -> SessionPromotion:
    wanted = {
        "course_id": session.showcase.first().course_id,
        "price": Decimal("70.00"),
        "minutes": 10,
        "seats": None,
        "by": session.seller,
        "moment": NOW,
        **given,
    }
    return start_promotion(session.pk, wanted.pop("course_id"), **wanted)


def make_coupon(session: LiveSession, **given: object) -> Coupon:
    wanted = {
        "kind": "percent",
        "percent": 20,
        "amount": None,
        "max_uses": 50,
        "minutes": 10,
        "by": session.seller,
        "moment": NOW,
        **given,
    }
    return hand_out_new_coupon(session.pk, **wanted).coupon


def version_of(session: LiveSession) -> int:
    return Room.objects.filter(pk=session.pk).values_list("version", flat=True).first() or 0


def test_a_promotion_holds_in_its_session_alone_until_its_minutes_are_over(session) -> None:
    promotion = start(session, seats=50).promotion

    course = session.showcase.get().course
    here = {"also": promotions_of_room(session)}
    assert (promotion.seats, promotion.seats_left, promotion.is_public) == (50, 50, False)
    assert current_price(course, moment=NOW, **here).amount == Decimal("70.00")
    assert current_price(course, moment=NOW).amount == Decimal("100.00")
    over = NOW + timedelta(minutes=10)
    assert current_price(course, moment=over, **here).amount == Decimal("100.00")


def test_the_history_says_who_started_and_who_ended_a_promotion(session) -> None:
    operator = LiveSessionFactory().seller
    promotion = start(session).promotion

    end_promotion(session.pk, promotion.pk, by=operator, moment=NOW + timedelta(minutes=3))

    made = [(one.history_type, one.history_user_id) for one in promotion.history.all()]
    assert made == [("~", operator.pk), ("+", session.seller_id)]
    promotion.refresh_from_db()
    assert promotion.ends_at == NOW + timedelta(minutes=3)


def test_a_promotion_that_is_ended_at_once_still_lasted_for_some_time(session) -> None:
    promotion = start(session).promotion

    end_promotion(session.pk, promotion.pk, by=session.seller, moment=NOW)

    promotion.refresh_from_db()
    assert promotion.starts_at < promotion.ends_at < NOW + timedelta(seconds=1)


def test_ending_a_promotion_takes_no_seat_back(session) -> None:
    promotion = start(session, seats=5).promotion
    Promotion.objects.filter(pk=promotion.pk).update(seats_left=2)

    end_promotion(session.pk, promotion.pk, by=session.seller, moment=NOW + timedelta(minutes=1))

    promotion.refresh_from_db()
    assert (promotion.seats, promotion.seats_left) == (5, 2)


def test_a_promotion_of_another_session_is_not_ended_from_here(session) -> None:
    other = SessionPromotionFactory().promotion

    end_promotion(session.pk, other.pk, by=session.seller, moment=NOW)

    assert Promotion.objects.running_at(NOW).filter(pk=other.pk).exists()


def test_one_course_has_one_promotion_at_a_time_here(session) -> None:
    first = start(session)

    with pytest.raises(OfferRunning):
        start(session, price=Decimal(50))

    end_promotion(session.pk, first.promotion_id, by=session.seller, moment=NOW)
    assert start(session, price=Decimal(50), moment=NOW + timedelta(seconds=2))


def test_a_promotion_is_below_what_everybody_pays(session) -> None:
    with pytest.raises(NotBelowListPrice):
        start(session, price=Decimal(100))

    PromotionFactory(course=session.showcase.get().course, price=Decimal(60))
    with pytest.raises(NotLowerThanNow):
        start(session, price=Decimal(60))
    assert start(session, price=Decimal("59.99"))


def test_what_no_promotion_can_hold_is_refused(session) -> None:
    for wrong in (Decimal(-1), Decimal("9.999")):
        with pytest.raises(ValidationError):
            start(session, price=wrong)
    for wrong in (0, 24 * 60 + 1):
        with pytest.raises(WrongLength):
            start(session, minutes=wrong)
    assert not Promotion.objects.exists()
    assert version_of(session) == 0


def test_only_what_is_shown_and_on_sale_is_offered(session) -> None:
    not_shown = CourseFactory(seller=session.seller)
    archived = ShowcaseItemFactory(live_session=session, course__status="archived").course

    for course in (not_shown, archived):
        with pytest.raises(NotOnOfferHere):
            start(session, course_id=course.pk)


@pytest.mark.parametrize("status", ["draft", "scheduled", "ended"])
def test_offers_are_made_while_live_alone(session, status) -> None:
    coupon = CouponFactory(seller=session.seller)
    LiveSession.objects.filter(pk=session.pk).update(status=status, ended_at=NOW)

    for offer in (
        lambda: start(session),
        lambda: make_coupon(session),
        lambda: hand_out_coupon(session.pk, coupon.pk, minutes=None, by=session.seller, moment=NOW),
    ):
        with pytest.raises(OnlyWhileLive):
            offer()


def test_a_coupon_of_the_seller_is_handed_out_once_and_stopped(session) -> None:
    coupon = CouponFactory(seller=session.seller)
    for _ in range(2):
        hand_out_coupon(session.pk, coupon.pk, minutes=None, by=session.seller, moment=NOW)
    assert coupons_of_room(session, moment=NOW) == [coupon]

    before = version_of(session)
    stop_coupon(session.pk, coupon.pk)

    assert coupons_of_room(session, moment=NOW) == []
    assert version_of(session) == before + 1
    assert Coupon.objects.running_at(NOW).filter(pk=coupon.pk).exists()


def test_minutes_bring_the_end_of_a_coupon_forward_and_never_put_it_off(session) -> None:
    long = CouponFactory(seller=session.seller)
    short = CouponFactory(seller=session.seller, ends_at=NOW + timedelta(minutes=5))

    for coupon in (long, short):
        hand_out_coupon(session.pk, coupon.pk, minutes=10, by=session.seller, moment=NOW)
        coupon.refresh_from_db()

    assert long.ends_at == NOW + timedelta(minutes=10)
    assert short.ends_at == NOW + timedelta(minutes=5)
    assert long.history.first().history_user_id == session.seller_id


def test_a_coupon_of_another_a_spent_and_a_finished_one_are_not_handed_out(session) -> None:
    others = CouponFactory()
    spent = CouponFactory(seller=session.seller, max_uses=3, n_used=3)
    finished = CouponFactory(seller=session.seller, ends_at=NOW - timedelta(minutes=1))

    for coupon in (others, spent, finished):
        with pytest.raises(CouponNotToHandOut):
            hand_out_coupon(session.pk, coupon.pk, minutes=None, by=session.seller, moment=NOW)


def test_a_coupon_is_made_on_the_spot(session) -> None:
    coupon = make_coupon(session)

    assert coupons_of_room(session, moment=NOW) == [coupon]
    assert (coupon.seller, coupon.percent, coupon.max_uses) == (session.seller, 20, 50)
    assert (coupon.per_user_limit, coupon.ends_at) == (1, NOW + timedelta(minutes=10))
    assert len(coupon.code) == 8
    (record,) = coupon.history.all()
    assert record.history_user_id == session.seller_id


def test_an_amount_is_in_the_currency_of_what_is_shown(session) -> None:
    Course.objects.update(currency="USD")

    coupon = make_coupon(session, kind="amount", percent=None, amount=Decimal("5.00"), code="FIVE")

    assert (coupon.code, coupon.amount, coupon.currency) == ("FIVE", Decimal("5.00"), "USD")


def test_a_coupon_takes_off_one_thing_and_has_a_code_of_its_own(session) -> None:
    make_coupon(session, code="Tonight")

    with pytest.raises(CodeTaken):
        make_coupon(session, code="TONIGHT")
    for wrong in (
        {"percent": None},
        {"percent": 0},
        {"amount": Decimal(5)},
        {"kind": "amount", "percent": None, "amount": Decimal(0)},
    ):
        with pytest.raises(WrongReduction):
            make_coupon(session, **wrong)
    with pytest.raises(ValidationError):
        make_coupon(session, percent=101)
    assert Coupon.objects.count() == 1


def test_a_coupon_handed_out_elsewhere_is_not_stopped_from_here(session) -> None:
    other = SessionCouponFactory()

    stop_coupon(session.pk, other.coupon_id)

    assert other.live_session.coupons.count() == 1


def test_a_press_that_was_made_before_and_heard_after_another_starts_no_second_offer(
    session,
) -> None:
    start(session, moment=NOW + timedelta(seconds=2))

    with pytest.raises(OfferRunning):
        start(session, moment=NOW)
