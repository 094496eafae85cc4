"""Who changed a price or a coupon: old value, new value, person; each seller reads their own."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from catalog.models import Course, CourseStatus, Promotion
from tests.factories import (
    CouponFactory,
    CourseFactory,
    OperatorFactory,
    PromotionFactory,
    ReviewFactory,
    SellerFactory,
)

pytestmark = pytest.mark.django_db


def signed_in(person: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def address(row: Any, page: str) -> str:
    options = row._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_{page}", args=[row.pk])


def window() -> dict[str, str]:
    start, end = timezone.localdate(), timezone.localdate() + timedelta(days=9)
    return {
        "starts_at_0": start.isoformat(), "starts_at_1": "08:00:00",
        "ends_at_0": end.isoformat(), "ends_at_1": "20:00:00",
    }  # fmt: skip


def changed(person: User, row: Any, **fields: Any) -> None:
    answer = signed_in(person).post(address(row, "change"), fields)
    assert answer.status_code == 302, answer.context["errors"]


def course_fields(course: Course, **fields: Any) -> dict[str, Any]:
    return {
        "title": course.title, "slug": course.slug, "list_price": course.list_price,
        "currency": "CNY", "kind": course.kind, "level": course.level, "language": "zh",
        "category": course.category_id, "tags": "",
        "sections-TOTAL_FORMS": 0, "sections-INITIAL_FORMS": 0, **fields,
    }  # fmt: skip


@pytest.fixture
def seller() -> User:
    return SellerFactory(display_name="Alma")


def read(person: User, row: Any) -> str:
    return " ".join(signed_in(person).get(address(row, "history")).content.decode().split())


def test_a_new_price_of_a_course_is_told_with_the_old_one_and_who(seller) -> None:
    course = CourseFactory(seller=seller, list_price=Decimal("100.00"))
    operator = OperatorFactory(display_name="Olga")

    changed(operator, course, **course_fields(course, list_price="89.00", seller=seller.pk))

    text = read(seller, course)
    assert "100.00" in text
    assert "89.00" in text
    assert "Olga" in text
    assert "89.00" not in read(SellerFactory(), course)


def test_a_new_price_and_new_seats_of_a_promotion_are_told(seller) -> None:
    promotion = PromotionFactory(
        course=CourseFactory(seller=seller), price=Decimal("60.00"), seats=10, seats_left=7
    )

    fields = {"course": promotion.course_id, "price": "55.00", "seats": "12", "is_active": "on"}
    changed(seller, promotion, **fields, **window())

    promotion.refresh_from_db()
    assert (promotion.seats, promotion.seats_left) == (12, 9)
    newest, first = promotion.history.all()
    assert (newest.seats, newest.price, newest.history_user) == (12, Decimal("55.00"), seller)
    assert (first.seats, first.price) == (10, Decimal("60.00"))
    text = read(seller, promotion)
    for told in ("60.00", "55.00", "Alma"):
        assert told in text


def test_saving_a_promotion_leaves_seats_alone_that_were_sold_meanwhile(seller) -> None:
    promotion = PromotionFactory(
        course=CourseFactory(seller=seller), price=Decimal("60.00"), seats=10, seats_left=7
    )
    Promotion.objects.update(seats_left=6)

    fields = {"course": promotion.course_id, "price": "60.00", "seats": "10", "is_active": "on"}
    changed(seller, promotion, **fields, **window())

    promotion.refresh_from_db()
    assert (promotion.seats, promotion.seats_left) == (10, 6)


def test_a_changed_coupon_is_told(seller) -> None:
    coupon = CouponFactory(seller=seller, percent=10)
    fields = {
        "code": coupon.code, "kind": "percent", "percent": "25", "currency": "CNY",
        "minimum_spend": "0", "per_user_limit": "1", "is_active": "on", "budget": "500",
    }  # fmt: skip

    changed(seller, coupon, **fields, **window())

    newest, first = coupon.history.all()
    assert (first.percent, newest.percent) == (10, 25)
    assert (first.budget, newest.budget) == (None, Decimal("500.00"))
    text = read(seller, coupon)
    assert "25" in text
    assert "Alma" in text
    stranger = signed_in(SellerFactory()).get(address(coupon, "history"))
    assert stranger.status_code in (302, 403, 404)


@pytest.mark.parametrize(
    ("action", "status"),
    [("publish", CourseStatus.PUBLISHED), ("archive", CourseStatus.ARCHIVED)],
)
def test_what_a_button_changes_for_many_is_told_of_each(seller, action, status) -> None:
    courses = CourseFactory.create_batch(
        2, seller=seller, status=CourseStatus.DRAFT, published_at=None
    )

    signed_in(seller).post(
        reverse("admin:catalog_course_changelist"),
        {"action": action, "_selected_action": [course.pk for course in courses]},
    )

    for course in courses:
        newest, first = course.history.all()
        assert (first.status, newest.status) == (CourseStatus.DRAFT, status)
        assert newest.history_user == seller


def test_hiding_reviews_is_told_of_each_that_it_changed() -> None:
    reviews = [ReviewFactory(), ReviewFactory(), ReviewFactory(is_visible=False)]
    operator = OperatorFactory()

    signed_in(operator).post(
        reverse("admin:catalog_review_changelist"),
        {"action": "hide", "_selected_action": [review.pk for review in reviews]},
    )

    told = LogEntry.objects.filter(user=operator, content_type__model="review")
    assert {entry.object_id for entry in told} == {str(review.pk) for review in reviews[:2]}


def test_a_deleted_coupon_leaves_its_history_to_its_seller(seller) -> None:
    coupon = CouponFactory(seller=seller, code="GONE")
    page = address(coupon, "history")
    signed_in(seller).post(address(coupon, "delete"), {"post": "yes"})

    assert "GONE" in signed_in(seller).get(page).content.decode()
    answer = signed_in(SellerFactory()).get(page)
    assert answer.status_code in (302, 403, 404)
    assert "GONE" not in answer.content.decode()
