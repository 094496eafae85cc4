"""Whether the orders of a sample market are such as the real checkout leaves, asked in SQL."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from xml.etree import ElementTree

import pytest
from django.conf import settings
from django.db import connection, transaction

from accounts.models import User
from analytics.pipelines.figures import refresh_figures
from analytics.sample_market import writing
from analytics.sample_market.market import Market, build_market
from catalog.checkout import OrderRequest
from catalog.models import (
    ConsultationSlot,
    Course,
    CourseKind,
    Enrollment,
    Lesson,
    LessonKind,
    OrderStatus,
    Purchase,
)
from catalog.payments.paying import pay_in_sandbox
from catalog.private_files import private_storage
from streams.live_orders import coupons_of_room, place_order, promotions_of_room
from streams.models import LiveSession
from tests.analytics.sample_market.plans import EVENING, plan

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

# Each names what would be wrong, and selects it.
FAULTS = {
    "a paid order has not exactly one charge of its total": """
        SELECT o.id FROM catalog_order o LEFT JOIN catalog_ledgerentry l
            ON l.order_id = o.id AND l.kind = 'charge'
        WHERE o.status IN ('paid', 'refunded') GROUP BY o.id, o.total, o.currency, o.paid_at
        HAVING COUNT(l.id) <> 1 OR MIN(l.amount) <> o.total OR MIN(l.currency) <> o.currency
            OR MIN(l.recorded_at) <> o.paid_at""",
    "money moved in an order that was not paid": """
        SELECT l.id FROM catalog_ledgerentry l JOIN catalog_order o ON o.id = l.order_id
        WHERE o.status NOT IN ('paid', 'refunded')""",
    "a payment is made up": "SELECT id FROM catalog_payment",
    "money came through a provider": """
        SELECT id FROM catalog_ledgerentry WHERE payment_id IS NOT NULL
        UNION SELECT id FROM catalog_refund WHERE payment_id IS NOT NULL""",
    "a key of the ledger is not the one that the rules give": """
        SELECT id FROM catalog_ledgerentry WHERE (kind = 'charge' AND key_ <> 'charge')
            OR (kind = 'refund' AND key_ <> {refund_key}) OR kind NOT IN ('charge', 'refund')""",
    "a refunded line has not exactly one entry of its price": """
        SELECT p.id FROM catalog_purchase p LEFT JOIN catalog_ledgerentry l
            ON l.purchase_id = p.id AND l.kind = 'refund'
        GROUP BY p.id, p.price, p.refunded_at, p.order_id
        HAVING COUNT(l.id) <> (CASE WHEN p.refunded_at IS NULL THEN 0 ELSE 1 END)
            OR MIN(l.amount) <> p.price OR MIN(l.order_id) <> p.order_id
            OR MIN(l.recorded_at) <> p.refunded_at""",
    "a refunded line has not exactly one refund that is done": """
        SELECT p.id FROM catalog_purchase p LEFT JOIN catalog_refund r
            ON r.purchase_id = p.id AND r.status = 'done' AND r.settled_at = p.refunded_at
            AND r.amount = p.price AND r.order_id = p.order_id
        GROUP BY p.id, p.refunded_at
        HAVING COUNT(r.id) <> (CASE WHEN p.refunded_at IS NULL THEN 0 ELSE 1 END)""",
    "an order is refunded and not all of its lines are, or the other way round": """
        SELECT o.id FROM catalog_order o JOIN catalog_purchase p ON p.order_id = o.id
        WHERE o.status IN ('paid', 'refunded') GROUP BY o.id, o.status
        HAVING (o.status = 'refunded') <> (COUNT(p.id) = COUNT(p.refunded_at))""",
    "a line of a paid order that was not refunded is not held by its buyer": """
        SELECT p.id FROM catalog_purchase p JOIN catalog_order o ON o.id = p.order_id
        WHERE o.status = 'paid' AND p.refunded_at IS NULL
            AND (p.holder_id IS NULL OR p.holder_id <> o.buyer_id)""",
    "a line is held that was not paid, or was refunded": """
        SELECT p.id FROM catalog_purchase p JOIN catalog_order o ON o.id = p.order_id
        WHERE p.holder_id IS NOT NULL AND (o.status <> 'paid' OR p.refunded_at IS NOT NULL)""",
    "list price - promotion - coupon is not the price": """
        SELECT p.id FROM catalog_purchase p LEFT JOIN catalog_promotion a ON a.id = p.promotion_id
        WHERE ROUND(COALESCE(a.price, p.list_price) - p.coupon_discount - p.price, 2) <> 0""",
    "an order is not the sum of its lines": """
        SELECT o.id FROM catalog_order o JOIN catalog_purchase p ON p.order_id = o.id
        GROUP BY o.id, o.total, o.list_total
        HAVING ROUND(SUM(p.price) - o.total, 2) <> 0
            OR ROUND(SUM(p.list_price) - o.list_total, 2) <> 0""",
    "something came off without a coupon, or nothing with one": """
        SELECT o.id FROM catalog_order o JOIN catalog_purchase p ON p.order_id = o.id
        GROUP BY o.id, o.coupon_id
        HAVING (o.coupon_id IS NULL) <> (SUM(p.coupon_discount) = 0)""",
    "a coupon took off courses of another seller": """
        SELECT p.id FROM catalog_purchase p JOIN catalog_order o ON o.id = p.order_id
        JOIN catalog_coupon c ON c.id = o.coupon_id JOIN catalog_course k ON k.id = p.course_id
        WHERE p.coupon_discount > 0 AND k.seller_id <> c.seller_id""",
    "a coupon is not used as often as it says, or not for as much": """
        SELECT c.id FROM catalog_coupon c
        LEFT JOIN catalog_order o
            ON o.coupon_id = c.id AND o.status IN ('pending', 'paid', 'refunded')
        LEFT JOIN catalog_purchase p ON p.order_id = o.id
        GROUP BY c.id, c.n_used, c.spent
        HAVING COUNT(DISTINCT o.id) <> c.n_used
            OR ROUND(COALESCE(SUM(p.coupon_discount), 0) - c.spent, 2) <> 0""",
    "a coupon was used too often, by one person too, or outside its time": """
        SELECT c.id FROM catalog_coupon c JOIN catalog_order o ON o.coupon_id = c.id
        GROUP BY c.id, c.n_used, c.max_uses, c.spent, c.budget, c.per_user_limit
        HAVING c.n_used > c.max_uses OR c.spent > c.budget
            OR COUNT(o.id) > c.per_user_limit * COUNT(DISTINCT o.buyer_id)
        UNION SELECT c.id FROM catalog_coupon c JOIN catalog_order o ON o.coupon_id = c.id
        WHERE o.created_at < c.starts_at OR o.created_at >= c.ends_at""",
    "seats left and seats held are not the seats": """
        SELECT a.id FROM catalog_promotion a LEFT JOIN catalog_purchase p
            ON p.promotion_id = a.id AND p.holder_id IS NOT NULL
        WHERE a.seats IS NOT NULL GROUP BY a.id, a.seats, a.seats_left
        HAVING a.seats_left + COUNT(p.id) <> a.seats""",
    "a course is open to who has not paid, or closed to who has": """
        SELECT p.id FROM catalog_purchase p JOIN catalog_order o ON o.id = p.order_id
        LEFT JOIN catalog_enrollment e ON e.purchase_id = p.id
        WHERE (o.status IN ('paid', 'refunded')) <> (e.id IS NOT NULL)
            OR (e.id IS NOT NULL AND e.is_active <> (p.refunded_at IS NULL))
            OR (e.id IS NOT NULL AND (e.user_id <> o.buyer_id OR e.course_id <> p.course_id))""",
    "somebody learns without having bought": """
        SELECT id FROM catalog_enrollment WHERE purchase_id IS NULL""",
    "a paid consultation has no time, or something else has one": """
        SELECT p.id FROM catalog_purchase p JOIN catalog_course k ON k.id = p.course_id
        LEFT JOIN catalog_consultationslot s ON s.purchase_id = p.id
        WHERE (k.kind = 'consultation' AND p.holder_id IS NOT NULL) <> (s.id IS NOT NULL)
            OR (s.id IS NOT NULL AND s.course_id <> p.course_id)""",
    "a free order waited": """
        SELECT id FROM catalog_order
        WHERE total = 0 AND (expires_at IS NOT NULL OR created_at <> paid_at)""",
    "an order was paid after it had ended": """
        SELECT id FROM catalog_order WHERE paid_at > expires_at OR paid_at < created_at""",
    "a purchase is an event other than once": """
        SELECT p.id FROM catalog_purchase p JOIN catalog_order o ON o.id = p.order_id
        LEFT JOIN analytics_event v ON v.kind = 9 AND v.user_id = o.buyer_id
            AND v.course_id = p.course_id AND v.occurred_at = o.paid_at
        WHERE o.status IN ('paid', 'refunded') GROUP BY p.id HAVING COUNT(v.id) <> 1""",
}


@pytest.fixture(scope="module")
def market(
    django_db_setup: None, django_db_blocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Market]:
    """Made once for all tests of this file, and rolled back after them."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("var")
    patch.setattr(settings, "VAR_DIR", folder)
    patch.setattr(settings, "PRIVATE_ROOT", folder / "private")
    with django_db_blocker.unblock(), transaction.atomic():
        yield writing.write_market(plan(seed=4, n_users=500, n_courses=160, n_sessions=90))
        transaction.set_rollback(True)
    patch.undo()


def found(query: str) -> list[tuple]:
    """What the query selects, with the two things that the databases write differently."""
    is_mysql = connection.vendor == "mysql"
    refund_key = "CONCAT('refund-', purchase_id)" if is_mysql else "'refund-' || purchase_id"
    name = connection.ops.quote_name("key")
    with connection.cursor() as cursor:
        cursor.execute(query.replace("{refund_key}", refund_key).replace("key_", name))
        return list(cursor.fetchall())


@pytest.mark.parametrize("fault", FAULTS)
def test_it_never_happens_that(market: Market, fault: str) -> None:
    assert found(FAULTS[fault]) == []


def test_the_market_has_something_of_everything_that_is_asked_about(market: Market) -> None:
    some = {
        "refunded in part": """
            SELECT o.id FROM catalog_order o JOIN catalog_purchase p ON p.order_id = o.id
            WHERE o.status = 'paid' AND p.refunded_at IS NOT NULL""",
        "refunded": "SELECT id FROM catalog_order WHERE status = 'refunded'",
        "expired": "SELECT id FROM catalog_order WHERE status = 'expired'",
        "with a coupon on two lines": """
            SELECT order_id FROM catalog_purchase WHERE coupon_discount > 0
            GROUP BY order_id HAVING COUNT(id) > 1""",
        "with a seat": """
            SELECT p.id FROM catalog_purchase p JOIN catalog_promotion a ON a.id = p.promotion_id
            WHERE a.seats IS NOT NULL""",
        "free": "SELECT id FROM catalog_order WHERE total = 0",
    }
    assert [name for name, query in some.items() if not found(query)] == []


@pytest.mark.parametrize("fault", ["seats left and seats held are not the seats"])
def test_a_fault_would_be_found(market: Market, fault: str) -> None:
    """The questions are not such as always answer nothing."""
    broken = Purchase.objects.filter(promotion__seats__isnull=False, holder__isnull=False)
    with transaction.atomic():
        Purchase.objects.filter(pk=broken.first().pk).update(holder=None)
        assert found(FAULTS[fault])
        assert found(
            FAULTS["a line of a paid order that was not refunded is not held by its buyer"]
        )
        transaction.set_rollback(True)


def test_every_consultation_on_sale_has_free_times_in_the_next_two_weeks(market: Market) -> None:
    on_sale = Course.objects.published().filter(kind=CourseKind.CONSULTATION)
    ahead = ConsultationSlot.objects.filter(
        starts_at__gt=EVENING, starts_at__lt=EVENING + timedelta(days=15)
    )
    assert on_sale.exists()
    for course in on_sale:
        assert ahead.filter(course=course, purchase=None).count() >= 3
    assert ahead.filter(purchase__isnull=False).exists()


def test_no_lesson_says_that_it_is_what_it_is_not(market: Market) -> None:
    assert not Lesson.objects.filter(kind=LessonKind.VIDEO, video_url="").exists()
    assert not Lesson.objects.filter(kind=LessonKind.FILE, file="").exists()
    assert not Lesson.objects.filter(kind=LessonKind.TEXT, body="").exists()


def test_every_e_book_is_a_small_epub_with_its_outline(market: Market) -> None:
    books = Course.objects.filter(kind=CourseKind.EBOOK)
    assert books.exists()
    for course in books:
        lessons = Lesson.objects.filter(section__course=course)
        lesson = lessons.get(kind=LessonKind.FILE)
        assert not lesson.is_preview
        with lesson.file.open("rb") as file:
            content = file.read()
        assert len(content) < 8_000
        archive = zipfile.ZipFile(io.BytesIO(content))
        assert archive.testzip() is None
        assert archive.infolist()[0].filename == "mimetype"
        assert archive.infolist()[0].compress_type == zipfile.ZIP_STORED
        pages = [archive.read(name).decode() for name in archive.namelist()[1:]]
        for page in pages:
            ElementTree.fromstring(page.encode())
        text = "".join(ElementTree.fromstring(pages[-1].encode()).itertext())
        for other in lessons.exclude(pk=lesson.pk):
            assert other.title in text and other.body in text


def test_books_are_equal_in_equal_markets() -> None:
    first, again = (build_market(plan()).files for _ in range(2))
    assert [content for _, content in first] == [content for _, content in again]
    assert first


def test_a_newcomer_can_buy_from_the_live_room_with_seat_and_coupon(market: Market) -> None:
    session = LiveSession.objects.filter(status="live").earliest("started_at")
    pinned = session.pinned.course
    buyer = User.objects.get(email="viewer1@livecourse.example")
    (coupon,) = coupons_of_room(session, moment=EVENING)
    promotion = pinned.promotions.get(pk__in=promotions_of_room(session))
    seats_left = promotion.seats_left
    assert session.seller.email == "seller2@livecourse.example"
    assert pinned.kind == CourseKind.COURSE and seats_left > 10

    with transaction.atomic():
        order = place_order(
            buyer=buyer,
            request=OrderRequest([pinned.pk], coupon_code=coupon.code),
            key="newcomer",
            session=session,
            moment=EVENING,
        )
        pay_in_sandbox(order=order, outcome="success", return_url="http://x/", moment=EVENING)

        order.refresh_from_db()
        promotion.refresh_from_db()
        assert (order.status, order.coupon) == (OrderStatus.PAID, coupon)
        assert order.lines.get().promotion == promotion
        assert order.total < promotion.price < pinned.list_price
        assert promotion.seats_left == seats_left - 1
        assert Enrollment.objects.get(user=buyer, course=pinned).is_active
        transaction.set_rollback(True)


def test_figures_of_every_session_are_the_ledgers(market: Market) -> None:
    with transaction.atomic():
        refresh_figures(everything=True, now=EVENING)
        differing = found("""
            SELECT f.live_session_id FROM analytics_sessionfigures f
            LEFT JOIN streams_orderattribution a ON a.live_session_id = f.live_session_id
            LEFT JOIN catalog_ledgerentry l ON l.order_id = a.order_id
            GROUP BY f.live_session_id, f.gmv, f.net_sales HAVING
            ROUND(COALESCE(SUM(CASE l.kind WHEN 'charge' THEN l.amount END), 0) - f.gmv, 2) <> 0
            OR ROUND(COALESCE(SUM(CASE l.kind WHEN 'refund' THEN l.amount END), 0)
                - (f.gmv - f.net_sales), 2) <> 0""")
        assert differing == []
        transaction.set_rollback(True)


def test_the_storage_of_the_market_is_the_private_one(market: Market) -> None:
    lesson, _content = market.files[0]
    assert private_storage().exists(lesson.file.name)
