"""From a course page or a pinned card to the first lesson, in a real browser on a phone."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone, translation
from django.utils.translation import gettext
from playwright.sync_api import Page, expect

from accounts.models import User
from analytics.models import Event, EventKind
from catalog.checkout import OrderRequest, place_order
from catalog.models import (
    ConsultationSlot,
    CouponClaim,
    CourseKind,
    Enrollment,
    LedgerEntry,
    Order,
    OrderStatus,
    Payment,
    PaymentStatus,
    SandboxPayment,
)
from catalog.payments.paying import pay_in_sandbox
from catalog.payments.registry import provider_named
from catalog.payments.starting import start_payment
from catalog.refunds import refund_lines
from streams.models import OrderAttribution, SessionCoupon
from tests.browser.market import Market, make_market
from tests.browser.test_pages_look_right import LOOKS, RUN_AXE
from tests.browser.test_pages_work import ALL_SENT
from tests.factories import (
    PASSWORD,
    CouponFactory,
    CourseFactory,
    PromotionFactory,
    SessionPromotionFactory,
)

pytestmark = pytest.mark.django_db(transaction=True)


def say(language: str, text: str) -> str:
    """The text in the language of the page."""
    with translation.override({"en": "en", "zh": "zh-hans"}[language]):
        return gettext(text)


@pytest.fixture
def market() -> Market:
    return make_market()


def press(page: Page, name: str) -> None:
    page.locator("main").get_by_role("button", name=name).or_(
        page.locator("main").get_by_role("link", name=name)
    ).first.click()


def sign_up(page: Page, email: str) -> None:
    page.fill("[name=email]", email)
    page.fill("[name=password1]", PASSWORD)
    page.locator(".entrance__form button").click()


def pay(page: Page, language: str = "en") -> None:
    """Choose the sandbox and pay there."""
    page.locator("button[value=sandbox]").click()
    page.locator("button[value=success]").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        say(language, "Thank you. It is yours.")
    )


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_new_visitor_buys_a_course_and_stands_in_lesson_one(open_page, market, language) -> None:
    course = market.course
    page = open_page("/", language=language)

    page.locator("main").get_by_role("link", name=course.title).first.click()
    press(page, say(language, "Buy now"))
    expect(page).to_have_url(re.compile("/cart/$"))
    press(page, say(language, "Sign up to order"))
    sign_up(page, "new@example.com")
    expect(page).to_have_url(re.compile("/cart/$"))
    expect(page.locator(".checkout__sum .sums__total")).to_contain_text("¥99.90")
    page.locator(".checkout__go button").click()
    pay(page, language)
    press(page, say(language, "Start lesson one"))

    expect(page.get_by_role("heading", level=1)).to_have_text("变量")
    buyer = User.objects.get(email="new@example.com")
    order = Order.objects.get()
    assert (order.buyer, order.status, order.total) == (buyer, OrderStatus.PAID, Decimal("99.90"))
    assert Payment.objects.get().status == PaymentStatus.SUCCEEDED
    assert LedgerEntry.objects.get().amount == Decimal("99.90")
    assert Enrollment.objects.get(user=buyer, course=course).is_active
    assert not OrderAttribution.objects.exists()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_pinned_card_with_a_claimed_coupon_counts_for_its_session(
    open_page, live_server, market, language
) -> None:
    course, live = market.course, market.live
    SessionPromotionFactory(
        live_session=live, promotion__course=course, promotion__price=Decimal(80)
    )
    coupon = CouponFactory(seller=course.seller, code="LIVE10", max_uses=5)
    SessionCoupon.objects.create(live_session=live, coupon=coupon)
    page = open_page("/", language=language, person=market.viewer)

    page.goto(f"{live_server.url}/live/{live.pk}/")
    page.locator(".talk__coupons button").click()
    expect(page.locator(".ticket__mine")).to_be_visible()
    page.locator(".talk__pinned .buy button").first.click()
    page.locator("button.ticket").click()
    expect(page.locator(".checkout__sum .sums__total")).to_contain_text("¥72")
    page.locator(".checkout__go button").click()
    pay(page, language)
    press(page, say(language, "Start lesson one"))

    expect(page.get_by_role("heading", level=1)).to_have_text("变量")
    order = Order.objects.get()
    assert (order.status, order.total, order.coupon) == (OrderStatus.PAID, Decimal(72), coupon)
    assert order.lines.get().coupon_discount == Decimal(8)
    assert OrderAttribution.objects.get(order=order).live_session == live
    assert CouponClaim.objects.get().user == market.viewer
    coupon.refresh_from_db()
    assert (coupon.n_used, coupon.spent) == (1, Decimal(8))
    page.evaluate(ALL_SENT)
    added = Event.objects.get(kind=EventKind.ADD_TO_CART)
    assert (added.course, added.live_session) == (course, live)


def test_the_card_of_a_live_session_leads_over_the_course_page_at_its_price(
    open_page, live_server, market
) -> None:
    course, live = market.course, market.live
    SessionPromotionFactory(
        live_session=live, promotion__course=course, promotion__price=Decimal(80)
    )
    page = open_page("/", person=market.viewer)

    page.goto(f"{live_server.url}/live/{live.pk}/")
    page.locator(".talk__pinned .good__title a").click()
    expect(page.locator(".offer__price")).to_contain_text("¥80")
    press(page, "Buy now")
    press(page, "Order for ¥80")
    expect(page.get_by_text("Held for you until")).to_be_visible()

    assert OrderAttribution.objects.get().live_session == live


@pytest.mark.parametrize("has_script", [True, False])
def test_declined_and_paid_with_the_second_try(open_page, live_server, market, has_script) -> None:
    page = open_page("/", person=market.viewer, java_script_enabled=has_script)

    page.goto(f"{live_server.url}/courses/{market.course.slug}/")
    press(page, "Buy now")
    page.locator(".checkout__go button").click()
    press(page, "Test payment")
    press(page, "Decline")
    expect(page.get_by_text("did not go through")).to_be_visible()
    pay(page)
    press(page, "Start lesson one")

    expect(page.get_by_role("heading", level=1)).to_have_text("变量")
    statuses = Payment.objects.order_by("pk").values_list("status", flat=True)
    assert list(statuses) == [PaymentStatus.FAILED, PaymentStatus.SUCCEEDED]
    assert Order.objects.get().status == OrderStatus.PAID


def test_two_clicks_and_the_back_button_make_one_order(open_page, live_server, market) -> None:
    page = open_page("/", person=market.viewer)
    page.goto(f"{live_server.url}/courses/{market.course.slug}/")
    press(page, "Buy now")

    page.get_by_role("button", name="Order for").dblclick(no_wait_after=True)
    page.wait_for_url("**/orders/**")
    page.go_back()
    if page.get_by_role("button", name="Order for").count():
        press(page, "Order for")
        page.wait_for_url("**/orders/**")

    assert Order.objects.count() == 1


def test_buying_works_with_the_keyboard_alone(open_page, live_server, market) -> None:
    page = open_page("/", person=market.viewer)
    page.goto(f"{live_server.url}/courses/{market.course.slug}/")

    for name in ("Buy now", "Order for", "Test payment", "Pay ¥"):
        for _ in range(60):
            page.keyboard.press("Tab")
            if name in page.evaluate("document.activeElement.textContent"):
                break
        assert page.evaluate("document.activeElement.tagName") == "BUTTON", name
        with page.expect_navigation():
            page.keyboard.press("Enter")

    expect(page.get_by_role("link", name="Start lesson one")).to_be_visible()


def test_a_payment_made_elsewhere_is_noticed_by_the_page(open_page, live_server, market) -> None:
    order = order_of(market.viewer, market.course)
    payment = Payment.objects.create(
        order=order, provider="sandbox", amount=order.total, qr_code="weixin://wxpay/x"
    )
    page = open_page("/", person=market.viewer)
    page.clock.install()
    page.goto(f"{live_server.url}/orders/{order.public_id}/")
    expect(page.locator(".order__qr img")).to_be_visible()

    Payment.objects.filter(pk=payment.pk).update(status=PaymentStatus.FAILED)
    pay_in_sandbox(order=order, outcome="success", return_url="/", moment=timezone.now())
    page.clock.run_for(6_000)

    expect(page.get_by_role("link", name="Start lesson one")).to_be_visible()


def order_of(buyer, *courses, **also: object) -> Order:
    return place_order(
        buyer=buyer,
        request=OrderRequest([one.pk for one in courses], **also),
        key=f"key-{Order.objects.count()}",
        moment=timezone.now(),
    )


@pytest.fixture
def stages(market: Market) -> dict[str, Order]:
    """Orders of the viewer in every state: with a coupon, a code, a consultation, a refund."""
    course = CourseFactory(title="Portrait light", seller=market.course.seller)
    PromotionFactory(course=course, price=80)
    book = CourseFactory(title="跑步手册", kind=CourseKind.EBOOK, seller=market.course.seller)
    talk, other_talk = (
        CourseFactory(
            title=title, kind=CourseKind.CONSULTATION, seller=market.course.seller, list_price=300
        )
        for title in ("一对一咨询：你的职业规划，我们一起想清楚", "Ask me anything")
    )
    now = timezone.now()
    for one in (talk, other_talk):
        for days in (1, 2, 3):
            begins = now + timedelta(days=days)
            ConsultationSlot.objects.create(
                course=one, starts_at=begins, ends_at=begins + timedelta(hours=1)
            )
    CouponFactory(seller=talk.seller, code="TEN", per_user_limit=9)
    orders = {"expired": order_of(market.viewer, course)}
    Order.objects.update(expires_at=now)
    orders["refunded"] = order_of(market.viewer, book)
    orders["paid"] = order_of(market.viewer, course, talk, coupon_code="TEN")
    for name in ("refunded", "paid"):
        pay_in_sandbox(order=orders[name], outcome="success", return_url="/", moment=now)
    lines = list(orders["refunded"].lines.values_list("pk", flat=True))
    refund_lines(order=orders["refunded"], line_ids=lines, by=None, reason="", moment=now)
    orders["waiting"] = order_of(market.viewer, book, coupon_code="TEN")
    start_payment(
        order=orders["waiting"],
        provider=provider_named("sandbox"),
        return_url="/",
        moment=now,
    )
    orders["coded"] = order_of(market.viewer, other_talk)
    Payment.objects.create(
        order=orders["coded"], provider="x", amount=1, qr_code="weixin://wxpay/bizpayurl?pr=1"
    )
    return orders


def filled(page: Page, live_server, market: Market, *, coupon: str = "") -> None:
    """Put two courses into the cart of the page's visitor, as the buttons do, and a coupon."""
    for item in list(market.live.showcase.select_related("course"))[:2]:
        page.goto(f"{live_server.url}/live/{market.live.pk}/")
        page.locator(f"#shown-{item.course_id} .buy button").first.click()
    if coupon:
        page.fill("#coupon-code", coupon)
        page.locator(".coupon__row button").click()


@pytest.mark.parametrize(("width", "language", "scheme"), LOOKS)
def test_the_pages_of_buying_are_free_of_barriers_and_fit(
    open_page, axe, live_server, market, stages, width, language, scheme
) -> None:
    options = {"width": width, "language": language, "color_scheme": scheme, "bypass_csp": True}
    coupon = CouponFactory(seller=market.live.seller, code="LIVE10")
    SessionCoupon.objects.create(live_session=market.live, coupon=coupon)
    for days in (1, 2):
        begins = timezone.now() + timedelta(days=days)
        ConsultationSlot.objects.create(
            course=market.live.showcase.last().course,
            starts_at=begins,
            ends_at=begins + timedelta(hours=1),
        )
    visitor, member = (
        open_page("/cart/", **options),
        open_page("/", person=market.viewer, **options),
    )
    mistaken = open_page("/cart/", **options)
    filled(member, live_server, market, coupon="LIVE10")
    filled(mistaken, live_server, market, coupon="NOWHERE")
    orders = [f"/orders/{order.public_id}/" for order in stages.values()]
    payment = SandboxPayment.objects.get(state="open")
    of_viewer = ["/cart/", f"/live/{market.live.pk}/", "/orders/", *orders]
    of_viewer += [f"/payments/sandbox/{payment.reference}/", f"/courses/{market.course.slug}/"]
    for page, paths in ((visitor, ["/cart/"]), (mistaken, ["/cart/"]), (member, of_viewer)):
        for path in paths:
            page.goto(live_server.url + path)
            page.evaluate(axe)

            assert page.evaluate(RUN_AXE) == [], json.dumps([path, width, language, scheme])
            for narrow in (320, width):
                page.set_viewport_size({"width": narrow, "height": 844})
                needed = page.evaluate("document.documentElement.scrollWidth")
                assert needed <= narrow, f"{path} at {narrow} px needs {needed} px"
