"""The control desk: who may use it, what each press does, and what a refusal looks like."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.models import Coupon, Course, Promotion
from streams import desk_urls
from streams.desk import desk_items, next_to_pin
from streams.models import LiveSession, SessionStatus
from tests.factories import (
    CouponFactory,
    CourseFactory,
    LiveSessionFactory,
    OperatorFactory,
    SellerFactory,
    SessionCouponFactory,
    SessionPromotionFactory,
    ShowcaseItemFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def session() -> LiveSession:
    """A live one with two courses in its showcase."""
    session = LiveSessionFactory(live=True)
    for _ in range(2):
        ShowcaseItemFactory(live_session=session, course__seller=session.seller)
    return session


@pytest.fixture
def client() -> Client:
    """A browser in English."""
    return Client(headers={"Accept-Language": "en"})


@pytest.fixture
def desk(client, session) -> Client:
    """The browser of its seller."""
    client.force_login(session.seller)
    return client


def courses_of(session: LiveSession) -> list[int]:
    return list(session.showcase.values_list("course", flat=True))


def pinned_course(session: LiveSession) -> int | None:
    return LiveSession.objects.values_list("pinned__course", flat=True).get(pk=session.pk)


def address(name: str, session: LiveSession, *more: int) -> str:
    return reverse(f"streams:{name}", args=[session.pk, *more])


# --- Who ---


def every_address(session: LiveSession) -> dict[str, str]:
    parts = {
        "desk_end_promotion": SessionPromotionFactory(live_session=session).promotion_id,
        "desk_stop_coupon": SessionCouponFactory(live_session=session).coupon_id,
    }
    names = [pattern.name for pattern in desk_urls.urlpatterns]
    return {
        name: address(name, session, *([parts[name]] if name in parts else [])) for name in names
    }


def test_nobody_but_the_seller_and_operators_knows_of_a_desk(session) -> None:
    strangers = [None, UserFactory(), SellerFactory(), SellerFactory(is_active=False)]
    before = LiveSession.objects.values().get(pk=session.pk)
    reads = {"desk", "desk_showcase", "desk_offers"}

    for person in strangers:
        browser = Client()
        if person:
            browser.force_login(person)
        for name, path in every_address(session).items():
            ask = browser.get if name in reads else browser.post
            assert ask(path, {"course": courses_of(session)[0]}).status_code == 404, name

    assert LiveSession.objects.values().get(pk=session.pk) == before


def test_what_changes_something_is_asked_by_post_with_a_token(session) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(session.seller)

    for name, path in every_address(session).items():
        if name in ("desk", "desk_showcase", "desk_offers"):
            assert browser.get(path).status_code == 200, name
            assert browser.post(path).status_code in (403, 405), name
        else:
            assert browser.get(path).status_code == 405, name
            assert browser.post(path).status_code == 403, name


def test_an_operator_has_every_desk(client, session) -> None:
    client.force_login(OperatorFactory())

    assert client.get(address("desk", session)).status_code == 200
    assert client.get(address("desk", LiveSessionFactory(draft=True))).status_code == 200


def test_a_desk_is_kept_by_no_cache(desk, session) -> None:
    answer = desk.get(address("desk", session))

    assert "no-store" in answer.headers["Cache-Control"]


def test_the_pages_of_a_session_lead_its_seller_to_the_desk_and_nobody_else(session) -> None:
    for person, is_led in ((session.seller, True), (SellerFactory(), False), (None, False)):
        browser = Client()
        if person:
            browser.force_login(person)
        for page in (reverse("streams:session_detail", args=[session.pk]), "/live/"):
            assert (address("desk", session) in browser.get(page).text) is is_led


# --- Starting, ending, afterwards ---


@pytest.mark.parametrize("status", ["draft", "scheduled"])
def test_a_planned_session_is_started_by_one_button(client, status) -> None:
    session = LiveSessionFactory(status=status)
    client.force_login(session.seller)
    assert address("desk_start", session) in client.get(address("desk", session)).text

    answer = client.post(address("desk_start", session))

    assert answer.headers["Location"] == address("desk", session)
    session.refresh_from_db()
    assert session.status == SessionStatus.LIVE
    assert session.changes.get().changed_by == session.seller
    page = client.get(address("desk", session)).text
    assert address("desk_start", session) not in page
    assert address("desk_end", session) in page


def test_a_session_ends_and_its_desk_is_the_report(desk, session) -> None:
    desk.post(address("desk_end", session))

    session.refresh_from_db()
    assert session.status == SessionStatus.ENDED
    page = desk.get(address("desk", session)).text
    assert address("desk_end", session) not in page
    assert address("desk_promote", session) not in page
    assert address("desk_replay", session) in page


def test_a_replay_is_published_and_taken_away(client) -> None:
    session = LiveSessionFactory(ended=True)
    client.force_login(session.seller)

    client.post(address("desk_replay", session))
    session.refresh_from_db()
    assert session.status == SessionStatus.REPLAY

    client.post(address("desk_withdraw_replay", session))
    session.refresh_from_db()
    assert session.status == SessionStatus.ENDED


def test_what_cannot_be_done_any_more_is_told(client) -> None:
    session = LiveSessionFactory(ended=True)
    client.force_login(session.seller)

    answer = client.post(address("desk_end", session), follow=True)

    assert "cannot be ended" in answer.text


# --- The showcase ---


def test_a_press_pins_and_another_unpins(desk, session) -> None:
    first, second = courses_of(session)

    answer = desk.post(address("desk_pin", session), {"course": second}, headers=HTMX)

    assert answer.status_code == 200
    assert pinned_course(session) == second
    assert 'id="desk-showcase"' in answer.text
    assert 'hx-swap-oob="outerMorph"' in answer.text
    desk.post(address("desk_unpin", session), headers=HTMX)
    assert pinned_course(session) is None
    assert first in courses_of(session)


def test_without_script_a_press_leads_back_to_the_desk(desk, session) -> None:
    (first, _) = courses_of(session)

    answer = desk.post(address("desk_pin", session), {"course": first})

    assert answer.headers["Location"] == address("desk", session)
    assert pinned_course(session) == first


def test_what_is_refused_is_told_beside_what_holds_now(desk, session) -> None:
    gone = CourseFactory(seller=session.seller)

    answer = desk.post(address("desk_pin", session), {"course": gone.pk}, headers=HTMX)
    page = desk.post(address("desk_pin", session), {"course": gone.pk}, follow=True)

    assert answer.status_code == 409
    for shown in (answer.text, page.text):
        assert "not in the showcase any more" in shown
        assert 'id="desk-showcase"' in shown


@pytest.mark.parametrize("course", ["", "x", "0", "-1", str(10**30)])
def test_what_no_page_sends_is_refused_in_words(desk, session, course) -> None:
    for name in ("desk_pin", "desk_add", "desk_remove"):
        answer = desk.post(address(name, session), {"course": course}, headers=HTMX)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text


def test_the_order_is_taken_from_the_page(desk, session) -> None:
    first, second = courses_of(session)

    desk.post(address("desk_order", session), {"order": [second, first]}, headers=HTMX)

    assert courses_of(session) == [second, first]


@pytest.mark.parametrize(
    ("step", "order"), [(2, [0, 1, 2]), (-2, [0, 2, 1]), (1, [0, 2, 1]), (-1, [1, 0, 2])]
)
def test_without_script_a_button_moves_one_course(desk, session, step, order) -> None:
    ShowcaseItemFactory(live_session=session, course__seller=session.seller)
    before = courses_of(session)
    course = before[abs(step)]

    sent = {"order": before, "step": -course if step < 0 else course}
    desk.post(address("desk_order", session), sent)

    assert courses_of(session) == [before[place] for place in order]


def test_orders_that_no_page_sends_change_nothing(desk, session) -> None:
    before = courses_of(session)
    others = ShowcaseItemFactory()

    for order in (["x", "٣", "-1", "9" * 40], [others.course_id], []):
        assert desk.post(address("desk_order", session), {"order": order}).status_code == 302
    assert courses_of(session) == before


def test_a_course_is_added_from_the_list_and_taken_out(desk, session) -> None:
    course = CourseFactory(seller=session.seller, title="Not shown yet")
    assert "Not shown yet" in desk.get(address("desk", session)).text

    desk.post(address("desk_add", session), {"course": course.pk}, headers=HTMX)
    assert course.pk in courses_of(session)

    desk.post(address("desk_remove", session), {"course": course.pk}, headers=HTMX)
    assert course.pk not in courses_of(session)


def test_only_the_sellers_own_courses_are_offered_to_be_added(desk, session) -> None:
    CourseFactory(title="Of somebody else")
    CourseFactory(title="A draft", seller=session.seller, status="draft", published_at=None)

    page = desk.get(address("desk", session)).text

    assert "Of somebody else" not in page
    assert "A draft" not in page


def test_the_next_to_pin_follows_the_pinned_one_and_begins_again(session) -> None:
    def following() -> int | None:
        item = next_to_pin(desk_items(session, moment=timezone.now()))
        return item.course.pk if item else None

    first, second = courses_of(session)
    assert following() == first
    for pinned, expected in ((first, second), (second, first)):
        session.pinned = session.showcase.get(course=pinned)
        assert following() == expected

    Course.objects.filter(pk=first).update(status="archived")
    assert following() is None


# --- Offers ---


def test_a_promotion_is_started_and_ended(desk, session) -> None:
    (first, _) = courses_of(session)
    sent = {"course": first, "price": "59.90", "minutes": "15", "seats": "20"}

    answer = desk.post(address("desk_promote", session), sent, headers=HTMX)

    assert answer.status_code == 200
    promotion = Promotion.objects.get()
    assert (promotion.price, promotion.seats) == (Decimal("59.90"), 20)
    assert promotion.ends_at - promotion.starts_at == timedelta(minutes=15)
    assert promotion.history.get().history_user == session.seller
    assert "¥59.90" in answer.text

    answer = desk.post(address("desk_end_promotion", session, promotion.pk), headers=HTMX)
    assert "¥59.90" not in answer.text


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        ({"price": "100"}, 409, "below the list price"),
        ({"price": "-1"}, 422, "Price"),
        ({"price": "NaN"}, 422, "Price"),
        ({"price": "1e9"}, 422, "Price"),
        ({"price": "9.999"}, 422, "Price"),
        ({"minutes": "0"}, 422, "Minutes"),
        ({"seats": "0"}, 422, "Seats"),
        ({"seats": str(10**12)}, 422, "Seats"),
    ],
)
def test_a_wrong_promotion_is_told_with_its_field(desk, session, sent, status, words) -> None:
    given = {"course": courses_of(session)[0], "price": "50", "minutes": "10", **sent}

    answer = desk.post(address("desk_promote", session), given, headers=HTMX)

    assert answer.status_code == status
    assert words in answer.text
    assert not Promotion.objects.exists()


def test_a_coupon_is_handed_out_made_and_stopped(desk, session) -> None:
    own = CouponFactory(seller=session.seller, code="MINE")
    CouponFactory(code="THEIRS")
    page = desk.get(address("desk", session)).text
    assert "MINE" in page
    assert "THEIRS" not in page

    desk.post(address("desk_hand_out", session), {"coupon": own.pk}, headers=HTMX)
    sent = {"kind": "amount", "value": "12.50", "minutes": "5", "code": "NOW", "max_uses": "9"}
    desk.post(address("desk_new_coupon", session), sent, headers=HTMX)

    handed_out = set(session.coupons.values_list("coupon__code", flat=True))
    assert handed_out == {"MINE", "NOW"}
    made = Coupon.objects.get(code="NOW")
    assert (made.amount, made.percent, made.max_uses) == (Decimal("12.50"), None, 9)

    desk.post(address("desk_stop_coupon", session, own.pk), headers=HTMX)
    assert session.coupons.get().coupon == made


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"value": "0"}, 409),
        ({"value": "10.5"}, 422),
        ({"value": "101"}, 422),
        ({"value": "NaN"}, 422),
        ({"kind": "gift"}, 422),
        ({"code": "TAKEN"}, 409),
        ({"code": "X" * 33}, 422),
        ({"minutes": "1441"}, 422),
    ],
)
def test_a_wrong_coupon_is_refused_in_words(desk, session, sent, status) -> None:
    CouponFactory(code="taken")
    given = {"kind": "percent", "value": "10", "minutes": "10", **sent}

    answer = desk.post(address("desk_new_coupon", session), given, headers=HTMX)

    assert answer.status_code == status
    assert 'role="alert"' in answer.text
    assert Coupon.objects.count() == 1


def test_before_the_start_nothing_is_offered(client) -> None:
    session = LiveSessionFactory()
    client.force_login(session.seller)

    answer = client.post(
        address("desk_promote", session),
        {"course": CourseFactory(seller=session.seller).pk, "price": "1", "minutes": "1"},
        headers=HTMX,
    )

    assert answer.status_code == 409
    assert address("desk_promote", session) not in client.get(address("desk", session)).text
