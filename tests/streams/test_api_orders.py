"""Orders that come from a live session, and the coupons handed out there."""

from __future__ import annotations

from decimal import Decimal

import pytest
from rest_framework.response import Response
from rest_framework.test import APIClient

from catalog.models import CouponClaim, Order
from streams.models import LiveSession, OrderAttribution
from tests.factories import (
    CouponFactory,
    CourseFactory,
    LiveSessionFactory,
    SessionCouponFactory,
    SessionPromotionFactory,
    ShowcaseItemFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


@pytest.fixture
def client() -> APIClient:
    client = APIClient()
    client.force_authenticate(UserFactory())
    return client


def order(client: APIClient, session: LiveSession | int | None, *courses, key="k") -> Response:
    pk = session.pk if isinstance(session, LiveSession) else session
    body = {"items": [one.pk for one in courses], "live_session": pk}
    return client.post("/api/v1/orders/", body, headers={"Idempotency-Key": key})


def refusal(response: Response) -> tuple[int, str, str | None]:
    (error,) = response.json()["errors"]
    return response.status_code, error["code"], error["attr"]


def room_with_promotion() -> SessionPromotionFactory:
    held = SessionPromotionFactory(live_session=LiveSessionFactory(live=True))
    ShowcaseItemFactory(live_session=held.live_session, course=held.promotion.course)
    return held


def test_a_promotion_of_the_room_holds_there_alone_and_the_order_counts_to_it(client) -> None:
    held = room_with_promotion()
    course, session = held.promotion.course, held.live_session
    body = {"items": [course.pk], "live_session": session.pk}

    quoted = client.post("/api/v1/orders/quote/", body).json()
    elsewhere = client.post("/api/v1/orders/quote/", {"items": [course.pk]}).json()
    answer = order(client, session, course).json()

    assert quoted["total"] == answer["total"] == "60.00"
    assert elsewhere["total"] == "100.00"
    attribution = OrderAttribution.objects.get()
    assert str(attribution.order.public_id) == answer["id"]
    assert attribution.live_session == session


def test_after_the_end_the_order_counts_to_the_room_at_the_usual_price(client) -> None:
    held = room_with_promotion()
    LiveSession.objects.update(status="ended", ended_at=held.live_session.scheduled_at)

    assert order(client, held.live_session, held.promotion.course).json()["total"] == "100.00"
    assert OrderAttribution.objects.count() == 1


def test_a_room_that_has_not_begun_or_shows_nothing_of_it_is_refused(client) -> None:
    course = CourseFactory()
    scheduled = LiveSessionFactory(seller=course.seller)
    stranger = LiveSessionFactory(live=True)
    hidden = LiveSessionFactory(draft=True, seller=course.seller)

    for session in (scheduled, stranger, hidden, 9_999_999):
        assert refusal(order(client, session, course)) == (400, "not_from_there", "live_session")
    assert not Order.objects.exists()
    assert not OrderAttribution.objects.exists()


@pytest.mark.parametrize("wrong", ["x", 0, -1, 2**63, True, [1], 1.5])
def test_what_is_no_id_of_a_room_is_a_fault_of_the_field(client, wrong) -> None:
    body = {"items": [CourseFactory().pk], "live_session": wrong}

    response = client.post("/api/v1/orders/", body, headers={"Idempotency-Key": "k"})

    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == "live_session"


def test_the_room_is_part_of_the_request_that_a_key_stands_for(client) -> None:
    course = CourseFactory()
    session = LiveSessionFactory(live=True, seller=course.seller)
    first = order(client, session, course).json()

    assert order(client, session, course).json() == first
    assert refusal(order(client, None, course)) == (422, "idempotency_key_reused", None)


def test_a_refused_order_is_attributed_to_nothing(client) -> None:
    held = room_with_promotion()
    type(held.promotion).objects.update(seats=0, seats_left=0)

    assert refusal(order(client, held.live_session, held.promotion.course))[1] == "sold_out"
    assert not OrderAttribution.objects.exists()


def test_a_coupon_that_a_room_hands_out_is_listed_taken_once_and_used(client) -> None:
    handed_out = SessionCouponFactory()
    coupon, session = handed_out.coupon, handed_out.live_session
    CouponFactory(seller=coupon.seller)
    address = f"/api/v1/live-sessions/{session.pk}/coupons/"

    (before,) = client.get(address).json()
    taken = [client.put(f"{address}{coupon.pk}/").json() for _ in range(2)]
    (after,) = client.get(address).json()

    assert (before["code"], before["is_claimed"]) == (coupon.code, False)
    assert taken == [after, after]
    assert after["is_claimed"] is True
    assert CouponClaim.objects.count() == 1


def test_a_coupon_of_another_room_or_of_one_that_is_over_is_not_taken(client) -> None:
    handed_out, other = SessionCouponFactory(), SessionCouponFactory()
    address = f"/api/v1/live-sessions/{handed_out.live_session_id}/coupons/"

    assert client.put(f"{address}{other.coupon_id}/").status_code == 404
    LiveSession.objects.filter(pk=handed_out.live_session_id).update(status="draft")
    assert client.get(address).status_code == 404
    LiveSession.objects.filter(pk=handed_out.live_session_id).update(
        status="ended", ended_at=handed_out.coupon.ends_at
    )
    assert client.get(address).json() == []
    gone = client.put(f"{address}{handed_out.coupon_id}/")
    assert refusal(gone) == (400, "coupon_not_running", "coupon")
    assert not CouponClaim.objects.exists()


def test_a_used_up_coupon_is_not_taken(client) -> None:
    handed_out = SessionCouponFactory(coupon__max_uses=1, coupon__n_used=1)
    address = f"/api/v1/live-sessions/{handed_out.live_session_id}/coupons/"

    response = client.put(f"{address}{handed_out.coupon_id}/")

    assert refusal(response) == (409, "coupon_spent", None)
    assert handed_out.coupon.spent == Decimal(0)
