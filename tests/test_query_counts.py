"""Each page asks the database a fixed number of times, however many rows it shows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from catalog.models import Course
from tests.analytics.models_of import served_model
from tests.factories import (
    CategoryFactory,
    ChatMessageFactory,
    CouponFactory,
    CourseFactory,
    EnrollmentFactory,
    LessonFactory,
    LessonProgressFactory,
    LiveSessionFactory,
    ModelRunFactory,
    OrderFactory,
    PromotionFactory,
    PurchaseFactory,
    ReviewFactory,
    SectionFactory,
    SessionCouponFactory,
    SessionPromotionFactory,
    ShowcaseItemFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


class Market:
    """A course and a session, which `grow` surrounds with more of everything."""

    def __init__(self) -> None:
        self.course = CourseFactory(slug="first")
        self.session = LiveSessionFactory(live=True)
        self.run = ModelRunFactory()
        self.learner = EnrollmentFactory(course=self.course).user
        self.lesson = LessonFactory(section=SectionFactory(course=self.course))
        self.grow()

    def grow(self) -> None:
        for kind in ({}, {"live": True}, {"ended": True}):
            session = LiveSessionFactory(**kind)
            ShowcaseItemFactory(live_session=session, course=self.course)
        for _ in range(2):
            course = PromotionFactory(course__category=CategoryFactory()).course
            ShowcaseItemFactory(live_session=self.session, course=course)
            ChatMessageFactory(live_session=self.session)
            ReviewFactory(course=course)
            EnrollmentFactory(course=course)
            EnrollmentFactory(course=course, user=self.learner)
            LessonFactory(section=SectionFactory(course=course))
            section = SectionFactory(course=self.course)
            LessonFactory(section=section)
            lesson = LessonFactory(section=section)
            LessonProgressFactory(lesson=lesson, user=self.learner, completed_at=timezone.now())
            ReviewFactory(course=self.course)
            order = OrderFactory(buyer=self.learner)
            PurchaseFactory(order=order)
            PurchaseFactory(order=order)
        shown = Course.objects.exclude(pk=self.course.pk)
        everything = [self.course, *shown]
        self.run = served_model(
            everything,
            after={0: dict.fromkeys(range(1, len(everything)), 1.0)},
            popular=[0.0, *(1.0 for _ in shown)],
        )

    def paths(self) -> dict[str, str]:
        return {
            "home": "/",
            "courses": "/courses/",
            "course": reverse("catalog:course_detail", args=[self.course.slug]),
            "sessions": "/live/",
            "session": reverse("streams:session_detail", args=[self.session.pk]),
            "account": "/account/",
            "learn": "/learn/",
            "lesson": reverse("catalog:lesson", args=[self.course.slug, self.lesson.pk]),
            "orders": "/orders/",
        }


def n_queries(ask: Callable[[], object]) -> int:
    cache.clear()
    with CaptureQueriesContext(connection) as asked:
        ask()
    return len(asked)


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("home", 20),
        ("courses", 10),
        ("course", 22),
        ("sessions", 10),
        ("session", 15),
        ("account", 10),
        ("learn", 8),
        ("lesson", 10),
        ("orders", 8),
    ],
)
def test_more_rows_do_not_cost_more_queries(client, name, most) -> None:
    market = Market()
    client.force_login(market.learner)
    address = market.paths()[name]
    few = n_queries(lambda: client.get(address))

    for _ in range(3):
        market.grow()
    many = n_queries(lambda: client.get(address))

    assert many <= few <= most


def put_into_cart(client, n: int) -> None:
    for _ in range(n):
        course = PromotionFactory().course
        client.post("/cart/add/", {"course": course.pk, "then": "buy"})


def test_more_courses_in_the_cart_do_not_cost_more_queries(client) -> None:
    client.force_login(UserFactory())
    put_into_cart(client, 1)
    few = n_queries(lambda: client.get("/cart/"))

    put_into_cart(client, 6)
    many = n_queries(lambda: client.get("/cart/"))

    assert many <= few <= 14


def test_more_lines_do_not_cost_an_order_page_more_queries(client) -> None:
    order = OrderFactory()
    client.force_login(order.buyer)
    PurchaseFactory(order=order)
    address = reverse("catalog:order", args=[order.public_id])
    few = n_queries(lambda: client.get(address))

    for _ in range(5):
        PurchaseFactory(order=order)
    many = n_queries(lambda: client.get(address))

    assert many <= few <= 11


@pytest.mark.parametrize(
    ("n_courses", "places", "pays", "lists"), [(1, 10, 24, 3), (8, 10 + 7 * 2, 24 + 7, 3)]
)
def test_buying_asks_a_known_number_of_times(n_courses, places, pays, lists) -> None:
    """Each course of an order costs so many questions; nothing else that there is does."""
    client = APIClient()
    client.force_authenticate(UserFactory())
    courses = [PromotionFactory(seats=9, seats_left=9).course for _ in range(n_courses)]
    made: list[dict] = []

    def place() -> None:
        body = {"items": [course.pk for course in courses]}
        response = client.post("/api/v1/orders/", body, headers={"Idempotency-Key": "k"})
        made.append(response.json())

    def pay() -> None:
        body = {"provider": "sandbox", "outcome": "success"}
        client.post(f"/api/v1/orders/{made[0]['id']}/pay/", body)

    counts = (n_queries(place), n_queries(pay), n_queries(lambda: client.get("/api/v1/orders/")))

    for count, most in zip(counts, (places, pays, lists), strict=True):
        assert count <= most
    assert client.get("/api/v1/orders/").json()["results"][0]["status"] == "paid"


def test_more_of_everything_does_not_cost_a_control_desk_more_queries(client) -> None:
    session = LiveSessionFactory(live=True)
    client.force_login(session.seller)

    def grow() -> None:
        for _ in range(2):
            course = PromotionFactory(course__seller=session.seller).course
            ShowcaseItemFactory(live_session=session, course=course)
            CourseFactory(seller=session.seller)
            SessionPromotionFactory(live_session=session, promotion__course=course)
            SessionCouponFactory(live_session=session, coupon__seller=session.seller)
            CouponFactory(seller=session.seller)

    grow()
    paths = {
        name: reverse(f"streams:{name}", args=[session.pk])
        for name in ("desk", "desk_showcase", "desk_offers")
    }
    few = {name: n_queries(lambda path=path: client.get(path)) for name, path in paths.items()}

    for _ in range(3):
        grow()
    many = {name: n_queries(lambda path=path: client.get(path)) for name, path in paths.items()}

    assert many == few
    for name, most in {"desk": 22, "desk_showcase": 10, "desk_offers": 9}.items():
        assert few[name] <= most, name
