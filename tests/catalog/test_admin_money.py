"""Payments, charges, refunds and the sandbox's book: what each person sees of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client, override_settings
from django.urls import reverse

from accounts.models import User
from catalog.checks import warn_of_test_payments
from catalog.models import LedgerEntry, MoneyMove, Order, PaymentStatus, SandboxPayment
from tests.factories import (
    CourseFactory,
    LedgerEntryFactory,
    OperatorFactory,
    OrderFactory,
    PaymentFactory,
    PurchaseFactory,
    RefundFactory,
    SandboxPaymentFactory,
    SellerFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


def signed_in(person: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def address(table: str, page: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:catalog_{table}_{page}", args=args)


@pytest.fixture
def seller() -> User:
    return SellerFactory(display_name="Alma")


@pytest.fixture
def shared(seller) -> Order:
    """An order over 377.00, of which 123.00 are the seller's line and 254.00 another's."""
    order = OrderFactory(list_total=Decimal(377), total=Decimal(377))
    PurchaseFactory(
        order=order, course=CourseFactory(seller=seller), price=Decimal(123), list_price=123
    )
    foreign = PurchaseFactory(
        order=order, course=CourseFactory(title="Hers alone"), price=Decimal(254), list_price=254
    )
    payment = PaymentFactory(
        order=order, amount=Decimal(377), status=PaymentStatus.SUCCEEDED, reference="vendor-number"
    )
    LedgerEntryFactory(order=order, amount=Decimal(377), payment=payment)
    LedgerEntryFactory(
        order=order, amount=254, kind=MoneyMove.REFUND, key="refund-2", purchase=foreign
    )
    RefundFactory(order=order, purchase=foreign, payment=payment, amount=254, reason="Hers to know")
    return order


# As pages write amounts: the digits alone may stand in an id.
FOREIGN = ("¥377", "377.00", "¥254", "254.00", "Hers alone", "Hers to know", "vendor-number")


@pytest.mark.parametrize("table", ["payment", "ledgerentry"])
def test_of_a_whole_order_a_seller_sees_what_their_lines_came_to(seller, shared, table) -> None:
    client = signed_in(seller)
    rows = client.get(address(table)).context["cl"].queryset

    pages = [address(table), address(table, "change", rows.get().pk)]
    for page in pages:
        text = client.get(page).content.decode()
        assert "¥123" in text or "123.00" in text
        assert not [told for told in FOREIGN if told in text]


def test_a_seller_sees_no_refund_of_another_sellers_line(seller, shared) -> None:
    client = signed_in(seller)
    refund = shared.refunds.get()
    entry = LedgerEntry.objects.get(kind=MoneyMove.REFUND)

    assert client.get(address("refund")).context["cl"].queryset.count() == 0
    for page in (
        address("refund", "change", refund.pk),
        address("refund", "history", refund.pk),
        address("ledgerentry", "change", entry.pk),
    ):
        answer = client.get(page)
        assert answer.status_code in (302, 403)
        assert not [told for told in FOREIGN if told in answer.content.decode()]
    text = client.get(address("order", "change", shared.pk)).content.decode()
    assert not [told for told in FOREIGN if told in text]


def test_money_that_was_not_needed_is_the_operators_to_see(seller, shared) -> None:
    surplus = LedgerEntryFactory(order=shared, key="surplus-1", kind=MoneyMove.SURPLUS)
    back = RefundFactory(order=shared, purchase=None, key="surplus-1")

    for table, row in (("ledgerentry", surplus), ("refund", back)):
        page = address(table, "change", row.pk)
        assert signed_in(seller).get(page).status_code in (302, 403)
        assert signed_in(OperatorFactory()).get(page).status_code == 200


def test_an_operator_sees_whole_amounts(shared) -> None:
    client = signed_in(OperatorFactory())

    for table in ("payment", "ledgerentry"):
        text = client.get(address(table)).content.decode()
        assert "¥377" in text or "377.00" in text
    assert "¥254" in client.get(address("refund")).content.decode()
    order = client.get(address("order", "change", shared.pk)).content.decode()
    assert "vendor-number" in order


@pytest.mark.parametrize("is_on", [True, False])
def test_operators_are_told_on_the_first_page_that_no_money_moves(seller, is_on) -> None:
    with override_settings(SANDBOX_PAYMENTS=is_on):
        first_page = reverse("admin:index")
        operator = signed_in(OperatorFactory()).get(first_page).content.decode()
        of_seller = signed_in(seller).get(first_page).content.decode()
        warnings = [warning.id for warning in warn_of_test_payments(None)]

    assert ("Test payments are on: no money moves." in operator) is is_on
    assert "Test payments are on" not in of_seller
    assert warnings == (["catalog.W001"] if is_on else [])


def test_the_sandbox_keeps_its_book_from_sellers(seller) -> None:
    row = SandboxPaymentFactory(title="A course")

    for page in (address("sandboxpayment"), address("sandboxpayment", "change", row.pk)):
        assert signed_in(seller).get(page).status_code == 403
        assert signed_in(OperatorFactory()).get(page).status_code == 200
    assert SandboxPayment.objects.count() == 1
