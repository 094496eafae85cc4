"""Statements without the query builder write and read what the ORM does, column by column."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from django.core.exceptions import FieldDoesNotExist, FieldError, ValidationError
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from accounts.models import Letter
from accounts.plain_rows import (
    Plus,
    Without,
    change_row,
    fetch_rows,
    fetch_rows_with,
    insert_row,
    insert_row_unless,
)
from catalog.models import (
    Coupon,
    Course,
    Enrollment,
    LedgerEntry,
    Order,
    Payment,
    Promotion,
    Purchase,
    SandboxPayment,
)
from tests.factories import (
    CouponFactory,
    CourseFactory,
    EnrollmentFactory,
    LetterFactory,
    OrderFactory,
    PaymentFactory,
    PromotionFactory,
    PurchaseFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

# In Shanghai, with microseconds, on the day before it in UTC.
AT = datetime(2026, 3, 1, 0, 30, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
LATER = datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
LARGEST = Decimal("99999999.99")
HARD_TEXT = "直播间 🎓👩‍🏫 100%s % %(x)s '; DROP TABLE catalog_order; -- \" ` \\ é\n"


def order() -> Order:
    return Order(
        buyer=UserFactory(),
        status="paid",
        currency="CNY",
        list_total=LARGEST,
        total=Decimal("0.01"),
        coupon=CouponFactory(),
        idempotency_key=HARD_TEXT,
        request_digest="f" * 64,
        created_at=AT,
        paid_at=LATER,
    )


def bare_order() -> Order:
    """Every column that can be empty is, and the defaults hold."""
    return Order(buyer=UserFactory(), list_total=Decimal("0.00"), total=Decimal(0))


def purchase() -> Purchase:
    buyer = UserFactory()
    return Purchase(
        order=OrderFactory(buyer=buyer),
        course=CourseFactory(),
        promotion=PromotionFactory(),
        holder=buyer,
        list_price=LARGEST,
        coupon_discount=Decimal("0.10"),
        price=Decimal("0.20"),
        refunded_at=AT,
    )


def bare_purchase() -> Purchase:
    return Purchase(
        order=OrderFactory(), course=CourseFactory(), list_price=Decimal("19.9"), price=Decimal(1)
    )


def payment() -> Payment:
    return Payment(
        order=OrderFactory(),
        provider="sandbox",
        reference=HARD_TEXT,
        amount=Decimal("0.01"),
        status="succeeded",
        redirect_url="/支付/?a=%20&b='",
        qr_code=HARD_TEXT,
        started_at=AT,
        settled_at=LATER,
    )


def bare_payment() -> Payment:
    return Payment(order=OrderFactory(), provider="sandbox", amount=LARGEST)


def ledger_entry() -> LedgerEntry:
    line = PurchaseFactory()
    return LedgerEntry(
        order=line.order,
        key="charge",
        kind="charge",
        amount=Decimal("0.00"),
        payment=PaymentFactory(order=line.order),
        purchase=line,
        recorded_at=AT,
    )


def enrollment() -> Enrollment:
    return Enrollment(
        user=UserFactory(),
        course=CourseFactory(),
        purchase=PurchaseFactory(),
        is_active=False,
        enrolled_at=AT,
    )


def letter() -> Letter:
    return Letter(
        key=HARD_TEXT[:20],
        kind="receipt",
        recipient=UserFactory(),
        subject_id=2**63 - 1,
        created_at=AT,
        not_before=LATER,
        n_attempts=32767,
        dropped_at=AT,
        last_error=HARD_TEXT,
    )


def promotion() -> Promotion:
    return Promotion(
        course=CourseFactory(),
        price=Decimal("33.33"),
        starts_at=AT,
        ends_at=LATER,
        seats=2,
        seats_left=0,
        is_active=False,
        is_public=False,
    )


def course() -> Course:
    model = CourseFactory.build(seller=UserFactory(), category=CourseFactory().category)
    model.slug, model.title, model.description = "直播-课程", HARD_TEXT, HARD_TEXT
    model.tags = ["直播", "🎓", {"a": [1, 2.5, None, True, HARD_TEXT]}]
    model.level, model.published_at, model.created_at = 3, AT, LATER
    model.cover, model.external_id = "covers/封面.png", None
    return model


def sandbox_payment() -> SandboxPayment:
    return SandboxPayment(
        reference=uuid.UUID(int=1),
        number="0" * 32,
        title=HARD_TEXT,
        amount=LARGEST,
        refunded=Decimal("0.07"),
        state="paid",
        return_url=HARD_TEXT,
        notify_url="",
        created_at=AT,
    )


ROWS: list[Callable[[], Model]] = [
    order, bare_order, purchase, bare_purchase, payment, bare_payment, ledger_entry, enrollment,
    letter, promotion, course, sandbox_payment,
]  # fmt: skip
each_row = pytest.mark.parametrize("made", ROWS, ids=lambda made: made.__name__)


def columns(row: Model) -> dict[str, tuple[type, object]]:
    """What a row holds, by column, with the types: Decimal(1) and 1 are not the same."""
    values = {field.attname: field.value_from_object(row) for field in row._meta.concrete_fields}
    return {name: (type(value), value) for name, value in values.items()}


def by_orm(row: Model) -> Model:
    return type(row)._default_manager.get(pk=row.pk)


@each_row
def test_what_is_inserted_is_what_the_orm_would_have_inserted(made) -> None:
    row = made()
    given = {name: value for name, (_type, value) in columns(row).items() if name != "id"}
    with transaction.atomic():
        assert insert_row(row) is row
        assert not row._state.adding
        plain = columns(by_orm(row))
        # Some of the values are unique: the same row follows in its place.
        transaction.set_rollback(True)
    saved = type(row)(**given)
    saved.save()

    orm = columns(by_orm(saved))

    # A number of its own, and a moment that is set when a row is written.
    for name in {"id", "updated_at"} & set(orm):
        assert plain.pop(name)[0] is orm.pop(name)[0]
    assert plain == orm


@each_row
def test_what_the_orm_saved_is_read_as_the_orm_reads_it(made) -> None:
    row = made()
    row.save()

    (found,) = fetch_rows(type(row), pk=row.pk)

    assert found == row
    assert columns(found) == columns(by_orm(row))
    assert not found._state.adding
    # Saving it is an update, not a second row.
    found.save()
    assert type(row)._default_manager.filter(pk=row.pk).count() == 1


@each_row
def test_a_row_is_found_by_each_of_its_values_and_changed_to_them(made) -> None:
    wanted = made()
    insert_row(wanted)
    wanted = by_orm(wanted)
    values = {
        field.attname: field.value_from_object(wanted)
        for field in wanted._meta.concrete_fields
        # Equal JSON need not be equal text, and a picture is no value to look for.
        if field.get_internal_type() not in ("JSONField", "FileField")
    }

    for name, value in values.items():
        assert wanted in fetch_rows(type(wanted), fields=[name], **{name: value}), name
    assert change_row(type(wanted), wanted.pk, where=values, to=values)

    assert columns(by_orm(wanted)) == columns(wanted)


def test_changed_values_read_by_the_orm_as_given() -> None:
    first, second = CourseFactory(), OrderFactory()
    tags = ["直播", {"🎓": [None, 1.5, HARD_TEXT]}]
    changed = {"tags": tags, "title": HARD_TEXT, "list_price": Decimal("0.10"), "published_at": AT}
    coupon = CouponFactory()

    assert change_row(Course, first.pk, where={}, to=changed)
    assert change_row(
        Order, second.pk, where={"coupon": None}, to={"coupon": coupon, "expires_at": AT}
    )
    assert change_row(Order, second.pk, where={"coupon": coupon}, to={"expires_at": None})

    first.refresh_from_db()
    second.refresh_from_db()
    assert {name: getattr(first, name) for name in changed} == changed
    assert (second.coupon, second.expires_at) == (coupon, None)


@pytest.mark.parametrize(
    "where",
    [{"status": "pending"}, {"status": ["pending", "expired"]}, {"status": []}, {"paid_at": None}],
)
def test_a_row_that_is_not_as_expected_is_not_changed(where) -> None:
    other, row = OrderFactory(status="pending"), OrderFactory()

    assert not change_row(Order, row.pk, where=where, to={"status": "cancelled"})
    assert not change_row(Order, 0, where={}, to={"status": "cancelled"})

    statuses = dict(Order.objects.values_list("pk", "status"))
    assert statuses == {other.pk: "pending", row.pk: "paid"}


def test_the_fields_asked_for_are_read_in_any_order_and_the_others_on_demand() -> None:
    row = PurchaseFactory()

    with CaptureQueriesContext(connection) as read:
        (found,) = fetch_rows(Purchase, fields=["price", "course", "order_id"], pk=row.pk)
        assert (found.pk, found.price, found.course_id, found.order_id) == (
            row.pk, row.price, row.course_id, row.order_id,
        )  # fmt: skip
        assert len(read) == 1
        assert found.list_price == row.list_price
        assert len(read) == 2
    assert found.get_deferred_fields() == {
        "promotion_id", "holder_id", "coupon_discount", "refunded_at",
    }  # fmt: skip
    (alone,) = fetch_rows(Purchase, fields=["pk"], pk=row.pk)
    assert set(alone.__dict__) == {"_state", "id"}


def test_rows_come_by_primary_key_and_all_of_them_without_a_condition() -> None:
    rows = OrderFactory.create_batch(3)
    keys = [one.pk for one in rows]

    for chosen in (keys[::-1], tuple(keys), set(keys), frozenset(keys)):
        assert fetch_rows(Order, pk=chosen) == rows
    assert fetch_rows(Order, pk=keys[:1], buyer=rows[0].buyer) == rows[:1]
    assert fetch_rows(Order, buyer=[rows[0].buyer, rows[2].buyer]) == [rows[0], rows[2]]
    assert fetch_rows(Order) == rows
    assert fetch_rows(Order, pk=[]) == fetch_rows(Order, pk=keys, buyer=()) == []


def test_rows_come_by_primary_key_where_an_index_would_give_another_order() -> None:
    """Rows are locked in the order in which they are read: here, in the same one everywhere."""
    course = CourseFactory()
    promotions = [
        PromotionFactory(course=course, starts_at=AT - timedelta(days=days), ends_at=LATER)
        for days in range(5)
    ]

    assert fetch_rows(Promotion, course=course, starts_at__lte=AT) == promotions


def test_what_no_row_can_be_called_finds_none_as_in_the_orm() -> None:
    """MariaDB numbers from 1, and the ORM saves no row as 0; clients ask for it all the same."""
    OrderFactory()

    assert fetch_rows(Order, pk=0) == fetch_rows(Order, pk=[0, -1]) == fetch_rows(Order, buyer=0)
    assert list(Order.objects.filter(pk=0)) == fetch_rows(Order, pk=0) == []


def test_comparisons_are_those_of_the_orm() -> None:
    for seats in (None, 0, 1, 2):
        PromotionFactory(seats=seats, seats_left=seats, starts_at=AT, ends_at=LATER)
    promotions = Promotion.objects.order_by("pk")
    tick = timedelta(microseconds=1)

    assert fetch_rows(Promotion, seats_left__gt=0) == list(promotions.filter(seats_left__gt=0))
    assert fetch_rows(Promotion, seats_left__lte=1) == list(promotions.filter(seats_left__lte=1))
    no_limit, _none_left, one, two = promotions
    assert fetch_rows(Promotion, seats_left__gt_or_null=0) == [no_limit, one, two]
    # Beside another condition: the OR does not take it over.
    assert fetch_rows(Promotion, pk=one.pk, seats_left__gt_or_null=0) == [one]
    for moment, n_started in ((AT - tick, 0), (AT, 4)):
        assert len(fetch_rows(Promotion, starts_at__lte=moment)) == n_started
    for moment, n_running in ((LATER - tick, 4), (LATER, 0)):
        assert len(fetch_rows(Promotion, ends_at__gt=moment)) == n_running
    assert len(fetch_rows(Promotion, price__gt=Decimal("59.99"))) == 4
    assert fetch_rows(Promotion, price__gt=Decimal("60.00")) == []


def test_plus_adds_to_what_is_there_and_nothing_stays_nothing() -> None:
    counted = PromotionFactory(seats=3, seats_left=3)
    unlimited = PromotionFactory()

    for promotion in (counted, unlimited):
        assert change_row(Promotion, promotion.pk, where={}, to={"seats_left": Plus(-2)})
        assert change_row(
            Promotion, promotion.pk, where={}, to={"seats_left": Plus(1), "price": Decimal("5.50")}
        )

    found = Promotion.objects.order_by("pk").values_list("seats_left", "price")
    assert list(found) == [(2, Decimal("5.50")), (None, Decimal("5.50"))]


def test_constraints_hold_as_for_the_orm() -> None:
    taken, counted = OrderFactory(), PromotionFactory(seats=1, seats_left=0)
    again = Order(
        buyer=taken.buyer, public_id=taken.public_id, list_total=Decimal(1), total=Decimal(1)
    )

    for refused in (
        lambda: insert_row(again),
        lambda: change_row(Promotion, counted.pk, where={}, to={"seats_left": Plus(2)}),
        lambda: change_row(Order, taken.pk, where={}, to={"status": "lost"}),
    ):
        # Which of the two depends on the database: unsigned columns of MariaDB refuse themselves.
        with pytest.raises((IntegrityError, OperationalError)), transaction.atomic():
            refused()

    assert again.pk is None
    assert Order.objects.get() == taken


def test_a_row_that_is_there_takes_over_the_named_fields_alone() -> None:
    there = EnrollmentFactory(is_active=False)
    line = PurchaseFactory(course=there.course)
    again = Enrollment(
        user=there.user, course=there.course, purchase=line, is_active=True, enrolled_at=LATER
    )
    other = Enrollment(user=UserFactory(), course=there.course, enrolled_at=LATER)

    for row in (again, other):
        insert_row(row, update_on_conflict=["purchase", "is_active"], unique=["user", "course"])
        assert row.pk is None

    first, second = Enrollment.objects.order_by("pk")
    assert first.pk == there.pk
    assert (first.purchase, first.is_active, first.enrolled_at) == (line, True, there.enrolled_at)
    assert (second.user, second.enrolled_at) == (other.user, LATER)


def test_rows_to_which_others_point_are_left_out_as_by_the_orm() -> None:
    owned, given_back, other = CourseFactory.create_batch(3)
    person = UserFactory()
    EnrollmentFactory(user=person, course=owned)
    EnrollmentFactory(user=person, course=given_back, is_active=False)
    EnrollmentFactory(course=other)

    found = fetch_rows(
        Course,
        fields=["title"],
        without=Without(Enrollment, "course", {"user": person, "is_active": True}),
        pk=[owned.pk, given_back.pk, other.pk],
    )

    mine = Enrollment.objects.filter(user=person, is_active=True).values("course")
    assert found == list(Course.objects.exclude(pk__in=mine).order_by("pk"))
    assert found == [given_back, other]


def test_rows_come_with_what_they_point_to_in_one_query(django_assert_num_queries) -> None:
    lines = [PurchaseFactory(), PurchaseFactory()]

    with django_assert_num_queries(1):
        found = fetch_rows_with(
            Purchase, "course", fields=["slug", "title"], order=[line.order for line in lines]
        )
        assert [(line.pk, line.price) for line in found] == [
            (line.pk, line.price) for line in lines
        ]
        assert [(line.course.slug, line.course.title) for line in found] == [
            (line.course.slug, line.course.title) for line in lines
        ]
    with django_assert_num_queries(1):
        assert found[0].course.kind == lines[0].course.kind
    with pytest.raises(FieldError, match="promotion of Purchase"):
        fetch_rows_with(Purchase, "promotion", fields=["price"])


def test_a_row_is_inserted_unless_there_is_one_like_it() -> None:
    first = PaymentFactory(status="failed")
    like_it = {"order": first.order, "provider": first.provider, "status": "started"}

    def another() -> Payment:
        return Payment(
            order=first.order,
            provider=first.provider,
            amount=first.amount,
            currency=first.currency,
            started_at=AT,
        )

    inserted, refused = another(), another()
    assert insert_row_unless(inserted, Payment, **like_it)
    assert not insert_row_unless(refused, Payment, **like_it)

    assert (inserted._state.adding, refused.pk) == (False, None)
    stored = Payment.objects.get(pk=inserted.pk)
    assert (stored.status, stored.amount, stored.started_at) == ("started", first.amount, AT)
    assert set(Payment.objects.all()) == {first, inserted}


@pytest.mark.parametrize("name", ["nothing", "lines", "buyer__email", "1 = 1 OR id", "id; DROP"])
def test_a_name_that_means_nothing_is_named_in_the_error(name) -> None:
    order = OrderFactory()

    for call in (
        lambda: fetch_rows(Order, **{name: 1}),
        lambda: fetch_rows(Order, fields=[name], pk=1),
        lambda: change_row(Order, order.pk, where={name: 1}, to={"status": "expired"}),
        lambda: change_row(Order, order.pk, where={}, to={name: 1}),
    ):
        with pytest.raises((FieldDoesNotExist, FieldError), match=name.partition("__")[0]):
            call()


def test_a_field_that_is_kept_in_another_table_has_no_column_here() -> None:
    with pytest.raises(FieldDoesNotExist, match="no column for 'courses'"):
        fetch_rows(Coupon, courses=1)


@pytest.mark.parametrize("text", [HARD_TEXT, "' OR '1'='1", "\\' OR 1=1 -- ", "%s", "%"])
def test_a_value_is_never_read_as_a_statement(text) -> None:
    other, row = LetterFactory(last_error="x"), LetterFactory()

    assert fetch_rows(Letter, last_error=text) == []
    assert fetch_rows(Letter, last_error=[text, "y"]) == []
    assert not change_row(Letter, row.pk, where={"last_error": text}, to={"last_error": "z"})
    assert change_row(Letter, row.pk, where={}, to={"last_error": text})

    assert fetch_rows(Letter, last_error=text) == [row]
    assert dict(Letter.objects.values_list("pk", "last_error")) == {other.pk: "x", row.pk: text}


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ({"pk": "1 OR 1=1"}, ValueError),
        ({"total": "1 OR 1=1"}, ValidationError),
        ({"public_id": "1 OR 1=1"}, ValidationError),
        ({"paid_at": "1 OR 1=1"}, ValidationError),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_before_the_database_is_asked(where, error) -> None:
    with CaptureQueriesContext(connection) as asked, pytest.raises(error):
        fetch_rows(Order, **where)

    assert len(asked) == 0


def test_rows_are_locked_where_the_database_can() -> None:
    row = OrderFactory()

    for is_locked in (False, True):
        with CaptureQueriesContext(connection) as asked, transaction.atomic():
            assert fetch_rows(Order, is_locked=is_locked, pk=row.pk) == [row]
        (statement,) = [one["sql"] for one in asked if one["sql"].startswith("SELECT")]
        can_lock = connection.features.has_select_for_update
        assert statement.endswith(" FOR UPDATE") == (is_locked and can_lock)


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_locked", [False, True])
def test_a_locked_row_is_nobody_elses_until_the_end(is_locked) -> None:
    row = OrderFactory()
    other = connection.copy()
    waits_not = f"SELECT id FROM {Order._meta.db_table} WHERE id = %s FOR UPDATE NOWAIT"

    def is_free() -> bool:
        try:
            with other.cursor() as cursor:
                cursor.execute(waits_not, [row.pk])
        except OperationalError:
            return False
        return True

    try:
        with transaction.atomic():
            fetch_rows(Order, is_locked=is_locked, pk=row.pk)
            assert is_free() == (not is_locked)
        assert is_free()
    finally:
        other.close()
