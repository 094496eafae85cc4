"""The cart: filled without signing in, priced as an order will be, ordered once."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.checkout import MOST_COURSES
from catalog.coupons import claim_coupon
from catalog.models import (
    ConsultationSlot,
    Coupon,
    CouponClaim,
    Course,
    CourseKind,
    CourseStatus,
    Order,
    OrderStatus,
)
from streams.cart import Cart, CartFull, CartLine
from streams.models import OrderAttribution, SessionCoupon
from tests.factories import (
    PASSWORD,
    CouponFactory,
    CourseFactory,
    EnrollmentFactory,
    LiveSessionFactory,
    PromotionFactory,
    SessionPromotionFactory,
    ShowcaseItemFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db
CART = "/cart/"


@pytest.fixture
def visitor() -> Client:
    return Client(headers={"accept-language": "en"})


@pytest.fixture
def buyer(visitor):
    person = UserFactory()
    visitor.force_login(person)
    return person


def put(client: Client, course: Course, **also: object):
    return client.post("/cart/add/", {"course": course.pk, "then": "buy", **also})


def html_of(client: Client) -> str:
    response = client.get(CART)
    assert response.status_code == 200
    return response.content.decode()


def shown_form(html: str) -> dict[str, str]:
    """What the button of the cart sends."""
    return {
        name: re.search(f'name="{name}" value="([^"]+)"', html).group(1)
        for name in ("expected_total", "key")
    }


def order_from(client: Client, html: str | None = None):
    return client.post("/cart/checkout/", shown_form(html or html_of(client)), follow=True)


def slot_of(course: Course, **after: int) -> ConsultationSlot:
    begins = timezone.now() + timedelta(**after)
    return ConsultationSlot.objects.create(
        course=course, starts_at=begins, ends_at=begins + timedelta(hours=1)
    )


def test_an_empty_cart_says_so_and_shows_the_way_to_courses(visitor) -> None:
    html = html_of(visitor)

    assert "Your cart is empty" in html
    assert "checkout" not in html


def test_a_visitor_fills_a_cart_and_keeps_it_through_signing_up(visitor) -> None:
    put(visitor, CourseFactory(title="Knots"))

    page = html_of(visitor)
    signed_up = visitor.post(
        "/account/signup/",
        {"email": "new@example.com", "password1": PASSWORD, "next": CART},
        follow=True,
    )

    assert 'href="/account/signup/?next=/cart/"' in page
    assert 'href="/account/login/?next=/cart/"' in page
    assert signed_up.redirect_chain[-1][0] == CART
    assert "Knots" in signed_up.content.decode()


def test_a_cart_is_kept_through_signing_in(visitor) -> None:
    person = UserFactory()
    put(visitor, CourseFactory(title="Knots"))

    signed_in = visitor.post(
        "/account/login/",
        {"login": person.email, "password": PASSWORD, "next": CART},
        follow=True,
    )

    assert signed_in.redirect_chain[-1][0] == CART
    assert "Knots" in signed_in.content.decode()


def test_a_visitor_who_orders_is_led_to_sign_in_and_back(visitor) -> None:
    put(visitor, CourseFactory())

    response = visitor.post(
        "/cart/checkout/", {"expected_total": "100.00", "key": str(uuid.uuid4())}
    )

    assert response["Location"] == "/account/login/?next=/cart/"
    assert not Order.objects.exists()


def test_buy_now_goes_to_the_cart_and_add_stays_where_one_was(visitor) -> None:
    course = CourseFactory()

    bought = put(visitor, course)
    added = visitor.post(
        "/cart/add/", {"course": course.pk, "then": "stay", "next": "/live/?page=1"}, follow=True
    )

    assert bought["Location"] == CART
    assert added.redirect_chain == [("/live/?page=1", 302)]
    assert "is in your cart" in added.content.decode()


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "javascript:x"])
def test_adding_leads_to_no_page_elsewhere(visitor, elsewhere) -> None:
    course = CourseFactory()

    response = visitor.post("/cart/add/", {"course": course.pk, "then": "stay", "next": elsewhere})

    assert response["Location"] == CART


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"course": "x", "then": "buy"},
        {"course": "0", "then": "buy"},
        {"course": str(2**70), "then": "buy"},
        {"course": "1", "then": "run"},
        {"course": "1", "then": "buy", "slot": "a"},
        {"course": "999999", "then": "buy"},
    ],
)
def test_what_is_no_course_on_sale_is_not_added(visitor, body) -> None:
    CourseFactory(pk=1, status=CourseStatus.ARCHIVED)

    assert visitor.post("/cart/add/", body).status_code == 404
    assert "Your cart is empty" in html_of(visitor)


def test_a_course_is_in_the_cart_once_and_can_be_taken_out(visitor) -> None:
    course = CourseFactory(title="Knots")
    put(visitor, course)
    put(visitor, course)
    assert html_of(visitor).count('class="basket__line"') == 1
    assert 'aria-label="Cart, 1 course"' in html_of(visitor)

    visitor.post(f"/cart/remove/{course.pk}/")

    assert "Your cart is empty" in html_of(visitor)


def test_a_cart_holds_as_many_courses_as_an_order_and_no_more() -> None:
    cart = Cart({})
    for number in range(MOST_COURSES):
        cart.add(CartLine(number))

    cart.add(CartLine(3))
    with pytest.raises(CartFull):
        cart.add(CartLine(MOST_COURSES))

    assert len(cart) == MOST_COURSES


def test_the_total_is_explained_line_by_line_and_is_what_is_charged(visitor, buyer) -> None:
    course = CourseFactory(title="Knots")
    PromotionFactory(course=course, price=Decimal(60))
    CouponFactory(seller=course.seller, code="TEN")
    put(visitor, course)
    visitor.post("/cart/coupon/", {"coupon": " ten "})

    html = html_of(visitor)
    order_from(visitor, html)

    for text in ("¥100", "−¥40", "−¥6", "¥54", "Coupon TEN", "Order for ¥54"):
        assert text in html
    order = Order.objects.get()
    assert (order.total, order.coupon.code, order.buyer) == (Decimal(54), "TEN", buyer)


def test_after_the_order_the_cart_is_empty(visitor, buyer) -> None:
    put(visitor, CourseFactory())

    page = order_from(visitor)

    order = Order.objects.get()
    assert page.redirect_chain[-1][0] == reverse("catalog:order", args=[order.public_id])
    assert order.status == OrderStatus.PENDING
    assert "Your cart is empty" in html_of(visitor)


def test_a_second_click_and_the_back_button_lead_to_the_same_order(visitor, buyer) -> None:
    put(visitor, CourseFactory())
    html = html_of(visitor)

    first, second = order_from(visitor, html), order_from(visitor, html)

    assert first.redirect_chain[-1] == second.redirect_chain[-1]
    assert Order.objects.count() == 1


def test_a_price_that_rose_is_shown_before_anything_is_ordered(visitor, buyer) -> None:
    promotion = PromotionFactory()
    put(visitor, promotion.course)
    html = html_of(visitor)
    promotion.is_active = False
    promotion.save()

    again = order_from(visitor, html)

    assert not Order.objects.exists()
    assert again.redirect_chain[-1][0] == CART
    text = again.content.decode()
    assert "The price has changed" in text
    assert "Order for ¥100" in text


def test_a_promotion_whose_last_seat_went_is_said_honestly(visitor, buyer) -> None:
    promotion = PromotionFactory(seats=1, seats_left=1)
    put(visitor, promotion.course)
    html = html_of(visitor)
    promotion.seats_left = 0
    promotion.save()

    again = order_from(visitor, html)

    assert not Order.objects.exists()
    text = again.content.decode()
    assert "All seats at this price are taken." in text
    assert "All seats at ¥60 are taken; this is the price now." in text
    assert order_from(visitor, text).status_code == 200
    assert Order.objects.get().total == Decimal(100)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("NOWHERE", "There is no coupon “NOWHERE”."),
        ("OVER", "This coupon is not valid now."),
        ("OTHER", "This coupon is for other courses."),
        ("LEAST", "This coupon needs at least"),
        ("SPENT", "This coupon has been used up."),
        ("BUDGET", "This coupon has been used up."),
        ("<b>", "There is no coupon “&lt;b&gt;”."),
    ],
)
def test_a_coupon_that_takes_nothing_off_says_why_beside_its_field(
    visitor, buyer, code, reason
) -> None:
    course = CourseFactory()
    seller = course.seller
    CouponFactory(code="OTHER")
    CouponFactory(code="OVER", seller=seller, ends_at=timezone.now())
    CouponFactory(code="LEAST", seller=seller, minimum_spend=500)
    CouponFactory(code="SPENT", seller=seller, max_uses=1, n_used=1)
    CouponFactory(code="BUDGET", seller=seller, budget=9)
    put(visitor, course)

    visitor.post("/cart/coupon/", {"coupon": code})

    html = html_of(visitor)
    error = re.search('id="coupon-error">([^<]+)<', html).group(1)
    assert error.startswith(reason)
    assert 'aria-describedby="coupon-error"' in html
    order_from(visitor, html)
    assert Order.objects.get().total == Decimal(100)


def test_a_coupon_that_the_buyer_has_used_is_not_taken_off(visitor, buyer) -> None:
    course = CourseFactory()
    other = CourseFactory(seller=course.seller)
    coupon = CouponFactory(seller=course.seller)
    for one in (course, other):
        put(visitor, one)
        visitor.post("/cart/coupon/", {"coupon": coupon.code})
        html = html_of(visitor)
        order_from(visitor, html)

    assert "You have used this coupon already." in html
    assert [order.total for order in Order.objects.order_by("pk")] == [90, 100]


def test_a_coupon_that_is_spent_before_the_click_is_said_and_the_cart_stays(visitor, buyer) -> None:
    course = CourseFactory()
    coupon = CouponFactory(seller=course.seller, max_uses=1)
    put(visitor, course)
    visitor.post("/cart/coupon/", {"coupon": coupon.code})
    html = html_of(visitor)
    Coupon.objects.update(n_used=1)

    again = order_from(visitor, html)

    assert not Order.objects.exists()
    assert "This coupon has been used up." in again.content.decode()
    assert "Order for ¥100" in again.content.decode()


def test_a_coupon_can_be_taken_away_and_claimed_ones_are_offered(visitor, buyer) -> None:
    course = CourseFactory()
    coupon = CouponFactory(seller=course.seller, code="CLAIMED")
    claim_coupon(person=buyer, coupon=coupon, moment=timezone.now())
    put(visitor, course)
    assert 'name="coupon" value="CLAIMED"' in html_of(visitor)

    visitor.post("/cart/coupon/", {"coupon": "CLAIMED"})
    with_it = html_of(visitor)
    visitor.post("/cart/coupon/", {"coupon": ""})

    assert "Order for ¥90" in with_it
    assert "Your coupons" not in with_it
    assert "Order for ¥100" in html_of(visitor)


@pytest.mark.parametrize("how", ["archived", "deleted"])
def test_a_course_that_is_gone_drops_out_with_a_kind_word(visitor, how) -> None:
    course = CourseFactory(title="Knots")
    put(visitor, course)
    put(visitor, CourseFactory(title="Sails"))
    if how == "deleted":
        course.delete()
    else:
        Course.objects.filter(pk=course.pk).update(status=CourseStatus.ARCHIVED)

    html = html_of(visitor)

    assert "has left your cart" in html
    assert "Sails" in html
    assert "has left your cart" not in html_of(visitor)


def test_a_course_that_one_has_drops_out_and_leads_to_its_lessons(visitor, buyer) -> None:
    course = EnrollmentFactory(user=buyer, course__title="Knots & <b>").course

    put(visitor, course)

    html = html_of(visitor)
    assert "You already have “Knots &amp; &lt;b&gt;”" in html
    assert f'href="/learn/{course.slug}/"' in html
    assert 'class="basket__line"' not in html


def test_a_course_bought_between_cart_and_click_is_not_bought_again(visitor, buyer) -> None:
    course = CourseFactory()
    put(visitor, course)
    html = html_of(visitor)
    EnrollmentFactory(user=buyer, course=course)

    again = order_from(visitor, html)

    assert not Order.objects.exists()
    assert "You already have" in again.content.decode()
    assert f"/learn/{course.slug}/" in again.content.decode()


def test_sellers_do_not_buy_from_themselves(visitor) -> None:
    course = CourseFactory()
    visitor.force_login(course.seller)

    put(visitor, course)

    assert "is your own course" in html_of(visitor)
    assert "Your cart is empty" in html_of(visitor)


def test_a_course_with_an_open_order_leads_to_that_order(visitor, buyer) -> None:
    course = CourseFactory()
    put(visitor, course)
    order_from(visitor)
    put(visitor, course)

    again = order_from(visitor)

    order = Order.objects.get()
    assert again.redirect_chain[-1][0] == reverse("catalog:order", args=[order.public_id])
    assert "waits for payment" in again.content.decode()


def test_a_free_course_is_had_at_once_and_the_button_says_so(visitor, buyer) -> None:
    put(visitor, CourseFactory(list_price=0))
    html = html_of(visitor)

    page = order_from(visitor, html)

    assert "Get it for free" in html
    assert Order.objects.get().status == OrderStatus.PAID
    assert "Start lesson one" in page.content.decode()
    assert "provider" not in page.content.decode()


def test_courses_in_two_currencies_say_that_they_need_two_orders(visitor, buyer) -> None:
    put(visitor, CourseFactory(title="Knots"))
    put(visitor, CourseFactory(title="Sails", currency="USD"))

    html = html_of(visitor)

    assert "Courses in different currencies cannot be bought in one order." in html
    assert "Knots" in html
    assert 'name="expected_total"' not in html
    visitor.post("/cart/checkout/", {"expected_total": "200.00", "key": str(uuid.uuid4())})
    assert not Order.objects.exists()


def test_a_wrong_coupon_and_two_currencies_break_nothing(visitor) -> None:
    put(visitor, CourseFactory())
    visitor.post("/cart/coupon/", {"coupon": "NOWHERE"})
    put(visitor, CourseFactory(currency="USD"))

    assert "different currencies" in html_of(visitor)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"expected_total": "x", "key": str(uuid.uuid4())},
        {"expected_total": "-1", "key": str(uuid.uuid4())},
        {"expected_total": "NaN", "key": str(uuid.uuid4())},
        {"expected_total": "100.00", "key": "k" * 300},
    ],
)
def test_a_broken_form_orders_nothing(visitor, buyer, body) -> None:
    put(visitor, CourseFactory())

    assert visitor.post("/cart/checkout/", body)["Location"] == CART
    assert not Order.objects.exists()


def test_nobody_is_led_to_an_order_of_somebody_else_by_its_key(visitor, buyer) -> None:
    course = CourseFactory()
    put(visitor, course)
    html = html_of(visitor)
    order_from(visitor, html)
    other = Client()
    other.force_login(UserFactory())
    put(other, course)

    order_from(other, html)

    assert Order.objects.values("buyer").distinct().count() == Order.objects.count() == 2


def test_the_chosen_time_of_a_consultation_is_the_one_that_is_held(visitor, buyer) -> None:
    course = CourseFactory(kind=CourseKind.CONSULTATION)
    slot_of(course, days=1)
    chosen = slot_of(course, days=2)
    put(visitor, course, slot=chosen.pk)
    assert f'<option value="{chosen.pk}" selected>' in html_of(visitor)

    order_from(visitor)

    chosen.refresh_from_db()
    assert chosen.purchase.order == Order.objects.get()


def test_a_time_that_was_taken_meanwhile_is_chosen_anew(visitor, buyer) -> None:
    course = CourseFactory(kind=CourseKind.CONSULTATION)
    chosen, other = slot_of(course, days=1), slot_of(course, days=2)
    put(visitor, course, slot=chosen.pk)
    html = html_of(visitor)
    chosen.delete()

    again = order_from(visitor, html)

    assert not Order.objects.exists()
    assert "Please choose another one." in again.content.decode()
    order_from(visitor, again.content.decode())
    other.refresh_from_db()
    assert other.purchase is not None


def test_a_time_of_another_course_is_not_kept(visitor, buyer) -> None:
    foreign = slot_of(CourseFactory(kind=CourseKind.CONSULTATION), days=1)
    put(visitor, CourseFactory(), slot=foreign.pk)

    html = html_of(visitor)

    assert "Please choose another one." in html
    order_from(visitor)
    assert Order.objects.exists()


def test_a_course_from_a_live_session_has_its_price_and_counts_for_it(visitor, buyer) -> None:
    offer = SessionPromotionFactory(
        live_session=LiveSessionFactory(live=True), promotion__price=Decimal(50)
    )
    course, session = offer.promotion.course, offer.live_session
    ShowcaseItemFactory(live_session=session, course=course)
    put(visitor, course, live_session=session.pk)

    html = html_of(visitor)
    order_from(visitor, html)

    assert "Order for ¥50" in html
    assert session.title in html
    order = Order.objects.get()
    assert order.total == Decimal(50)
    assert OrderAttribution.objects.get(order=order).live_session == session


def test_of_several_sessions_the_live_one_added_last_counts(visitor, buyer) -> None:
    course = CourseFactory()
    ended, first, last, scheduled = (
        LiveSessionFactory(seller=course.seller, **kind)
        for kind in ({"ended": True}, {"live": True}, {"live": True}, {})
    )
    foreign = LiveSessionFactory(live=True)
    for session in (first, last, ended, scheduled, foreign):
        put(visitor, CourseFactory(seller=course.seller), live_session=session.pk)

    order_from(visitor)

    assert OrderAttribution.objects.get().live_session == last


def test_looked_at_on_its_own_page_a_course_still_comes_from_the_session(visitor, buyer) -> None:
    session = LiveSessionFactory(live=True)
    course = CourseFactory(seller=session.seller)
    put(visitor, course, live_session=session.pk)

    put(visitor, course)
    order_from(visitor)

    assert OrderAttribution.objects.get().live_session == session


def test_a_draft_session_of_somebody_else_changes_nothing(visitor, buyer) -> None:
    session = LiveSessionFactory(draft=True)
    put(visitor, CourseFactory(seller=session.seller), live_session=session.pk)

    order_from(visitor)

    assert Order.objects.exists()
    assert not OrderAttribution.objects.exists()


def test_a_session_page_offers_its_courses_at_its_price(visitor) -> None:
    offer = SessionPromotionFactory(
        live_session=LiveSessionFactory(live=True), promotion__price=Decimal(50)
    )
    ShowcaseItemFactory(live_session=offer.live_session, course=offer.promotion.course)

    html = visitor.get(f"/live/{offer.live_session.pk}/").content.decode()

    assert "Buy for ¥50" in html
    assert f'name="live_session" value="{offer.live_session.pk}"' in html
    assert f'?live={offer.live_session.pk}"' in html


def test_a_session_that_has_not_begun_sells_nothing(visitor) -> None:
    item = ShowcaseItemFactory()

    html = visitor.get(f"/live/{item.live_session.pk}/").content.decode()

    assert "/cart/add/" not in html


def without_templates(page) -> str:
    """The page without what stands at its foot for script to fill in."""
    return page.content.decode().partition("<template")[0]


def test_a_session_page_leads_owners_to_the_lessons(visitor, buyer) -> None:
    item = ShowcaseItemFactory(live_session=LiveSessionFactory(live=True))
    EnrollmentFactory(user=buyer, course=item.course)

    html = without_templates(visitor.get(f"/live/{item.live_session.pk}/"))

    assert "Yours: to the lessons" in html
    assert "/cart/add/" not in html


@pytest.mark.parametrize(
    ("asked", "price"), [("{live}", "¥50"), ("", "¥100"), ("abc", "¥100"), ("9" * 30, "¥100")]
)
def test_the_course_page_has_the_price_of_the_session_that_one_comes_from(
    visitor, asked, price
) -> None:
    offer = SessionPromotionFactory(
        live_session=LiveSessionFactory(live=True), promotion__price=Decimal(50)
    )
    course, session = offer.promotion.course, offer.live_session
    ShowcaseItemFactory(live_session=session, course=course)
    address = reverse("catalog:course_detail", args=[course.slug])

    html = visitor.get(address, {"live": asked.format(live=session.pk)}).content.decode()

    box = html[html.index('class="offer__price"') :]
    assert box[: box.index("</p>")].count(f"<b>{price}</b>") == 1
    assert ('name="live_session"' in html) is (price == "¥50")


def handed_out(**kind: object) -> SessionCoupon:
    session = LiveSessionFactory(**(kind or {"live": True}))
    coupon = CouponFactory(seller=session.seller)
    return SessionCoupon.objects.create(live_session=session, coupon=coupon)


def test_a_coupon_handed_out_is_claimed_once_and_then_offered(visitor, buyer) -> None:
    handed = handed_out()
    address = f"/live/{handed.live_session.pk}/"
    claim = f"{address}coupons/{handed.coupon.pk}/claim/"
    assert "Claim now" in without_templates(visitor.get(address))

    for _ in range(2):
        page = visitor.post(claim, follow=True)

    assert "It is yours" in without_templates(page)
    assert "Claim now" not in without_templates(page)
    assert CouponClaim.objects.get().user == buyer


def test_a_visitor_signs_up_to_claim_and_comes_back(visitor) -> None:
    handed = handed_out()
    address = f"/live/{handed.live_session.pk}/"

    html = visitor.get(address).content.decode()

    assert f'href="/account/signup/?next={address}"' in html
    assert handed.coupon.code in html


@pytest.mark.parametrize("how", ["ended", "spent", "other"])
def test_what_is_not_handed_out_now_cannot_be_claimed(visitor, buyer, how) -> None:
    handed = handed_out(ended=True) if how == "ended" else handed_out()
    coupon = CouponFactory() if how == "other" else handed.coupon
    if how == "spent":
        Coupon.objects.update(max_uses=1, n_used=1)

    visitor.post(f"/live/{handed.live_session.pk}/coupons/{coupon.pk}/claim/")

    assert not CouponClaim.objects.exists()


def test_forms_of_buying_need_a_token_of_the_page() -> None:
    client = Client(enforce_csrf_checks=True)
    for path in ("add/", "coupon/", "checkout/", "remove/1/"):
        assert client.post(f"/cart/{path}").status_code == 403
