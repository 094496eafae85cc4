"""Orders and purchases as CSV and XLSX: own rows, real numbers, ISO times, no formulas."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from openpyxl import load_workbook

from accounts.models import User
from accounts.table_export import EXPORT_FORMATS, plain_cell
from tests.factories import (
    CourseFactory,
    OperatorFactory,
    OrderFactory,
    PurchaseFactory,
    SellerFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

CSV_FILE, XLSX_FILE = range(2)
PAID_AT = datetime(2026, 6, 10, 12, 30, tzinfo=UTC)


def exported(person: User, table: str, kind: int) -> bytes:
    client = Client(headers={"accept-language": "en"})
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    address = reverse(f"admin:catalog_{table}_export")
    form = client.get(address).context["form"]
    columns = set(form.fields) - {"format", "resource", "export_items"}
    data = dict.fromkeys(columns, "on")
    answer = client.post(address, data | {"format": kind, "resource": 0})
    assert answer.status_code == 200
    return answer.content


def read_csv(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def read_xlsx(content: bytes) -> list[dict[str, Any]]:
    sheet = load_workbook(io.BytesIO(content)).active
    head, *rows = sheet.iter_rows()
    return [{name.value: cell for name, cell in zip(head, row, strict=True)} for row in rows]


@pytest.fixture
def seller() -> User:
    return SellerFactory(display_name="Alma")


@pytest.fixture
def shared_order(seller):
    """An order of one course of the seller (100.00, refunded) and one of somebody else."""
    order = OrderFactory(
        buyer=UserFactory(display_name="=HYPERLINK(1)"),
        list_total=Decimal(200),
        total=Decimal(200),
        created_at=PAID_AT,
        paid_at=PAID_AT,
    )
    own = CourseFactory(seller=seller, title="@SUM(A1:A9)\x0b", slug="own")
    PurchaseFactory(order=order, course=own, refunded_at=PAID_AT)
    PurchaseFactory(order=order, course=CourseFactory(title="Of another seller", slug="other"))
    OrderFactory()
    return order


def test_both_formats_are_offered() -> None:
    assert [kind.__name__ for kind in EXPORT_FORMATS] == ["SafeCSV", "SafeXLSX"]


def test_an_order_is_one_line_with_what_the_sellers_courses_came_to(seller, shared_order) -> None:
    [line] = read_csv(exported(seller, "order", CSV_FILE))

    assert line == {
        "public_id": str(shared_order.public_id),
        "status": "paid",
        "buyer": "'=HYPERLINK(1)",
        "currency": "CNY",
        "amount": "100.00",
        "refunded": "100.00",
        "created_at": "2026-06-10T20:30:00+08:00",
        "paid_at": "2026-06-10T20:30:00+08:00",
    }


def test_a_purchase_is_one_line(seller, shared_order) -> None:
    [line] = read_csv(exported(seller, "purchase", CSV_FILE))

    assert line["order"] == str(shared_order.public_id)
    assert (line["course"], line["title"]) == ("own", "'@SUM(A1:A9)")
    assert (line["price"], line["list_price"], line["currency"]) == ("100.00", "100.00", "CNY")
    assert line["refunded_at"] == "2026-06-10T20:30:00+08:00"


@pytest.mark.parametrize("table", ["order", "purchase"])
def test_a_spreadsheet_opens_it_with_numbers_and_without_formulas(
    seller, shared_order, table
) -> None:
    [line] = read_xlsx(exported(seller, table, XLSX_FILE))

    assert "f" not in {cell.data_type for cell in line.values()}
    money = [line[name] for name in ("amount", "refunded", "price") if name in line]
    assert [(cell.data_type, cell.value) for cell in money] == [("n", 100)] * len(money)
    assert line["currency"].value == "CNY"
    assert line["buyer"].value == "'=HYPERLINK(1)"
    assert line["paid_at"].value == "2026-06-10T20:30:00+08:00"


@pytest.mark.parametrize("kind", [CSV_FILE, XLSX_FILE])
@pytest.mark.parametrize("table", ["order", "purchase"])
def test_an_operator_gets_all_rows_and_another_seller_none(
    seller, shared_order, table, kind
) -> None:
    read = read_csv if kind == CSV_FILE else read_xlsx
    n_rows = {"order": 2, "purchase": 2}[table]

    assert len(read(exported(OperatorFactory(), table, kind))) == n_rows
    assert read(exported(SellerFactory(), table, kind)) == []


@pytest.mark.parametrize(
    ("cell", "plain"),
    [
        ("=1+1", "'=1+1"),
        ("+1+1", "'+1+1"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\x00=1", "'=1"),
        ("＝1", "'＝1"),
        ("-3.50", "-3.50"),
        ("a=b", "a=b"),
        (7, 7),
        (None, None),
    ],
)
def test_no_cell_is_taken_for_a_formula(cell, plain) -> None:
    assert plain_cell(cell) == plain
