"""Handing out and removing what is known about a person, with canaries in every text."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.sessions.models import Session
from django.db.models import Model
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.consents import record_consent
from accounts.models import Purpose, User
from analytics.models import (
    Event,
    LearningSummary,
    Profile,
    ProfileCorrection,
    UserRetention,
)
from catalog.checkout import OrderRequest, place_order
from catalog.models import (
    ChosenInterest,
    Enrollment,
    Order,
    OrderStatus,
    Purchase,
    SandboxNotice,
    SandboxPayment,
    SandboxRefund,
    SandboxState,
)
from catalog.payments.paying import pay_in_sandbox
from tests.factories import (
    PASSWORD,
    CategoryFactory,
    ChatMessageFactory,
    ConsultationSlotFactory,
    CouponClaimFactory,
    CouponFactory,
    CourseFactory,
    DrawEntryFactory,
    EnrollmentFactory,
    EventFactory,
    LedgerEntryFactory,
    LessonFactory,
    LessonProgressFactory,
    LetterFactory,
    ModelRunFactory,
    ModerationActFactory,
    ModeratorFactory,
    OperatorFactory,
    OrderAttributionFactory,
    OrderFactory,
    PaymentFactory,
    PollVoteFactory,
    PromotionFactory,
    PurchaseFactory,
    RefundFactory,
    ReminderFactory,
    RestrictionFactory,
    ReviewFactory,
    SectionFactory,
    SellerFactory,
    StatedAttributesFactory,
    UserFactory,
    VisitFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]
TODAY = timezone.now().date()


def person_with_everything(canary: str) -> User:
    """A person with a row in every table that knows people, and the canary in each text."""
    person = UserFactory(
        email=f"{canary}@example.com",
        display_name=canary,
        import_source=canary,
        external_id=canary,
    )
    EmailAddress.objects.create(user=person, email=person.email, primary=True)
    LogEntry.objects.log_actions(OperatorFactory().pk, [person], CHANGE, single_object=True)
    StatedAttributesFactory(user=person)
    LetterFactory(recipient=person)
    record_consent(user=person, purpose=Purpose.TERMS, is_granted=True)
    ChosenInterest.objects.create(user=person, category=CategoryFactory())
    course = CourseFactory()
    order = OrderFactory(buyer=person, idempotency_key=canary, request_digest=canary)
    purchase = PurchaseFactory(order=order, course=course, holder=person)
    payment = PaymentFactory(order=order, redirect_url=f"http://x/{canary}", qr_code=canary)
    LedgerEntryFactory(order=order, payment=payment)
    RefundFactory(
        order=order,
        purchase=purchase,
        payment=payment,
        reason=canary,
        last_error=canary,
        requested_by=person,
    )
    CouponClaimFactory(user=person)
    ConsultationSlotFactory(purchase=purchase)
    OrderAttributionFactory(order=order)
    EnrollmentFactory(user=person, course=course, purchase=purchase)
    lesson = LessonFactory(section=SectionFactory(course=course))
    LessonProgressFactory(user=person, lesson=lesson)
    ReviewFactory(user=person, course=course, text=canary)
    ChatMessageFactory(author=person, text=canary)
    ChatMessageFactory(hidden_by=person)
    ModeratorFactory(user=person)
    RestrictionFactory(user=person, reason=canary)
    RestrictionFactory(imposed_by=person)
    ModerationActFactory(subject=person, note=canary)
    ModerationActFactory(actor=person)
    ReminderFactory(user=person)
    VisitFactory(user=person)
    PollVoteFactory(voter=person)
    DrawEntryFactory(entrant=person)
    EventFactory(user=person, course=course)
    run = ModelRunFactory(task="profiles")
    Profile.objects.create(user=person, run=run, interests=[canary], state={"canary": canary})
    ProfileCorrection.objects.create(user=person, subject="hours", value=[canary])
    UserRetention.objects.create(
        user=person, n_active_days=1, longest_run=1, first_day=TODAY, last_day=TODAY
    )
    LearningSummary.objects.create(user=person, course=course)
    return person


def signed_in(person: User) -> tuple[APIClient, dict[str, str]]:
    """A client with a token, and the tokens; the sign-in is logged."""
    client = APIClient()
    tokens = client.post(
        "/api/v1/auth/token/", {"email": person.email, "password": PASSWORD}
    ).json()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")
    return client, tokens


def dump() -> str:
    """Every row of every table as text, sessions decoded."""
    lines = []
    for model in apps.get_models(include_auto_created=True):
        if model is Session:
            lines += [str(session.get_decoded()) for session in Session.objects.all()]
        else:
            lines += [str(row) for row in model._default_manager.values()]
    return "\n".join(lines)


def rows_of(person: User) -> dict[type[Model], int]:
    """How many rows of each table name the person."""
    found = {}
    for model in apps.get_models(include_auto_created=True):
        for column in model._meta.concrete_fields:
            if column.related_model is User and column.name != "history_user":
                n = model._default_manager.filter(**{column.name: person}).count()
                found[model] = found.get(model, 0) + n
    return found


def test_the_export_holds_all_of_ones_own_data_and_nothing_of_others() -> None:
    person = person_with_everything("canary-mine")
    other = person_with_everything("canary-other")
    client, _ = signed_in(person)

    response = client.get("/api/v1/me/export/")

    text = response.content.decode()
    sections = response.json()["sections"]
    assert response["Content-Disposition"].startswith("attachment")
    assert "canary-other" not in text
    assert str(other.orders.get().public_id) not in text
    assert all(sections.values()), [name for name, rows in sections.items() if not rows]
    assert sections["account"][0]["email"] == person.email
    assert sections["chat_messages"][0]["text"] == "canary-mine"
    assert sections["reviews"][0]["text"] == "canary-mine"
    assert sections["events"][0]["kind"] == "view"
    assert sections["sign_ins"][0]["ip_address"] == "127.0.0.1"
    for secret in (person.password, "password"):
        assert secret not in text


def test_every_table_that_knows_people_is_in_the_export_or_named_here() -> None:
    """A new table with people in it fails here until its rows are exported and erased."""
    person = person_with_everything("canary")
    signed_in(person)
    held = {model._meta.label for model, n in rows_of(person).items() if n}

    assert held == {
        "account.EmailAddress",
        "accounts.Consent",
        "accounts.Letter",
        "accounts.StatedAttributes",
        "analytics.Event",
        "analytics.LearningSummary",
        "analytics.Profile",
        "analytics.ProfileCorrection",
        "analytics.UserRetention",
        "catalog.ChosenInterest",
        "catalog.CouponClaim",
        "catalog.Enrollment",
        "catalog.LessonProgress",
        "catalog.Order",
        "catalog.Purchase",
        "catalog.Refund",
        "catalog.Review",
        "streams.ChatMessage",
        "streams.DrawEntry",
        "streams.ModerationAct",
        "streams.Moderator",
        "streams.PollVote",
        "streams.Reminder",
        "streams.Restriction",
        "streams.Visit",
        "token_blacklist.OutstandingToken",
    }
    # What only sellers and operators have, or what the program does not use.
    others = {model._meta.label for model, n in rows_of(person).items() if not n}
    assert {label for label in others if "Historical" not in label} <= {
        "admin.LogEntry",
        "accounts.User_groups",
        "accounts.User_user_permissions",
        "catalog.Coupon",
        "catalog.Course",
        "streams.LiveSession",
        "streams.SessionChange",
        "streams.StreamKey",
    }


def test_erasure_leaves_no_trace_but_orders_without_a_name() -> None:
    person = person_with_everything("canary-mine")
    person_with_everything("canary-other")
    web = Client()
    web.force_login(person)
    session = web.session
    session["note"] = "canary-mine"
    session.save()
    client, _tokens = signed_in(person)
    client.post("/api/v1/auth/token/", {"email": person.email, "password": "wrong"})
    n_others = dump().count("canary-other")

    response = client.delete("/api/v1/me/", {"password": PASSWORD})

    assert response.status_code == 204
    assert "canary-mine" not in dump()
    assert dump().count("canary-other") == n_others
    assert {model._meta.label for model, n in rows_of(person).items() if n} == {
        "accounts.Consent",
        "catalog.Order",
        "catalog.Purchase",
        "token_blacklist.OutstandingToken",
    }
    order = Order.objects.get(buyer=person)
    assert Purchase.objects.filter(order=order).exists()
    assert (order.buyer.email, order.buyer.display_name, order.total) == (None, "", 100)
    assert order.payments.get().amount == order.ledger.get().amount == order.refunds.get().amount


def test_after_erasure_tokens_sessions_and_password_open_nothing() -> None:
    person = person_with_everything("canary")
    address = person.email
    web = Client()
    web.force_login(person)
    client, tokens = signed_in(person)

    client.delete("/api/v1/me/", {"password": PASSWORD})

    assert client.get("/api/v1/me/").status_code == 401
    client.credentials()
    refresh = client.post("/api/v1/auth/token/refresh/", {"refresh": tokens["refresh"]})
    again = client.post("/api/v1/auth/token/", {"email": address, "password": PASSWORD})
    assert refresh.status_code == again.status_code == 401
    assert web.get("/api/v1/me/").status_code == 401


def test_the_address_is_free_after_erasure() -> None:
    person = UserFactory(email="me@example.com")
    client, _ = signed_in(person)
    client.delete("/api/v1/me/", {"password": PASSWORD})
    client.credentials()

    response = client.post(
        "/api/v1/auth/register/", {"email": "me@example.com", "password": PASSWORD}
    )

    assert response.status_code == 201


def test_the_export_says_what_was_paid_and_what_came_of_it() -> None:
    person = person_with_everything("canary")
    client, _ = signed_in(person)

    sections = client.get("/api/v1/me/export/").json()["sections"]

    (payment,) = sections["payments"]
    assert (payment["provider"], payment["status"]) == ("sandbox", "started")
    assert payment["started_at"]
    assert sections["refunds"][0]["reason"] == "canary"
    assert sections["ledger"][0]["kind"] == "charge"
    assert sections["claimed_coupons"][0]["claimed_at"]
    assert sections["consultations"][0]["starts_at"]
    assert sections["letters"][0]["kind"] == "receipt"


@pytest.mark.parametrize(
    ("section", "amounts"),
    [
        ("orders", {"list_total": "100.00", "total": "100.00"}),
        ("purchases", {"list_price": "100.00", "coupon_discount": "0.00", "price": "100.00"}),
        ("payments", {"amount": "100.00"}),
        ("refunds", {"amount": "100.00"}),
        ("ledger", {"amount": "100.00"}),
    ],
)
def test_money_in_the_export_is_a_decimal_string_beside_its_currency(section, amounts) -> None:
    person = person_with_everything("canary")
    client, _ = signed_in(person)

    (row,) = client.get("/api/v1/me/export/").json()["sections"][section]

    assert {name: row[name] for name in amounts} == amounts
    assert "CNY" in (row.get("currency"), row.get("order__currency"))


def test_the_price_of_a_promotion_in_the_export_is_a_decimal_string_too() -> None:
    person = UserFactory()
    promotion = PromotionFactory(price="89.90")
    PurchaseFactory(order__buyer=person, course=promotion.course, promotion=promotion)
    client, _ = signed_in(person)

    (row,) = client.get("/api/v1/me/export/").json()["sections"]["purchases"]

    assert row["promotion__price"] == "89.90"


def test_erasure_cancels_what_waits_for_payment_and_frees_what_it_held() -> None:
    person = UserFactory()
    promotion = PromotionFactory(seats=3, seats_left=2)
    coupon = CouponFactory(seller=promotion.course.seller, n_used=1, spent=5)
    order = OrderFactory(buyer=person, status=OrderStatus.PENDING, paid_at=None, coupon=coupon)
    PurchaseFactory(
        order=order,
        course=promotion.course,
        promotion=promotion,
        holder=person,
        price=55,
        coupon_discount=5,
    )
    client, _ = signed_in(person)

    client.delete("/api/v1/me/", {"password": PASSWORD})

    for row in (order, promotion, coupon):
        row.refresh_from_db()
    assert order.status == OrderStatus.CANCELLED
    assert (promotion.seats_left, coupon.n_used, coupon.spent) == (3, 0, 0)


@pytest.mark.django_db(transaction=True)
def test_erasure_asks_vendors_to_take_no_money_any_more() -> None:
    course, person = CourseFactory(), UserFactory()
    moment = timezone.now()
    request = OrderRequest([course.pk])
    order = place_order(buyer=person, request=request, key="k", moment=moment)
    pay_in_sandbox(order=order, outcome="timeout", return_url="http://x/", moment=moment)
    client, _ = signed_in(person)

    client.delete("/api/v1/me/", {"password": PASSWORD})

    assert SandboxPayment.objects.get().state == SandboxState.CLOSED


def test_erasure_frees_times_ahead_and_keeps_those_that_were() -> None:
    person, now = UserFactory(), timezone.now()
    ahead, past = (
        ConsultationSlotFactory(
            purchase=PurchaseFactory(order__buyer=person, holder=person),
            starts_at=now + timedelta(days=days),
            ends_at=now + timedelta(days=days, hours=1),
        )
        for days in (1, -1)
    )
    client, _ = signed_in(person)

    client.delete("/api/v1/me/", {"password": PASSWORD})

    for slot in (ahead, past):
        slot.refresh_from_db()
    assert ahead.purchase is None
    assert past.purchase is not None


def test_the_book_of_the_sandbox_names_nobody() -> None:
    """Erasure leaves it alone, so nothing in it may be about a person."""
    columns = {
        column.name
        for model in (SandboxPayment, SandboxRefund, SandboxNotice)
        for column in model._meta.concrete_fields
        if column.related_model not in (None, SandboxPayment)
    }
    person = UserFactory(email="canary@example.com", display_name="canary")
    order = place_order(
        buyer=person,
        request=OrderRequest([CourseFactory().pk]),
        key="canary",
        moment=timezone.now(),
    )
    moment = timezone.now()
    pay_in_sandbox(order=order, outcome="success", return_url="http://x/", moment=moment)

    assert columns == set()
    rows = [str(row) for row in SandboxPayment.objects.values()]
    assert rows and not any("canary" in row or f"'{person.pk}'" in row for row in rows)


def test_a_wrong_password_erases_nothing() -> None:
    person = person_with_everything("canary")
    client, _ = signed_in(person)
    before = rows_of(person)

    response = client.delete("/api/v1/me/", {"password": "wrong"})

    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == "wrong_password"
    assert rows_of(person) == before


def test_trying_passwords_by_erasure_is_limited() -> None:
    client, _ = signed_in(UserFactory())

    codes = {client.delete("/api/v1/me/", {"password": "wrong"}).status_code for _ in range(21)}

    assert codes == {400, 429}


def test_a_seller_with_courses_cannot_vanish() -> None:
    seller = SellerFactory()
    client, _ = signed_in(seller)

    response = client.delete("/api/v1/me/", {"password": PASSWORD})

    assert response.status_code == 409
    assert response.json()["errors"][0]["code"] == "ended_by_operator"
    seller.refresh_from_db()
    assert seller.is_active


def test_a_failure_on_the_way_erases_nothing(monkeypatch) -> None:
    from accounts import personal_data

    person = person_with_everything("canary")
    before = rows_of(person)

    def fail(person: User) -> None:
        raise RuntimeError("disk full")

    holder = personal_data.Holder(personal_data.export_account, fail)
    monkeypatch.setitem(personal_data._holders, "accounts", holder)
    with pytest.raises(RuntimeError):
        personal_data.erase_person(person=person, password=PASSWORD)

    assert rows_of(person) == before


def test_events_of_the_erased_person_alone_are_removed() -> None:
    person, other = UserFactory(), UserFactory()
    EventFactory(user=person)
    kept = EventFactory(user=other)
    visitor = EventFactory(user=None, visitor_id=uuid.uuid4())
    client, _ = signed_in(person)

    client.delete("/api/v1/me/", {"password": PASSWORD})

    assert set(Event.objects.all()) == {kept, visitor}
    assert not Enrollment.objects.filter(user=person).exists()
