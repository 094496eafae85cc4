"""Courses and reviews through the API."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from catalog.models import Review
from tests.factories import (
    LONG_AGO,
    CategoryFactory,
    CourseFactory,
    EnrollmentFactory,
    LessonFactory,
    PromotionFactory,
    ReviewFactory,
    SectionFactory,
    SellerFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db
COURSES = "/api/v1/courses/"


@pytest.fixture
def api() -> APIClient:
    return APIClient()


def walk(api: APIClient, address: str) -> list[int]:
    """The ids of all pages, forwards; and the same backwards."""
    forwards, pages = [], []
    following: str | None = address
    while following:
        page = api.get(following).json()
        pages.append([row["id"] for row in page["results"]])
        forwards += pages[-1]
        last, following = page, page["next"]
    backwards = [[row["id"] for row in last["results"]]]
    while last["previous"]:
        last = api.get(last["previous"]).json()
        backwards.append([row["id"] for row in last["results"]])
    assert backwards == pages[::-1]
    return forwards


def test_a_course_shows_its_price_now_as_decimal_text_with_currency(api: APIClient) -> None:
    course = CourseFactory(list_price=Decimal("100.00"), tags=["vim"])
    promotion = PromotionFactory(course=course, price=Decimal("60.50"), seats=5, seats_left=2)
    ReviewFactory(course=course, rating=5)

    (shown,) = api.get(COURSES).json()["results"]

    assert (shown["list_price"], shown["price"], shown["currency"]) == ("100.00", "60.50", "CNY")
    assert shown["price_ends_at"] == timezone.localtime(promotion.ends_at).isoformat()
    assert (shown["seats_left"], shown["rating_mean"], shown["n_ratings"]) == (2, 5.0, 1)
    assert shown["seller"] == {"id": course.seller_id, "display_name": course.seller.display_name}
    assert shown["cover"].startswith("http://testserver/courses/")
    assert api.get(shown["cover"]).status_code == 200


def test_filters_narrow_the_list(api: APIClient) -> None:
    art = CategoryFactory(slug="art")
    wanted = CourseFactory(
        title="Ink painting", category=art, level=2, kind="ebook", language="en", list_price=30
    )
    CourseFactory()

    for query in (
        {"q": "ink"},
        {"category": "art"},
        {"level": 2},
        {"kind": "ebook"},
        {"language": "en"},
        {"price_max": 50},
    ):
        shown = api.get(COURSES, query).json()["results"]
        assert [row["id"] for row in shown] == [wanted.pk], query


@pytest.mark.parametrize(
    "query,attr",
    [
        ({"category": "nothing"}, "category"),
        ({"level": 9}, "level"),
        ({"kind": "film"}, "kind"),
        ({"sort": "random"}, "sort"),
        ({"price_min": "x"}, "price_min"),
        ({"price_min": 9, "price_max": 3}, "price_max"),
        ({"q": "x" * 101}, "q"),
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "many"}, "limit"),
    ],
)
def test_a_filter_that_makes_no_sense_is_named(api: APIClient, query: dict, attr: str) -> None:
    response = api.get(COURSES, query)

    assert response.status_code == 400
    assert [error["attr"] for error in response.json()["errors"]] == [attr]


@pytest.mark.mariadb
@pytest.mark.parametrize("sort", ["newest", "popular", "rating", "price", "price-desc"])
def test_pages_hold_each_course_once_in_order_also_among_equals(api: APIClient, sort: str) -> None:
    seller = SellerFactory()
    courses = [
        CourseFactory(
            seller=seller,
            list_price=Decimal(n % 3),
            published_at=LONG_AGO + timedelta(microseconds=n % 2),
        )
        for n in range(9)
    ]
    for course, ratings in ((courses[2], [5, 4, 4]), (courses[5], [4]), (courses[7], [1, 2, 2])):
        for rating in ratings:
            ReviewFactory(course=course, rating=rating)
    EnrollmentFactory(course=courses[4])
    PromotionFactory(course=courses[8], price=Decimal("0.50"))

    in_one = [row["id"] for row in api.get(COURSES, {"sort": sort}).json()["results"]]
    by_two = walk(api, f"{COURSES}?sort={sort}&limit=2")

    assert by_two == in_one
    assert sorted(by_two) == [course.pk for course in courses]


def test_a_course_that_comes_meanwhile_moves_no_page(api: APIClient) -> None:
    courses = [
        CourseFactory(published_at=LONG_AGO + timedelta(days=n), title=f"{n}") for n in range(4)
    ]
    first = api.get(COURSES, {"limit": 2}).json()
    CourseFactory(published_at=timezone.now())

    second = api.get(first["next"]).json()

    assert [row["id"] for row in second["results"]] == [courses[1].pk, courses[0].pk]
    assert second["next"] is None


@pytest.mark.parametrize(
    "cursor",
    [
        *("x", "e30=", "WzEsWzFdXQ==", "é", "W2ZhbHNlLFsiMSIsIDFdXQ=="),
        # The first and the last hours of the calendar, in zones where UTC has no such time.
        "W2ZhbHNlLFsiMDAwMS0wMS0wMVQwMDowMDowMCsyMzo1OSIsMV1d",
        "W2ZhbHNlLFsiOTk5OS0xMi0zMVQyMzo1OTo1OS0yMzo1OSIsMV1d",
    ],
)
def test_a_cursor_that_somebody_edited_is_no_page(api: APIClient, cursor: str) -> None:
    response = api.get(COURSES, {"cursor": cursor})

    assert response.status_code == 404
    assert response.json()["errors"][0]["code"] == "not_found"


def test_a_cursor_with_a_price_that_no_course_can_have_is_no_page(api: APIClient) -> None:
    response = api.get(COURSES, {"sort": "price", "cursor": "W2ZhbHNlLFsiMWUtOTk5OTk5OTkiLDFdXQ=="})

    assert response.status_code == 404


def test_a_list_takes_the_same_few_queries_however_long(
    api: APIClient, django_assert_num_queries
) -> None:
    for _ in range(2):
        PromotionFactory(course=ReviewFactory().course)
    with django_assert_num_queries(2):
        api.get(COURSES)
    for _ in range(8):
        PromotionFactory(course=ReviewFactory().course)

    with django_assert_num_queries(2):
        assert len(api.get(COURSES).json()["results"]) == 10


def test_a_course_lists_its_lessons_without_what_is_paid_for(api: APIClient) -> None:
    section = SectionFactory()
    LessonFactory(section=section, title="One", body="secret", video_url="https://v/secret")
    LessonFactory(section=section, title="Two", is_preview=True)

    response = api.get(f"{COURSES}{section.course_id}/")

    lessons = response.json()["sections"][0]["lessons"]
    assert [(one["title"], one["is_preview"]) for one in lessons] == [
        ("One", False),
        ("Two", True),
    ]
    assert "secret" not in response.content.decode()


def test_a_course_takes_the_same_queries_however_many_lessons(
    api: APIClient, django_assert_num_queries
) -> None:
    course = CourseFactory()
    for _ in range(6):
        LessonFactory(section=SectionFactory(course=course))

    with django_assert_num_queries(5):
        assert len(api.get(f"{COURSES}{course.pk}/").json()["sections"]) == 6


def test_it_tells_a_learner_that_they_are_enrolled(api: APIClient) -> None:
    enrollment = EnrollmentFactory()
    api.force_authenticate(enrollment.user)

    assert api.get(f"{COURSES}{enrollment.course_id}/").json()["is_enrolled"]
    assert not api.get(f"{COURSES}{CourseFactory().pk}/").json()["is_enrolled"]


@pytest.mark.mariadb
def test_a_learner_reviews_a_course_once(api: APIClient) -> None:
    enrollment = EnrollmentFactory()
    api.force_authenticate(enrollment.user)
    address = f"{COURSES}{enrollment.course_id}/reviews/"

    first = api.post(address, {"rating": 5, "text": "Good"})
    again = api.post(address, {"rating": 1})

    assert first.status_code == 201
    assert (again.status_code, again.json()["errors"][0]["code"]) == (409, "already_reviewed")
    assert Review.objects.get().rating == 5


def test_who_lost_access_cannot_review(api: APIClient) -> None:
    enrollment = EnrollmentFactory(is_active=False)
    api.force_authenticate(enrollment.user)

    response = api.post(f"{COURSES}{enrollment.course_id}/reviews/", {"rating": 5})

    assert (response.status_code, response.json()["errors"][0]["code"]) == (403, "not_enrolled")


@pytest.mark.parametrize("rating", [0, 6, None, "good", 4.5])
def test_a_rating_is_one_to_five_whole_stars(api: APIClient, rating: object) -> None:
    enrollment = EnrollmentFactory()
    api.force_authenticate(enrollment.user)

    response = api.post(f"{COURSES}{enrollment.course_id}/reviews/", {"rating": rating})

    assert response.status_code == 400
    assert not Review.objects.exists()


def test_reviews_name_their_authors_without_addresses_and_leave_hidden_ones_out(
    api: APIClient, django_assert_num_queries
) -> None:
    course = CourseFactory()
    shown = [ReviewFactory(course=course) for _ in range(3)]
    ReviewFactory(course=course, is_visible=False, text="hidden")
    nameless = ReviewFactory(course=course, user=UserFactory(display_name=""))

    with django_assert_num_queries(2):
        response = api.get(f"{COURSES}{course.pk}/reviews/", {"limit": 10})

    rows = response.json()["results"]
    assert [row["id"] for row in rows] == [one.pk for one in [nameless, *shown[::-1]]]
    assert rows[0]["author"] == ""
    assert "@" not in response.content.decode()
