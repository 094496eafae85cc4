"""Orders over the API: bodies, refusals, keys sent again, and paying."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.response import Response
from rest_framework.test import APIClient

from accounts.models import User
from catalog.models import Coupon, Course, Enrollment, Order, OrderStatus, Payment, Promotion
from catalog.payments import registry
from catalog.payments.overdue import expire_due_orders
from catalog.payments.provider import ProviderUnavailable
from catalog.payments.sandbox import Sandbox
from tests.factories import (
    ConsultationSlotFactory,
    CouponFactory,
    CourseFactory,
    OrderFactory,
    PromotionFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

ORDERS = "/api/v1/orders/"


class Buyer:
    """Somebody with a phone."""

    def __init__(self) -> None:
        self.person: User = UserFactory()
        self.client = APIClient()
        self.client.force_authenticate(self.person)

    def order(self, *courses: object, key: str | None = "k", **body: Any) -> Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        items = [one.pk if isinstance(one, Course) else one for one in courses]
        return self.client.post(ORDERS, {"items": items, **body}, headers=headers)

    def quote(self, *courses: Course, **body: Any) -> Response:
        items = [one.pk for one in courses]
        return self.client.post(f"{ORDERS}quote/", {"items": items, **body})

    def pay(self, order: str, **body: Any) -> Response:
        return self.client.post(f"{ORDERS}{order}/pay/", {"provider": "sandbox", **body})

    def cancel(self, order: str) -> Response:
        return self.client.post(f"{ORDERS}{order}/cancel/")


@pytest.fixture
def buyer() -> Buyer:
    return Buyer()


def code_of(response: Response) -> tuple[int, str, str | None]:
    """The status, and the code and field of the one error."""
    (error,) = response.json()["errors"]
    return response.status_code, error["code"], error["attr"]


def test_an_order_is_answered_as_it_was_stored_and_quoted(buyer: Buyer) -> None:
    promotion = PromotionFactory(price=Decimal("60.00"), seats=3, seats_left=3)
    other = CourseFactory(seller=promotion.course.seller, list_price=Decimal("33.33"))
    CouponFactory(seller=other.seller, code="TENTH")

    quoted = buyer.quote(promotion.course, other, coupon="tenth").json()
    response = buyer.order(promotion.course, other, coupon="tenth")

    answer = response.json()
    assert response.status_code == 201
    assert set(answer) >= {"id", "status", "lines", "total", "currency", "expires_at"}
    assert {name: answer[name] for name in quoted if name != "lines"} == {
        name: quoted[name] for name in quoted if name != "lines"
    }
    assert (answer["status"], answer["total"], answer["currency"]) == ("pending", "84.00", "CNY")
    assert [line["price"] for line in answer["lines"]] == ["54.00", "30.00"]
    assert [line["price"] for line in quoted["lines"]] == ["54.00", "30.00"]
    stored = Order.objects.get(public_id=answer["id"])
    assert (stored.total, stored.buyer) == (Decimal("84.00"), buyer.person)
    assert [line.price for line in stored.lines.order_by("pk")] == [
        Decimal("54.00"),
        Decimal("30.00"),
    ]
    again = buyer.client.get(f"{ORDERS}{answer['id']}/").json()
    assert again == answer
    assert buyer.client.get(ORDERS).json()["results"] == [answer]


def test_a_quote_writes_and_holds_nothing(buyer: Buyer) -> None:
    promotion = PromotionFactory(seats=1, seats_left=1)
    coupon = CouponFactory(seller=promotion.course.seller, max_uses=1)

    assert buyer.quote(promotion.course, coupon=coupon.code).status_code == 200

    assert not Order.objects.exists()
    assert Promotion.objects.get().seats_left == 1
    assert Coupon.objects.get().n_used == 0


@pytest.mark.parametrize("key", [None, "", "   ", "x" * 256, "schlüssel"])
def test_without_a_usable_key_nothing_is_ordered(buyer: Buyer, key: str | None) -> None:
    response = buyer.order(CourseFactory(), key=key)

    status, _code, attr = code_of(response)
    assert (status, attr) == (400, "Idempotency-Key")
    assert not Order.objects.exists()


def test_the_same_key_and_body_give_the_same_order_whatever_became_of_it(buyer: Buyer) -> None:
    course, other = CourseFactory.create_batch(2)
    first = buyer.order(course, other).json()

    repeated = buyer.order(other, course, course)
    assert (repeated.status_code, repeated.json()) == (201, first)
    buyer.pay(first["id"], outcome="success")
    paid = buyer.order(course, other)
    assert (paid.status_code, paid.json()["status"]) == (201, "paid")
    assert paid.json()["id"] == first["id"]
    Course.objects.filter(pk=course.pk).update(status="archived", list_price=1)
    archived = buyer.order(course, other)
    assert (archived.status_code, archived.json()["id"]) == (201, first["id"])
    assert Order.objects.count() == 1


def test_the_same_key_after_the_order_expired_gives_the_expired_order(buyer: Buyer) -> None:
    course = CourseFactory()
    first = buyer.order(course).json()
    expire_due_orders(moment=timezone.now() + timedelta(hours=1))

    again = buyer.order(course)

    assert (again.status_code, again.json()["id"]) == (201, first["id"])
    assert again.json()["status"] == "expired"
    assert buyer.order(course, key="another").json()["id"] != first["id"]


@pytest.mark.parametrize(
    "change",
    [{"coupon": "TENTH"}, {"expected_total": "100.00"}, {"slots": [1]}, {"items": [9_999_999]}],
)
def test_the_same_key_with_another_body_is_refused(buyer: Buyer, change: dict) -> None:
    course = CourseFactory()
    CouponFactory(seller=course.seller, code="TENTH")
    buyer.order(course)

    response = buyer.order(course, **change)

    assert code_of(response) == (422, "idempotency_key_reused", None)
    assert Order.objects.count() == 1


def test_a_key_is_ones_own(buyer: Buyer) -> None:
    course = CourseFactory()
    mine, others = buyer.order(course).json(), Buyer().order(course).json()

    assert mine["id"] != others["id"]


@pytest.mark.parametrize(
    "items",
    [
        [],
        list(range(1, 52)),
        "1",
        1,
        None,
        ["one"],
        [True],
        [1.5],
        [0],
        [-1],
        [2**63],
        [10**30],
        [None],
        [{"id": 1}],
        ["\x00"],
    ],
)
def test_what_is_no_list_of_ids_is_a_fault_of_the_field(buyer: Buyer, items: object) -> None:
    response = buyer.client.post(ORDERS, {"items": items}, headers={"Idempotency-Key": "k"})

    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"].startswith("items")
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {"coupon": "x" * 33},
        {"coupon": "a\x00b"},
        {"coupon": ["A"]},
        {"expected_total": "-0.01"},
        {"expected_total": "1e400"},
        {"expected_total": "NaN"},
        {"expected_total": "0.001"},
        {"slots": ["x"]},
        {"slots": [2**63]},
    ],
)
def test_other_fields_of_a_wrong_shape_are_faults_of_theirs(buyer: Buyer, body: dict) -> None:
    response = buyer.order(CourseFactory(), **body)

    assert response.status_code == 400
    (name,) = body
    assert response.json()["errors"][0]["attr"].startswith(name)


def test_fifty_courses_are_one_order_of_any_price_that_a_column_holds(buyer: Buyer) -> None:
    courses = CourseFactory.create_batch(
        50, list_price=Decimal("1999999.99"), seller=CourseFactory().seller
    )

    answer = buyer.order(*courses, key="most").json()

    assert answer["total"] == "99999999.50"


def test_more_than_a_column_holds_is_refused_by_name(buyer: Buyer) -> None:
    courses = CourseFactory.create_batch(2, list_price=Decimal("50000000.00"))

    assert code_of(buyer.order(*courses)) == (400, "total_too_large", "items")
    assert code_of(buyer.quote(*courses)) == (400, "total_too_large", "items")


def test_an_id_sent_twice_is_bought_once(buyer: Buyer) -> None:
    course = CourseFactory()

    assert len(buyer.order(course, course, course).json()["lines"]) == 1


@pytest.mark.parametrize("status", ["draft", "archived"])
def test_what_is_not_published_is_not_sold(buyer: Buyer, status: str) -> None:
    hidden = CourseFactory(status=status, published_at=timezone.now())

    assert code_of(buyer.order(CourseFactory(), hidden)) == (400, "not_on_sale", "items")
    assert code_of(buyer.order(9_999_999)) == (400, "not_on_sale", "items")
    assert code_of(buyer.quote(hidden)) == (400, "not_on_sale", "items")
    assert not Order.objects.exists()


def test_sellers_do_not_buy_from_themselves() -> None:
    course, seller = CourseFactory(), Buyer()
    Course.objects.filter(pk=course.pk).update(seller=seller.person)

    assert code_of(seller.order(course)) == (409, "own_course", None)


def test_what_one_has_is_not_bought_again_but_after_a_refund_of_access(buyer: Buyer) -> None:
    course = CourseFactory()
    first = buyer.order(course).json()
    assert code_of(buyer.order(course, key="2")) == (409, "order_open", None)
    buyer.pay(first["id"], outcome="success")
    assert code_of(buyer.order(course, CourseFactory(), key="3")) == (409, "already_owned", None)


def test_access_that_was_given_counts_as_owned(buyer: Buyer) -> None:
    enrollment = Enrollment.objects.create(user=buyer.person, course=CourseFactory())

    assert code_of(buyer.order(enrollment.course)) == (409, "already_owned", None)


def test_courses_of_two_sellers_are_one_order_and_the_coupon_is_for_one(buyer: Buyer) -> None:
    mine, other = CourseFactory.create_batch(2)
    CouponFactory(seller=mine.seller, code="TENTH")

    answer = buyer.order(mine, other, coupon="TENTH").json()

    assert [line["coupon_discount"] for line in answer["lines"]] == ["10.00", "0.00"]


def test_two_currencies_are_not_one_order(buyer: Buyer) -> None:
    courses = [CourseFactory(), CourseFactory(currency="USD")]

    assert code_of(buyer.order(*courses)) == (400, "mixed_currencies", "items")


def test_the_last_seat_is_sold_out_for_the_next(buyer: Buyer) -> None:
    promotion = PromotionFactory(seats=1, seats_left=1)
    assert buyer.order(promotion.course).json()["total"] == "60.00"

    refused = Buyer().order(promotion.course)

    assert code_of(refused) == (409, "sold_out", None)
    assert Order.objects.count() == 1
    agreed = Buyer().order(promotion.course, expected_total="100.00")
    assert agreed.json()["total"] == "100.00"


def test_a_spent_coupon_is_refused_for_all_and_for_one(buyer: Buyer) -> None:
    mine, other = CourseFactory(), CourseFactory()
    Course.objects.filter(pk=other.pk).update(seller=mine.seller)
    CouponFactory(seller=mine.seller, code="TENTH", max_uses=2)
    assert buyer.order(mine, coupon="TENTH").status_code == 201

    assert code_of(buyer.order(other, key="2", coupon="TENTH")) == (409, "coupon_spent", None)
    assert Buyer().order(mine, coupon="TENTH").status_code == 201
    assert code_of(Buyer().order(mine, coupon="TENTH")) == (409, "coupon_spent", None)


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"code": "OTHER"}, "unknown_coupon"),
        ({"is_active": False}, "coupon_not_running"),
        ({"ends_at": timezone.now() - timedelta(hours=1)}, "coupon_not_running"),
        ({"minimum_spend": Decimal("100.01")}, "below_minimum_spend"),
        ({"currency": "USD"}, "coupon_covers_nothing"),
    ],
)
def test_a_coupon_that_does_not_fit_is_a_fault_of_the_field(
    buyer: Buyer, columns: dict, code: str
) -> None:
    course = CourseFactory()
    CouponFactory(seller=course.seller, **{"code": "TENTH", **columns})

    assert code_of(buyer.order(course, coupon="TENTH")) == (400, code, "coupon")


def test_another_price_than_the_one_shown_is_not_charged(buyer: Buyer) -> None:
    course = CourseFactory(list_price=Decimal("120.00"))

    assert code_of(buyer.order(course, expected_total="100.00")) == (409, "price_changed", None)
    assert buyer.order(course, expected_total="120.00").status_code == 201


def test_a_free_order_is_paid_at_once(buyer: Buyer) -> None:
    course = CourseFactory(list_price=Decimal("0.00"))

    answer = buyer.order(course).json()

    assert (answer["status"], answer["total"], answer["expires_at"]) == ("paid", "0.00", None)
    assert Enrollment.objects.filter(user=buyer.person, course=course, is_active=True).exists()
    assert buyer.pay(answer["id"], outcome="success").json()["payment"] is None


def test_a_chosen_time_is_had_or_refused_and_never_another(buyer: Buyer) -> None:
    first, second = ConsultationSlotFactory(), None
    second = ConsultationSlotFactory(course=first.course)
    elsewhere = ConsultationSlotFactory()

    answer = buyer.order(first.course, slots=[second.pk]).json()
    assert answer["lines"][0]["slot"]["id"] == second.pk
    taken = Buyer().order(first.course, slots=[second.pk])
    assert code_of(taken) == (409, "sold_out", None)
    assert code_of(Buyer().order(first.course, slots=[elsewhere.pk])) == (409, "sold_out", None)
    assert Buyer().order(first.course).json()["lines"][0]["slot"]["id"] == first.pk
    assert code_of(Buyer().order(first.course)) == (409, "sold_out", None)


def test_an_order_of_another_buyer_does_not_exist(buyer: Buyer) -> None:
    order = Buyer().order(CourseFactory()).json()["id"]

    assert buyer.client.get(f"{ORDERS}{order}/").status_code == 404
    assert buyer.pay(order, outcome="success").status_code == 404
    assert buyer.cancel(order).status_code == 404
    assert buyer.client.get(f"{ORDERS}{uuid.uuid4()}/").status_code == 404
    assert Order.objects.get().status == OrderStatus.PENDING


def test_paying_in_the_sandbox_does_what_is_asked(buyer: Buyer) -> None:
    order = buyer.order(CourseFactory()).json()["id"]

    left = buyer.pay(order, outcome="timeout").json()
    assert (left["status"], left["payment"]["status"]) == ("pending", "started")
    assert left["payment"]["redirect_url"].startswith("http://testserver/")
    declined = buyer.pay(order, outcome="decline").json()
    assert (declined["status"], declined["payment"]["status"]) == ("pending", "failed")
    paid = buyer.pay(order, outcome="success").json()
    assert (paid["status"], paid["payment"]["status"]) == ("paid", "succeeded")
    assert paid["paid_at"] is not None
    again = buyer.pay(order, outcome="success").json()
    assert (again["status"], again["payment"]) == ("paid", None)
    assert Payment.objects.filter(status="succeeded").count() == 1


def test_begun_twice_it_is_one_payment(buyer: Buyer) -> None:
    order = buyer.order(CourseFactory()).json()["id"]

    first, second = buyer.pay(order).json(), buyer.pay(order).json()

    assert first["payment"] == second["payment"]
    assert Payment.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "attr"),
    [
        ({"provider": "paypal"}, "provider"),
        ({"provider": ""}, "provider"),
        ({"provider": None}, "provider"),
        ({"provider": 7}, "provider"),
        ({"outcome": "maybe"}, "outcome"),
        ({"provider": "stripe", "outcome": "success"}, "outcome"),
    ],
)
def test_paying_in_a_way_that_there_is_not_is_refused(buyer: Buyer, body: dict, attr: str) -> None:
    order = buyer.order(CourseFactory()).json()["id"]

    response = buyer.pay(order, **body)

    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == attr
    assert not Payment.objects.exists()


@pytest.mark.parametrize("status", ["expired", "cancelled", "refunded"])
def test_an_order_that_has_ended_is_not_payable(buyer: Buyer, status: str) -> None:
    order = OrderFactory(buyer=buyer.person, status=status)

    response = buyer.pay(str(order.public_id), outcome="success")

    assert code_of(response) == (409, "not_payable", None)
    assert not Payment.objects.exists()


def test_an_order_whose_time_is_over_is_not_payable_before_the_job_comes(buyer: Buyer) -> None:
    order = buyer.order(CourseFactory()).json()["id"]
    Order.objects.update(expires_at=timezone.now())

    assert code_of(buyer.pay(order, outcome="success")) == (409, "not_payable", None)


def test_a_cancelled_order_gives_everything_back_and_stays_cancelled(buyer: Buyer) -> None:
    promotion = PromotionFactory(seats=1, seats_left=1)
    order = buyer.order(promotion.course).json()["id"]
    buyer.pay(order)

    answers = [buyer.cancel(order), buyer.cancel(order)]

    assert [(one.status_code, one.json()["status"]) for one in answers] == [
        (200, "cancelled"),
        (200, "cancelled"),
    ]
    assert Promotion.objects.get().seats_left == 1
    assert buyer.order(promotion.course, key="2").status_code == 201


def test_a_paid_order_is_not_cancelled(buyer: Buyer) -> None:
    order = buyer.order(CourseFactory()).json()["id"]
    buyer.pay(order, outcome="success")

    assert buyer.cancel(order).json()["status"] == "paid"


@pytest.fixture
def other_providers(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Any]:
    """What the platform is set up with is read again, before and after."""
    registry.providers.cache_clear()
    yield settings
    monkeypatch.undo()
    registry.providers.cache_clear()


def test_without_the_sandbox_there_is_no_such_provider(buyer: Buyer, other_providers: Any) -> None:
    other_providers.SANDBOX_PAYMENTS = False
    order = buyer.order(CourseFactory()).json()["id"]

    for body in ({}, {"outcome": "success"}):
        assert code_of(buyer.pay(order, **body)) == (400, "unknown_provider", "provider")
    assert not Payment.objects.exists()


class AwaySandbox(Sandbox):
    """A vendor that cannot be reached, and says too much about it."""

    def start(self, request: object) -> Any:
        raise ProviderUnavailable("https://vendor.example/?key=sk_live_secret: refused")


def test_a_vendor_that_is_down_is_told_as_such_and_tells_no_secret(
    buyer: Buyer, other_providers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = buyer.order(CourseFactory()).json()["id"]
    monkeypatch.setitem(registry.providers(), "sandbox", AwaySandbox(secret="s"))
    buyer.client.raise_request_exception = False

    response = buyer.pay(order)

    assert code_of(response) == (503, "provider_unavailable", None)
    assert int(response.headers["Retry-After"]) > 0
    assert "secret" not in response.content.decode()
    assert "vendor.example" not in response.content.decode()
    registry.providers.cache_clear()
    # Tried again, it goes on with the same payment.
    assert buyer.pay(order).status_code == 200
    assert Payment.objects.count() == 1


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("get", ORDERS),
        ("post", ORDERS),
        ("post", f"{ORDERS}quote/"),
        ("get", f"{ORDERS}{uuid.UUID(int=1)}/"),
        ("post", f"{ORDERS}{uuid.UUID(int=1)}/pay/"),
        ("post", f"{ORDERS}{uuid.UUID(int=1)}/cancel/"),
    ],
)
def test_visitors_order_nothing(method: str, address: str) -> None:
    assert getattr(APIClient(), method)(address, {}).status_code == 401
