"""Letters about orders: what was bought, what it cost, where it is, what comes back."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone, translation

from catalog.checkout import OrderRequest, place_order
from catalog.models import ConsultationSlot, CourseKind, Order
from catalog.order_letters import write_receipt, write_refund
from catalog.payments.paying import pay_in_sandbox
from catalog.refunds import refund_lines
from tests.factories import CouponFactory, CourseFactory, PromotionFactory, UserFactory
from tests.hostile import HOSTILE

pytestmark = pytest.mark.django_db
SITE = "https://courses.example.com"


@pytest.fixture(autouse=True)
def site(settings) -> None:
    settings.SITE_URL = SITE


def bought(*courses, **also: object) -> Order:
    moment = timezone.now()
    order = place_order(
        buyer=UserFactory(),
        request=OrderRequest([one.pk for one in courses], **also),
        key="k",
        moment=moment,
    )
    if order.total:
        pay_in_sandbox(order=order, outcome="success", return_url="/", moment=moment)
    return order


def reduced_course():
    course = CourseFactory(title="Knots & ropes", list_price=Decimal("1299.90"))
    PromotionFactory(course=course, price=Decimal(60))
    CouponFactory(seller=course.seller, code="TEN")
    return course


def test_a_receipt_has_every_line_its_reductions_the_total_and_both_links() -> None:
    order = bought(reduced_course(), CourseFactory(title="Sails"), coupon_code="TEN")

    with translation.override("en"):
        letter = write_receipt(order.pk)

    for text in (letter.text, letter.html.replace("&amp;", "&").replace("−", "-")):
        for part in (
            "Knots & ropes",
            "¥1,299.90",
            "-¥1,239.90",
            "Coupon TEN",
            "-¥6",
            "¥54",
            "Sails",
            "¥100",
            "¥154",
            f"{SITE}/orders/{order.public_id}/",
            f"{SITE}/learn/",
        ):
            assert part in text, part
    assert "Thank you." in letter.text


def test_a_receipt_speaks_chinese_to_who_reads_chinese() -> None:
    order = bought(reduced_course(), coupon_code="TEN")

    with translation.override("zh-hans"):
        letter = write_receipt(order.pk)

    assert 'lang="zh-Hans"' in letter.html
    assert "¥54" in letter.text


def test_a_receipt_names_the_time_of_a_consultation() -> None:
    talk = CourseFactory(kind=CourseKind.CONSULTATION)
    begins = timezone.now() + timedelta(days=2)
    ConsultationSlot.objects.create(
        course=talk, starts_at=begins, ends_at=begins + timedelta(hours=1)
    )

    letter = write_receipt(bought(talk).pk)

    local = timezone.localtime(begins)
    for text in (letter.text, letter.html):
        assert f"{local:%H:%M}" in text
        assert "UTC+" in text


def test_a_receipt_of_a_free_course_says_free() -> None:
    with translation.override("en"):
        letter = write_receipt(bought(CourseFactory(list_price=0)).pk)

    assert "Total: Free" in letter.text


def test_an_order_that_was_never_paid_has_no_receipt() -> None:
    order = place_order(
        buyer=UserFactory(),
        request=OrderRequest([CourseFactory().pk]),
        key="k",
        moment=timezone.now(),
    )

    assert write_receipt(order.pk) is None
    assert write_receipt(order.pk + 1) is None


def test_a_refund_names_what_comes_back_and_nothing_else() -> None:
    order = bought(CourseFactory(title="Knots"), CourseFactory(title="Sails", list_price=50))
    line = order.lines.get(course__title="Sails")
    refund_lines(order=order, line_ids=[line.pk], by=None, reason="secret", moment=timezone.now())

    with translation.override("en"):
        letter = write_refund(order.pk)

    for text in (letter.text, letter.html):
        assert "Sails" in text
        assert "¥50" in text
        assert "Knots" not in text
        assert "secret" not in text
        assert f"{SITE}/orders/{order.public_id}/" in text


def test_letters_load_nothing_and_run_nothing() -> None:
    courses = [CourseFactory(title=text[:200]) for text in HOSTILE]
    order = bought(*courses)
    refund_lines(
        order=order,
        line_ids=[line.pk for line in order.lines.all()],
        by=None,
        reason="",
        moment=timezone.now(),
    )

    for letter in (write_receipt(order.pk), write_refund(order.pk)):
        assert not re.search(r"<(img|script|link|iframe)", letter.html, re.IGNORECASE)
        assert not re.search(r"url\(|@import", letter.html[: letter.html.index("<body")])
        assert set(re.findall(r'href="(https?://[^/"]+)', letter.html)) == {SITE}
        assert courses[0].title in letter.text
