"""The pages of one's orders: paying, what follows, changing a time; and the sandbox's page."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.checkout import OrderRequest, place_order
from catalog.consultations import NoBooking, move_time
from catalog.holds import SoldOut
from catalog.models import (
    ConsultationSlot,
    Course,
    CourseKind,
    Enrollment,
    Order,
    OrderStatus,
    Payment,
    PaymentStatus,
    SandboxPayment,
)
from catalog.payments import registry
from catalog.payments.paying import pay_in_sandbox
from catalog.payments.provider import PaymentRequest, StartedPayment
from catalog.payments.sandbox import Sandbox
from catalog.qr import qr_picture
from catalog.refunds import refund_lines, send_due_refunds
from tests.factories import (
    CouponFactory,
    CourseFactory,
    LessonFactory,
    PromotionFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db
JSON = {"page": {}, "api": {"content_type": "application/json"}}
THROUGH_PROXY = {"x-forwarded-for": "6.6.6.6, 203.0.113.7"}


@pytest.fixture
def buyer():
    return UserFactory()


@pytest.fixture
def browser(buyer) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(buyer)
    return client


def placed(buyer, *courses: Course, **also: object) -> Order:
    request = OrderRequest([one.pk for one in courses or (CourseFactory(),)], **also)
    return place_order(buyer=buyer, request=request, key=uuid.uuid4().hex, moment=timezone.now())


def paid(buyer, *courses: Course, **also: object) -> Order:
    order = placed(buyer, *courses, **also)
    pay_in_sandbox(
        order=order, outcome="success", return_url="http://testserver/", moment=timezone.now()
    )
    order.refresh_from_db()
    return order


def address(order: Order, *rest: object) -> str:
    return reverse("catalog:order", args=[order.public_id]) + "".join(f"{one}/" for one in rest)


def page(browser: Client, order: Order) -> str:
    response = browser.get(address(order))
    assert response.status_code == 200
    return response.content.decode()


def slots_of(course: Course, *days: int) -> list[ConsultationSlot]:
    now = timezone.now()
    return [
        ConsultationSlot.objects.create(
            course=course,
            starts_at=now + timedelta(days=n),
            ends_at=now + timedelta(days=n, hours=1),
        )
        for n in days
    ]


def test_nobody_has_orders_at_first_and_the_page_says_so(browser) -> None:
    assert "No orders yet" in browser.get("/orders/").content.decode()


def test_orders_stand_newest_first_each_with_its_status(browser, buyer) -> None:
    first = paid(buyer, CourseFactory(title="Knots"))
    placed(buyer, CourseFactory(title="Sails"))
    over = placed(buyer, CourseFactory(title="Masts"))
    Order.objects.filter(pk=over.pk).update(expires_at=timezone.now())
    placed(UserFactory(), CourseFactory(title="Oars"))

    html = browser.get("/orders/").content.decode()

    places = [html.index(text) for text in ("Masts", "Sails", "Knots")]
    assert places == sorted(places)
    assert re.findall(r'badge--(\w+)">', html) == ["expired", "pending", "paid"]
    assert "Oars" not in html
    assert address(first) in html


@pytest.mark.parametrize("path", ["/orders/", "/orders/{id}/"])
def test_orders_are_for_who_is_signed_in(path) -> None:
    path = path.format(id=uuid.uuid4())

    assert Client().get(path)["Location"] == f"/account/login/?next={path}"


def test_an_order_of_somebody_else_is_not_there(browser) -> None:
    order = placed(UserFactory())

    assert browser.get(address(order)).status_code == 404
    for path, body in (("pay", {"provider": "sandbox"}), ("cancel", {}), ("times/1", {})):
        assert browser.post(address(order, path), body).status_code == 404
    assert Order.objects.get().status == OrderStatus.PENDING


def test_a_waiting_order_says_until_when_it_is_held_and_how_it_can_be_paid(browser, buyer) -> None:
    order = placed(buyer)

    html = page(browser, order)

    assert "Held for you until" in html
    assert 'data-countdown="' in html
    assert "Test payment (no money moves)" in html
    assert "Start lesson one" not in html


def test_the_price_of_an_order_is_explained_line_by_line(browser, buyer) -> None:
    course = CourseFactory()
    PromotionFactory(course=course, price=Decimal(60))
    CouponFactory(seller=course.seller, code="TEN")

    html = page(browser, placed(buyer, course, coupon_code="ten"))

    for text in ("¥100", "−¥40", "Coupon TEN", "−¥6", "¥54"):
        assert html.count(text) >= 2


def test_paying_leads_through_the_sandbox_back_to_lesson_one(browser, buyer) -> None:
    course = CourseFactory(title="Knots")
    lesson = LessonFactory(section__course=course)
    order = placed(buyer, course)

    to_sandbox = browser.post(address(order, "pay"), {"provider": "sandbox"})
    sandbox = browser.get(to_sandbox["Location"])
    decided = browser.post(f"{to_sandbox['Location']}decide/", {"outcome": "success"})
    html = browser.get(decided["Location"]).content.decode()

    assert sandbox["X-Robots-Tag"] == "noindex"
    assert "No money moves" in sandbox.content.decode()
    assert "Pay ¥100" in sandbox.content.decode()
    assert decided["Location"] == f"http://testserver{address(order)}"
    assert "Start lesson one" in html
    learn = browser.get(f"/learn/{course.slug}/", follow=True)
    assert learn.redirect_chain[-1][0].endswith(f"/{lesson.pk}/")
    assert Enrollment.objects.get(user=buyer, course=course).is_active


def test_a_declined_payment_can_be_tried_again(browser, buyer) -> None:
    order = placed(buyer)
    sandbox = browser.post(address(order, "pay"), {"provider": "sandbox"})["Location"]
    declined = browser.post(f"{sandbox}decide/", {"outcome": "decline"}, follow=True)
    assert "did not go through" in declined.content.decode()

    again = browser.post(address(order, "pay"), {"provider": "sandbox"})["Location"]
    done = browser.post(f"{again}decide/", {"outcome": "success"}, follow=True)

    assert again != sandbox
    assert "It is yours" in done.content.decode()
    statuses = Payment.objects.order_by("pk").values_list("status", flat=True)
    assert list(statuses) == [PaymentStatus.FAILED, PaymentStatus.SUCCEEDED]


def test_a_second_click_on_pay_goes_on_with_the_same_payment(browser, buyer) -> None:
    order = placed(buyer)

    first, second = (
        browser.post(address(order, "pay"), {"provider": "sandbox"})["Location"] for _ in range(2)
    )

    assert first == second
    assert Payment.objects.count() == 1


class VendorElsewhere(Sandbox):
    def start(self, request: PaymentRequest) -> StartedPayment:
        self.request = request
        return StartedPayment(redirect_url="https://pay.example/start?of=1")


def test_on_the_way_to_a_vendor_the_browser_names_the_platform_and_no_page(
    browser, buyer, monkeypatch
) -> None:
    """WeChat Pay refuses whoever comes without a Referer of the merchant's domain."""
    monkeypatch.setitem(registry.providers(), "sandbox", VendorElsewhere(secret="s"))

    response = browser.post(address(placed(buyer), "pay"), {"provider": "sandbox"})

    assert response["Location"] == "https://pay.example/start?of=1"
    assert response["Referrer-Policy"] == "origin"


@pytest.mark.parametrize("face", ["page", "api"])
def test_a_vendor_learns_the_buyers_address_and_not_the_proxys(
    browser, buyer, monkeypatch, settings, face
) -> None:
    settings.N_PROXIES = 1
    vendor = VendorElsewhere(secret="s")
    monkeypatch.setitem(registry.providers(), "sandbox", vendor)
    order = placed(buyer)
    path = {"page": address(order, "pay"), "api": f"/api/v1/orders/{order.public_id}/pay/"}[face]

    browser.post(path, {"provider": "sandbox"}, **JSON[face], headers=THROUGH_PROXY)

    assert vendor.request.client_ip == "203.0.113.7"


def test_on_the_way_to_another_page_of_the_platform_nothing_changes(browser, buyer) -> None:
    response = browser.post(address(placed(buyer), "pay"), {"provider": "sandbox"})

    assert response["Location"].startswith("/")
    assert response["Referrer-Policy"] == "same-origin"


def test_leaving_the_sandbox_changes_nothing(browser, buyer) -> None:
    order = placed(buyer)
    sandbox = browser.post(address(order, "pay"), {"provider": "sandbox"})["Location"]

    browser.post(f"{sandbox}decide/", {"outcome": "something"})

    assert "Held for you until" in page(browser, order)
    assert SandboxPayment.objects.get().state == "open"


def test_a_decided_payment_of_the_sandbox_offers_no_second_decision(browser, buyer) -> None:
    paid(buyer)
    reference = SandboxPayment.objects.get().reference

    html = browser.get(reverse("catalog:sandbox", args=[reference])).content.decode()

    assert "This payment is made." in html
    assert 'name="outcome"' not in html


@pytest.mark.parametrize("provider", ["", "nobody", "x" * 500])
def test_a_provider_that_is_not_set_up_is_refused_with_a_word(browser, buyer, provider) -> None:
    order = placed(buyer)

    response = browser.post(address(order, "pay"), {"provider": provider}, follow=True)

    assert "There is no payment provider" in response.content.decode()
    assert not Payment.objects.exists()


def test_a_cancelled_order_gives_everything_back_and_says_so(browser, buyer) -> None:
    promotion = PromotionFactory(seats=1, seats_left=1)
    order = placed(buyer, promotion.course)

    html = browser.post(address(order, "cancel"), follow=True).content.decode()

    promotion.refresh_from_db()
    assert "This order is cancelled" in html
    assert promotion.seats_left == 1


def test_a_paid_order_cannot_be_cancelled(browser, buyer) -> None:
    order = paid(buyer)

    html = browser.post(address(order, "cancel"), follow=True).content.decode()

    assert "does not wait for payment any more" in html
    assert "It is yours" in html


def test_an_order_whose_time_is_over_cannot_be_paid(browser, buyer) -> None:
    order = placed(buyer)
    Order.objects.update(expires_at=timezone.now())

    html = page(browser, order)

    assert "This order has expired" in html
    assert 'name="provider"' not in html
    paying = browser.post(address(order, "pay"), {"provider": "sandbox"}, follow=True)
    assert "does not wait for payment any more" in paying.content.decode()


def test_an_e_book_is_opened_and_a_consultation_has_no_lesson_one(browser, buyer) -> None:
    book = CourseFactory(kind=CourseKind.EBOOK)
    talk = CourseFactory(kind=CourseKind.CONSULTATION)
    slots_of(talk, 1)

    of_book, of_talk = (page(browser, paid(buyer, one)) for one in (book, talk))

    assert "Open the e-book" in of_book
    assert f'href="/learn/{book.slug}/"' in of_book
    assert "/learn/" not in of_talk[of_talk.index("<main") : of_talk.index("</main>")]


def test_a_refund_is_shown_on_its_way_and_done(browser, buyer) -> None:
    kept, given = CourseFactory(title="Knots"), CourseFactory(title="Sails")
    order = paid(buyer, kept, given)
    line = order.lines.get(course=given)
    refund_lines(order=order, line_ids=[line.pk], by=None, reason="private", moment=timezone.now())

    on_its_way = page(browser, order)
    send_due_refunds(moment=timezone.now())
    done = page(browser, order)

    assert "on its way" in on_its_way
    assert "given back" in done
    assert "private" not in done
    assert "Start lesson one" in done
    order.refresh_from_db()
    refund_lines(
        order=order,
        line_ids=order.lines.values_list("pk", flat=True),
        by=None,
        reason="",
        moment=timezone.now(),
    )
    assert "This order is refunded" in page(browser, order)
    assert "Start lesson one" not in page(browser, order)


def test_a_payment_with_a_code_shows_it_as_a_picture_of_the_page_itself(browser, buyer) -> None:
    order = placed(buyer)
    Payment.objects.create(
        order=order, provider="wechat_pay", amount=order.total, qr_code="weixin://wxpay/x?y=1"
    )

    html = page(browser, order)

    source = re.search(r'<img src="(data:image/svg[^"]+)"', html).group(1)
    assert "<script" not in source
    assert "Scan it with your phone" in html
    assert "js/order.js" in html


def test_a_code_holds_its_text_on_a_light_ground() -> None:
    picture = qr_picture("weixin://wxpay/bizpayurl?pr=abc")

    assert picture.startswith("data:image/svg+xml")
    assert "%23fff" in picture
    assert picture != qr_picture("weixin://wxpay/bizpayurl?pr=abd")


@pytest.mark.mariadb
def test_the_time_of_a_consultation_can_be_changed(browser, buyer) -> None:
    talk = CourseFactory(kind=CourseKind.CONSULTATION)
    first, other = slots_of(talk, 1, 2)
    order = paid(buyer, talk, slots=[first.pk])
    line = order.lines.get()
    assert "Change the time" in page(browser, order)

    done = browser.post(address(order, "times", line.pk), {"slot": other.pk}, follow=True)

    assert "is changed" in done.content.decode()
    first.refresh_from_db()
    other.refresh_from_db()
    assert (first.purchase, other.purchase) == (None, line)


def test_a_time_that_is_taken_past_or_of_another_course_is_refused(browser, buyer) -> None:
    talk = CourseFactory(kind=CourseKind.CONSULTATION)
    mine, taken, past = slots_of(talk, 1, 2, -1)
    (foreign,) = slots_of(CourseFactory(kind=CourseKind.CONSULTATION), 1)
    order = paid(buyer, talk, slots=[mine.pk])
    placed(UserFactory(), talk, slots=[taken.pk])
    line = order.lines.get()

    for slot in (taken.pk, past.pk, foreign.pk, 999_999, "x"):
        browser.post(address(order, "times", line.pk), {"slot": slot})
        mine.refresh_from_db()
        assert mine.purchase == line


def test_a_consultation_that_has_begun_is_not_moved(browser, buyer) -> None:
    talk = CourseFactory(kind=CourseKind.CONSULTATION)
    begun, other = slots_of(talk, 1, 2)
    order = paid(buyer, talk, slots=[begun.pk])
    ConsultationSlot.objects.filter(pk=begun.pk).update(starts_at=timezone.now())

    assert "Change the time" not in page(browser, order)
    with pytest.raises(SoldOut):
        move_time(
            buyer_id=buyer.pk,
            line_id=order.lines.get().pk,
            slot_id=other.pk,
            moment=timezone.now(),
        )
    other.refresh_from_db()
    assert other.purchase is None


@pytest.mark.mariadb
@pytest.mark.parametrize("how", ["stranger", "cancelled", "refunded"])
def test_only_who_has_a_consultation_moves_its_time(buyer, how) -> None:
    talk = CourseFactory(kind=CourseKind.CONSULTATION)
    first, other = slots_of(talk, 1, 2)
    order = placed(buyer, talk, slots=[first.pk])
    line = order.lines.get()
    if how == "cancelled":
        client = Client()
        client.force_login(buyer)
        client.post(address(order, "cancel"))
    elif how == "refunded":
        pay_in_sandbox(order=order, outcome="success", return_url="/", moment=timezone.now())
        refund_lines(order=order, line_ids=[line.pk], by=None, reason="", moment=timezone.now())

    with pytest.raises(NoBooking):
        move_time(
            buyer_id=UserFactory().pk if how == "stranger" else buyer.pk,
            line_id=line.pk,
            slot_id=other.pk,
            moment=timezone.now(),
        )

    other.refresh_from_db()
    assert other.purchase is None
