"""Refunds from the admin: who may refund what, what is said of it, and who is remembered."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.core.exceptions import PermissionDenied
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils.translation import override

from accounts.models import User
from catalog.admin.refunding import refund_chosen
from catalog.models import (
    Course,
    LedgerEntry,
    Order,
    OrderStatus,
    PaymentStatus,
    Purchase,
    Refund,
    RefundStatus,
)
from catalog.payments.registry import providers
from catalog.refunds import send_due_refunds
from tests.factories import (
    CourseFactory,
    EnrollmentFactory,
    OperatorFactory,
    OrderFactory,
    PaymentFactory,
    PurchaseFactory,
    SellerFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

NOW = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)


def paid_order(*courses: Course, buyer: User | None = None, by_provider: bool = True) -> Order:
    total = Decimal(100 * len(courses))
    order = OrderFactory(
        buyer=buyer or UserFactory(display_name="Vera"), list_total=total, total=total
    )
    for course in courses:
        line = PurchaseFactory(order=order, course=course, holder=order.buyer)
        EnrollmentFactory(user=order.buyer, course=course, purchase=line)
    if by_provider:
        PaymentFactory(order=order, amount=total, status=PaymentStatus.SUCCEEDED)
    return order


def signed_in(person: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def page_of(order: Order) -> str:
    return reverse("admin:catalog_order_refund", args=[order.pk])


def said(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def refunded(order: Order) -> list[int]:
    return list(
        Refund.objects.filter(order=order).order_by("pk").values_list("purchase", flat=True)
    )


@pytest.fixture
def seller() -> User:
    return SellerFactory(display_name="Alma")


def test_the_page_says_what_goes_back_to_whom_and_that_access_ends(seller) -> None:
    first, second = CourseFactory.create_batch(2, seller=seller)
    order = paid_order(first, second)

    text = signed_in(seller).get(page_of(order)).content.decode()

    for told in (first.title, second.title, "¥100", "¥200", "Vera", "Test payment"):
        assert told in text
    assert "loses access" in text
    assert not Refund.objects.exists()


def test_a_seller_refunds_the_whole_order(seller) -> None:
    order = paid_order(*CourseFactory.create_batch(2, seller=seller))
    lines = list(order.lines.order_by("pk").values_list("pk", flat=True))

    answer = signed_in(seller).post(page_of(order), {"lines": lines, "reason": "Not as described"})

    assert answer.status_code == 302
    assert answer["location"] == reverse("admin:catalog_order_change", args=[order.pk])
    assert "2 lines are refunded: ¥200." in said(answer)
    assert "on its way" in said(answer)
    order.refresh_from_db()
    assert order.status == OrderStatus.REFUNDED
    assert refunded(order) == lines
    assert not order.buyer.enrollments.filter(is_active=True).exists()
    refund = Refund.objects.first()
    assert (refund.requested_by, refund.reason) == (seller, "Not as described")
    assert LedgerEntry.objects.filter(order=order, kind="refund").count() == 2


def test_a_seller_refunds_a_single_line(seller) -> None:
    order = paid_order(*CourseFactory.create_batch(2, seller=seller))
    first = order.lines.order_by("pk").first()

    answer = signed_in(seller).post(page_of(order), {"lines": [first.pk], "reason": "One too many"})

    assert "1 line is refunded: ¥100." in said(answer)
    order.refresh_from_db()
    assert (order.status, refunded(order)) == (OrderStatus.PAID, [first.pk])


def test_sent_twice_it_refunds_once_and_says_so(seller) -> None:
    order = paid_order(CourseFactory(seller=seller))
    client = signed_in(seller)
    data = {"lines": [order.lines.get().pk], "reason": "Twice"}

    client.post(page_of(order), data)
    again = client.post(page_of(order), data)

    assert again.status_code == 302
    assert "nothing happened" in said(again)
    assert Refund.objects.count() == 1
    assert LogEntry.objects.filter(content_type__model="purchase").count() == 1


@pytest.mark.parametrize("data", [{"reason": "No line"}, {"reason": " ", "lines": "own"}])
def test_without_a_line_or_a_reason_nothing_happens(seller, data) -> None:
    order = paid_order(CourseFactory(seller=seller))
    if "lines" in data:
        data = {**data, "lines": [order.lines.get().pk]}

    answer = signed_in(seller).post(page_of(order), data)

    assert answer.status_code == 200
    assert not Refund.objects.exists()


def test_a_get_refunds_nothing(seller) -> None:
    order = paid_order(CourseFactory(seller=seller))
    line = order.lines.get().pk

    signed_in(seller).get(page_of(order), {"lines": line, "reason": "By a link"})

    assert not Refund.objects.exists()


def test_a_seller_of_a_shared_order_sees_and_refunds_their_own_lines_alone(seller) -> None:
    other = SellerFactory()
    own, foreign = CourseFactory(seller=seller), CourseFactory(seller=other, title="Hers alone")
    order = paid_order(own, foreign)
    line, foreign_line = order.lines.get(course=own), order.lines.get(course=foreign)
    client = signed_in(seller)

    page = client.get(page_of(order)).content.decode()
    forged = client.post(page_of(order), {"lines": [line.pk, foreign_line.pk], "reason": "Both"})

    assert "Hers alone" not in page
    assert "¥200" not in page
    assert forged.status_code == 200
    assert not Refund.objects.exists()
    client.post(page_of(order), {"lines": [line.pk], "reason": "Mine"})
    order.refresh_from_db()
    assert (order.status, refunded(order)) == (OrderStatus.PAID, [line.pk])
    # Nothing of it shows where the other seller looks.
    others = signed_in(other)
    for name in ("change", "history"):
        text = others.get(reverse(f"admin:catalog_order_{name}", args=[order.pk])).content.decode()
        assert own.title not in text
        assert "Mine" not in text


@pytest.mark.parametrize("method", ["get", "post"])
def test_another_seller_finds_neither_the_order_nor_the_lines(seller, method) -> None:
    order = paid_order(CourseFactory(seller=seller))
    line = order.lines.get()
    stranger = signed_in(SellerFactory())
    data = {"lines": [line.pk], "reason": "Forged"}

    of_order = getattr(stranger, method)(page_of(order), data)
    of_lines = getattr(stranger, method)(
        reverse("admin:catalog_purchase_refund") + f"?line={line.pk}", data
    )

    assert of_order.status_code == 403
    assert of_lines.status_code in (200, 302)
    assert line.course.title not in of_lines.content.decode()
    assert not Refund.objects.exists()


@pytest.mark.parametrize("who", ["viewer", None])
def test_nobody_else_comes_near(seller, who) -> None:
    order = paid_order(CourseFactory(seller=seller))
    client = signed_in(order.buyer) if who else Client()
    data = {"lines": [order.lines.get().pk], "reason": "Please"}

    for address in (page_of(order), reverse("admin:catalog_purchase_refund")):
        assert client.post(address, data)["location"].startswith(reverse("admin:login"))
    assert not Refund.objects.exists()


def test_an_operator_refunds_lines_of_any_sellers_at_once(seller) -> None:
    orders = [paid_order(CourseFactory(seller=seller)), paid_order(CourseFactory())]
    lines = [order.lines.get().pk for order in orders]
    client = signed_in(operator := OperatorFactory())
    chosen = client.post(
        reverse("admin:catalog_purchase_changelist"),
        {"action": "refund", "_selected_action": lines},
    )

    page = client.get(chosen["location"])
    answer = client.post(chosen["location"], {"lines": lines, "reason": "A wrong price"})

    assert page.content.decode().count('name="lines"') == 2
    assert "2 lines are refunded: ¥200." in said(answer)
    assert set(Refund.objects.values_list("purchase", "requested_by")) == {
        (line, operator.pk) for line in lines
    }


def test_the_list_of_purchases_leads_a_seller_to_their_own_lines_alone(seller) -> None:
    own, foreign = paid_order(CourseFactory(seller=seller)), paid_order(CourseFactory())
    client = signed_in(seller)
    forged = [own.lines.get().pk, foreign.lines.get().pk]

    chosen = client.post(
        reverse("admin:catalog_purchase_changelist"),
        {"action": "refund", "_selected_action": forged},
    )

    assert chosen["location"].endswith(f"?line={forged[0]}")
    address = reverse("admin:catalog_purchase_refund") + f"?line={forged[0]}&line={forged[1]}"
    assert client.post(address, {"lines": forged, "reason": "Forged"}).status_code == 200
    assert not Refund.objects.exists()


@pytest.mark.parametrize("line", ["x", "-1", "9" * 40, "１"])
def test_an_address_that_names_no_line_leads_back(seller, line) -> None:
    answer = signed_in(seller).get(reverse("admin:catalog_purchase_refund"), {"line": line})

    assert answer.status_code == 302


def test_an_order_that_was_not_paid_has_nothing_to_refund(seller) -> None:
    order = paid_order(CourseFactory(seller=seller))
    Order.objects.update(status=OrderStatus.PENDING)
    client = signed_in(seller)

    order_page = client.get(reverse("admin:catalog_order_change", args=[order.pk]))
    answer = client.get(page_of(order))

    assert page_of(order) not in order_page.content.decode()
    assert answer.status_code == 302
    assert "paid and not refunded" in said(answer)


def test_the_order_page_offers_the_refund_while_there_is_something_to_refund(seller) -> None:
    order = paid_order(CourseFactory(seller=seller))
    client = signed_in(seller)
    address = reverse("admin:catalog_order_change", args=[order.pk])

    before = client.get(address).content.decode()
    client.post(page_of(order), {"lines": [order.lines.get().pk], "reason": "Done"})
    after = client.get(address).content.decode()

    assert page_of(order) in before
    assert page_of(order) not in after
    assert "on its way" in after


def test_what_came_through_no_provider_is_not_said_to_be_on_its_way(seller) -> None:
    order = paid_order(CourseFactory(seller=seller), by_provider=False)

    answer = signed_in(seller).post(
        page_of(order), {"lines": [order.lines.get().pk], "reason": "By hand"}
    )

    assert "no money is transferred" in said(answer)
    assert "on its way" not in said(answer)


def test_a_refund_that_failed_shows_why_and_is_asked_again(seller) -> None:
    order = paid_order(CourseFactory(seller=seller))
    client = signed_in(seller)
    client.post(page_of(order), {"lines": [order.lines.get().pk], "reason": "Broken"})
    # The sandbox has no such payment in its book: it refuses, in its own words.
    assert "sandbox" in providers()
    send_due_refunds(moment=Refund.objects.get().not_before)
    refund = Refund.objects.get()
    assert refund.status == RefundStatus.FAILED

    shown = client.get(reverse("admin:catalog_order_change", args=[order.pk])).content.decode()
    asked = {"action": "transfer_again", "_selected_action": [refund.pk]}
    stranger = signed_in(SellerFactory()).post(reverse("admin:catalog_refund_changelist"), asked)
    refund.refresh_from_db()
    untouched = refund.status
    first = client.post(reverse("admin:catalog_refund_changelist"), asked)
    again = client.post(reverse("admin:catalog_refund_changelist"), asked)

    assert "the sandbox knows no such paid payment" in shown
    assert stranger.status_code in (302, 403)
    assert untouched == RefundStatus.FAILED
    assert "1 refund is asked of its provider again." in said(first)
    assert "had not failed" in said(again)
    refund.refresh_from_db()
    assert refund.status == RefundStatus.REQUESTED


def test_the_history_says_who_refunded_what_when_and_why_in_the_readers_language(seller) -> None:
    order = paid_order(CourseFactory(seller=seller))
    line = order.lines.get()
    operator = OperatorFactory(display_name="Olga")
    signed_in(operator).post(page_of(order), {"lines": [line.pk], "reason": "Sound is missing"})

    entry = LogEntry.objects.get(object_id=str(line.pk), content_type__model="purchase")
    with override("zh-hans"):
        in_chinese = entry.get_change_message()
    pages = [
        reverse("admin:catalog_order_history", args=[order.pk]),
        reverse("admin:catalog_purchase_history", args=[line.pk]),
    ]

    assert entry.user == operator
    assert "Added" not in in_chinese
    assert "Sound is missing" in in_chinese
    for address in pages:
        text = signed_in(seller).get(address).content.decode()
        assert "Olga" in text
        assert "100.00 CNY: Sound is missing" in text
        assert "Sound is missing" not in signed_in(SellerFactory()).get(address).content.decode()


def test_the_rule_is_asked_of_each_line_whatever_was_offered(seller) -> None:
    foreign = paid_order(CourseFactory()).lines.get()
    request = RequestFactory().post("/")
    request.user = seller

    with pytest.raises(PermissionDenied):
        refund_chosen(request, admin.site.get_model_admin(Purchase), [foreign], reason="Leaked")
    assert not Refund.objects.exists()
