"""Every page of the admin, for everybody, against the rows of one seller.

The pages are taken from the registry: a table that is registered and has no row here fails.
Whatever belongs to the first seller carries SECRET in its text, and no answer to the second
seller may hold it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import NoReverseMatch, reverse

from accounts.models import Letter, User
from analytics.models import (
    CohortRetention,
    CourseRetention,
    Event,
    Forecast,
    ImportRun,
    LearningSummary,
    ModelRun,
    Profile,
    SessionFigures,
    UserRetention,
)
from analytics.navigation import GROUPS
from catalog.models import (
    Category,
    ConsultationSlot,
    Coupon,
    Course,
    CourseStatus,
    Enrollment,
    LedgerEntry,
    MoneyMove,
    Order,
    Payment,
    PaymentStatus,
    Promotion,
    Purchase,
    Refund,
    RefundStatus,
    Review,
    SandboxPayment,
    Section,
)
from streams.models import (
    ChatMessage,
    ChatRules,
    Draw,
    LiveSession,
    ModerationAct,
    OrderAttribution,
    Poll,
    Reminder,
    Restriction,
    SessionCoupon,
    SessionPromotion,
    SessionStatus,
    StreamKey,
)
from tests.factories import (
    CategoryFactory,
    ChatMessageFactory,
    ChatRulesFactory,
    ConsultationSlotFactory,
    CouponFactory,
    CourseFactory,
    DrawEntryFactory,
    DrawFactory,
    EnrollmentFactory,
    EventFactory,
    LedgerEntryFactory,
    LetterFactory,
    LiveSessionFactory,
    ModelRunFactory,
    ModerationActFactory,
    OperatorFactory,
    OrderAttributionFactory,
    OrderFactory,
    PaymentFactory,
    PollFactory,
    PollOptionFactory,
    PromotionFactory,
    PurchaseFactory,
    RefundFactory,
    ReminderFactory,
    RestrictionFactory,
    ReviewFactory,
    SandboxPaymentFactory,
    SectionFactory,
    SellerFactory,
    SessionFiguresFactory,
    ShowcaseItemFactory,
    StreamKeyFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

SECRET = "uniquely-hers"
OWNED = {
    Course, Section, ConsultationSlot, Coupon, Promotion, Order, Purchase, Enrollment, Payment,
    Refund, LedgerEntry, Review, LiveSession, ChatMessage, OrderAttribution, SessionFigures,
    Forecast, CourseRetention, LearningSummary, Event, Poll, Draw, StreamKey,
    ChatRules, Restriction, ModerationAct,
}  # fmt: skip
OF_OPERATORS = {
    User, Letter, SandboxPayment, Reminder, Profile, UserRetention, CohortRetention, ModelRun,
    ImportRun,
}  # fmt: skip
SHARED = {Category}
# What the rules let a seller add, and an operator change; everything else is read only.
ADDABLE_BY_SELLER = {Course, ConsultationSlot, Coupon, Promotion, LiveSession}
# What moves money writes these down; nobody types or deletes them.
OF_MONEY = {Order, Purchase, Payment, Refund, LedgerEntry, SandboxPayment, OrderAttribution}
TABLES = sorted(admin.site._registry, key=lambda model: model._meta.label)
NAMES = [model._meta.label for model in TABLES]
ACTIONS = [
    (model, name)
    for model in TABLES
    for name in ["delete_selected", *(admin.site._registry[model].actions or [])]
]


@dataclass
class World:
    """Two sellers, a viewer, an operator, and a row of seller `a` in every table."""

    a: User
    b: User
    viewer: User
    operator: User
    rows: dict[type[Model], Model] = field(default_factory=dict)

    def client(self, name: str) -> Client:
        client = Client(headers={"accept-language": "en"})
        if name != "anonymous":
            client.force_login(
                getattr(self, name), backend="django.contrib.auth.backends.ModelBackend"
            )
        return client


@pytest.fixture
def world() -> World:
    world = World(
        a=SellerFactory(display_name="Alma"),
        b=SellerFactory(display_name="Bert"),
        viewer=UserFactory(display_name="Vera"),
        operator=OperatorFactory(),
    )
    course = CourseFactory(seller=world.a, title=f"Course {SECRET}", slug=f"course-{SECRET}")
    session = LiveSessionFactory(seller=world.a, title=f"Session {SECRET}")
    promotion = PromotionFactory(course=course, is_public=False)
    coupon = CouponFactory(seller=world.a, code=SECRET)
    order = OrderFactory(buyer=world.viewer)
    purchase = PurchaseFactory(order=order, course=course)
    payment = PaymentFactory(
        order=order, reference=f"reference-{SECRET}", status=PaymentStatus.SUCCEEDED
    )
    refund = RefundFactory(
        order=order, purchase=purchase, payment=payment, reason=f"Reason {SECRET}",
        status=RefundStatus.FAILED, last_error=f"Error {SECRET}",
    )  # fmt: skip
    run = ModelRunFactory()
    of_session = {"live_session": session, "user": world.viewer}
    made: list[Model] = [
        course,
        SectionFactory(course=course, title=f"Section {SECRET}"),
        course.category,
        ReviewFactory(course=course, user=world.viewer, text=f"Review {SECRET}"),
        coupon,
        promotion,
        order,
        purchase,
        payment,
        refund,
        LedgerEntryFactory(
            order=order, purchase=purchase, key=f"refund-{SECRET}", kind=MoneyMove.REFUND
        ),
        SandboxPaymentFactory(title=f"Sandbox {SECRET}"),
        ConsultationSlotFactory(course=course),
        EnrollmentFactory(course=course, user=world.viewer, purchase=purchase),
        session,
        OrderAttributionFactory(order=order, live_session=session),
        ChatMessageFactory(live_session=session, author=world.viewer, text=f"Chat {SECRET}"),
        PollFactory(live_session=session, question=f"Poll {SECRET}"),
        DrawFactory(live_session=session, prize=f"Prize {SECRET}"),
        ChatRulesFactory(live_session=session, blocked_words=f"Word {SECRET}"),
        RestrictionFactory(**of_session, reason=f"Reason {SECRET}"),
        ModerationActFactory(
            live_session=session, subject=world.viewer, note=f"Note {SECRET}"
        ),
        ReminderFactory(**of_session),
        StreamKeyFactory(seller=world.a),
        world.viewer,
        LetterFactory(recipient=world.viewer, key=f"letter-{SECRET}"),
        EventFactory(course=course, **of_session),
        run,
        ImportRun.objects.create(target="users", file_name=SECRET, fingerprint="0" * 64),
        Profile.objects.create(user=world.viewer, run=run),
        SessionFiguresFactory(live_session=session),
        Forecast.objects.create(
            live_session=session, run=run, expected_rate=0.1, low=0, high=0.2, level=0.95,
            basis="mean",
        ),
        UserRetention.objects.create(
            user=world.viewer, n_active_days=60, longest_run=30, first_day=date(2026, 1, 1),
            last_day=date(2026, 3, 1),
        ),
        CourseRetention.objects.create(course=course, n_active_days=2, longest_run_days=1),
        CohortRetention.objects.create(
            cohort_week=date(2026, 1, 5), day=1, n_cohort=20, n_returned=5
        ),
        LearningSummary.objects.create(course=course, user=world.viewer),
    ]  # fmt: skip
    ShowcaseItemFactory(live_session=session, course=course)
    SessionPromotion.objects.create(live_session=session, promotion=promotion)
    SessionCoupon.objects.create(live_session=session, coupon=coupon)
    world.rows = {type(row): row for row in made}
    PollOptionFactory(poll=world.rows[Poll], text=f"Answer {SECRET}")
    DrawEntryFactory(draw=world.rows[Draw], ticket=f"T-{SECRET}", place=1)
    return world


def page(model: type[Model], name: str, *args: Any) -> str | None:
    options = model._meta
    try:
        return reverse(f"admin:{options.app_label}_{options.model_name}_{name}", args=args)
    except NoReverseMatch:
        return None


def pages_of(model: type[Model], row: Model) -> dict[str, str]:
    found = {
        "list": page(model, "changelist"),
        "search": f"{page(model, 'changelist')}?q={SECRET}",
        "add": page(model, "add"),
        "change": page(model, "change", row.pk),
        "delete": page(model, "delete", row.pk),
        "history": page(model, "history", row.pk),
        "export": page(model, "export"),
    }
    return {name: address for name, address in found.items() if address}


def says_nothing(response: Any) -> bool:
    body = b"".join(response.streaming_content) if response.streaming else response.content
    # What was asked for stands in the search box and in the address; that tells nobody anything.
    text = body.decode("utf-8", "ignore")
    for echo in (f"q={SECRET}", f"q%3D{SECRET}", f'value="{SECRET}"'):
        text = text.replace(echo, "")
    return SECRET not in text


def test_every_registered_table_has_a_row_and_an_owner_here(world: World) -> None:
    assert set(TABLES) == set(world.rows) == OWNED | OF_OPERATORS | SHARED


def test_every_registered_table_has_its_place_in_the_sidebar() -> None:
    shown = [label for _title, entries in GROUPS for label, _icon in entries]
    assert sorted(shown) == NAMES


@pytest.mark.mariadb
@pytest.mark.parametrize("model", TABLES, ids=NAMES)
def test_it_shows_the_operator_every_page(world: World, model: type[Model]) -> None:
    client = world.client("operator")
    pages = pages_of(model, world.rows[model])
    for name in ("list", "search", "change", "export", "history"):
        if name in pages:
            response = client.get(pages[name])
            assert response.status_code == 200, name
            # A coloured label of a list is plain text on a page of its own.
            assert "(&#x27;" not in response.content.decode(), name


@pytest.mark.parametrize("model", sorted(OWNED, key=str), ids=str)
def test_it_shows_a_seller_their_own_rows(world: World, model: type[Model]) -> None:
    client = world.client("a")
    pages = pages_of(model, world.rows[model])
    for name in ("list", "search", "change", "export", "history"):
        if name in pages:
            assert client.get(pages[name]).status_code == 200, name
    listed = client.get(pages["list"]).context["cl"].queryset
    assert list(listed.values_list("pk", flat=True)) == [world.rows[model].pk]


@pytest.mark.parametrize("model", sorted(OWNED, key=str), ids=str)
def test_it_hides_a_sellers_rows_from_another_seller(world: World, model: type[Model]) -> None:
    client = world.client("b")
    pages = pages_of(model, world.rows[model])
    for name, address in pages.items():
        response = client.get(address)
        assert says_nothing(response), name
        if name in ("change", "delete", "history"):
            assert response.status_code in (302, 403, 404), name
    for name in ("list", "search"):
        assert client.get(pages[name]).context["cl"].queryset.count() == 0


@pytest.mark.parametrize("model", sorted(OWNED, key=str), ids=str)
def test_it_lets_another_seller_neither_change_nor_delete(world: World, model: type[Model]) -> None:
    client, row = world.client("b"), world.rows[model]
    before = model._default_manager.filter(pk=row.pk).values().get()
    for name in ("change", "delete"):
        address = pages_of(model, row)[name]
        assert client.post(address, {"post": "yes"}).status_code in (302, 403, 404)
    assert model._default_manager.filter(pk=row.pk).values().get() == before


@pytest.mark.parametrize("model", sorted(OF_OPERATORS, key=str), ids=str)
@pytest.mark.parametrize("who", ["a", "b"])
def test_it_refuses_sellers_what_is_the_operators(
    world: World, model: type[Model], who: str
) -> None:
    client = world.client(who)
    for name, address in pages_of(model, world.rows[model]).items():
        response = client.get(address)
        # The history of a row that is not theirs to find leads back to the first page.
        assert response.status_code == 403 or (name, response.status_code) == ("history", 302)
        assert says_nothing(response), name


@pytest.mark.parametrize("model", TABLES, ids=NAMES)
@pytest.mark.parametrize("who", ["viewer", "anonymous"])
def test_it_sends_others_to_the_sign_in(world: World, model: type[Model], who: str) -> None:
    client = world.client(who)
    for name, address in pages_of(model, world.rows[model]).items():
        response = client.get(address)
        assert response.status_code == 302, name
        assert response["location"].startswith(reverse("admin:login")), name


@pytest.mark.parametrize("model", TABLES, ids=NAMES)
def test_it_lets_a_seller_add_only_what_the_rules_say(world: World, model: type[Model]) -> None:
    expected = 200 if model in ADDABLE_BY_SELLER else 403
    assert world.client("b").get(page(model, "add")).status_code == expected


@pytest.mark.parametrize("model", sorted(OWNED | OF_OPERATORS, key=str), ids=str)
def test_it_keeps_what_was_recorded_from_the_operators_hand(
    world: World, model: type[Model]
) -> None:
    if model._meta.app_label != "analytics":
        model = SessionFigures
    client, row = world.client("operator"), world.rows[model]
    assert client.post(page(model, "change", row.pk), {}).status_code == 403
    assert client.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert client.get(page(model, "add")).status_code == 403


@pytest.mark.parametrize("model", sorted(OF_MONEY, key=str), ids=str)
@pytest.mark.parametrize("who", ["a", "operator"])
def test_nobody_types_or_deletes_what_money_did(world: World, model: type[Model], who: str) -> None:
    client, row = world.client(who), world.rows[model]
    before = model._default_manager.filter(pk=row.pk).values().get()
    fields = {"amount": "1.00", "price": "1.00", "status": "paid", "kind": "charge", "order": "1"}
    assert client.post(page(model, "add"), fields).status_code == 403
    assert client.post(page(model, "change", row.pk), fields).status_code == 403
    assert client.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    client.post(
        page(model, "changelist"),
        {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"},
    )
    client.post(
        page(model, "changelist"),
        {"form-TOTAL_FORMS": 1, "form-INITIAL_FORMS": 1, "form-0-id": row.pk, "_save": "1"}
        | {f"form-0-{name}": value for name, value in fields.items()},
    )
    assert model._default_manager.filter(pk=row.pk).values().get() == before
    assert model._default_manager.count() == 1


@pytest.mark.parametrize(
    ("model", "action"), ACTIONS, ids=[f"{model._meta.label}-{name}" for model, name in ACTIONS]
)
def test_no_action_of_another_seller_reaches_a_row(
    world: World, model: type[Model], action: str
) -> None:
    if model in SHARED:
        client, expected = world.client("a"), Category
        assert expected is model
    else:
        client = world.client("b")
    row = world.rows[model]
    before = model._default_manager.filter(pk=row.pk).values().get()
    response = client.post(
        page(model, "changelist"),
        {"action": action, "_selected_action": [row.pk], "post": "yes"},
    )
    assert response.status_code in (200, 302, 403)
    assert says_nothing(response)
    assert model._default_manager.filter(pk=row.pk).values().get() == before


@pytest.mark.parametrize(
    ("model", "action"), ACTIONS, ids=[f"{model._meta.label}-{name}" for model, name in ACTIONS]
)
def test_every_action_answers_the_operator(world: World, model: type[Model], action: str) -> None:
    response = world.client("operator").post(
        page(model, "changelist"), {"action": action, "_selected_action": [world.rows[model].pk]}
    )
    assert response.status_code in (200, 302)


def autocompletes() -> list[tuple[type[Model], str]]:
    found = []
    for model, model_admin in admin.site._registry.items():
        for name in model_admin.autocomplete_fields:
            found.append((model, name))
        for entry in [*model_admin.list_filter, *getattr(model_admin, "operator_filter", ())]:
            if isinstance(entry, tuple) and "Owned" in entry[1].__name__:
                found.append((model, entry[0]))
    return found


@pytest.mark.parametrize(("model", "name"), autocompletes(), ids=str)
def test_no_choice_offers_what_is_another_sellers(
    world: World, model: type[Model], name: str
) -> None:
    *steps, last = name.split("__")
    for step in steps:
        model = model._meta.get_field(step).related_model
    response = world.client("b").get(
        reverse("admin:autocomplete"),
        {
            "app_label": model._meta.app_label,
            "model_name": model._meta.model_name,
            "field_name": last,
            "term": "",
        },
    )
    assert response.status_code in (200, 403)
    assert says_nothing(response)
    if response.status_code == 200 and model._meta.get_field(last).related_model is not Category:
        assert response.json()["results"] == []


@pytest.mark.parametrize("model", sorted(OWNED, key=str), ids=str)
def test_no_filter_names_the_row_of_another_seller(world: World, model: type[Model]) -> None:
    client = world.client("b")
    for entry in admin.site._registry[model].list_filter:
        if isinstance(entry, tuple) and "Owned" in entry[1].__name__:
            other = world.rows[model._meta.get_field(entry[0]).related_model]
            response = client.get(
                page(model, "changelist"), {f"{entry[0]}__id__exact": other.pk}, follow=True
            )
            assert says_nothing(response)


@pytest.mark.parametrize("model", sorted(OWNED, key=str), ids=str)
def test_an_export_holds_the_sellers_own_rows_alone(world: World, model: type[Model]) -> None:
    address = page(model, "export")
    if address is None or not hasattr(admin.site._registry[model], "resource_classes"):
        return
    form = world.client("a").get(address).context["form"]
    data = {"format": "0", "resource": "0"} | {
        name: "on" for name in form.fields if name not in ("format", "resource", "export_items")
    }
    hers = world.client("a").post(address, data).content.decode("utf-8-sig").strip().splitlines()
    others = world.client("b").post(address, data).content.decode("utf-8-sig").strip().splitlines()
    assert len(hers) == 2
    assert len(others) == 1


@pytest.mark.parametrize("model", [Course, Coupon, Promotion], ids=str)
def test_an_old_version_is_shown_to_its_seller_alone(world: World, model: type[Model]) -> None:
    row = world.rows[model]
    version = row.history.first()
    options = model._meta
    address = reverse(
        f"admin:{options.app_label}_{options.model_name}_simple_history",
        args=[row.pk, version.pk],
    )
    assert world.client("a").get(address).status_code == 200
    response = world.client("b").get(address)
    assert response.status_code in (302, 403, 404)
    assert says_nothing(response)


def test_the_theme_search_offers_a_seller_no_table_of_the_operators(world: World) -> None:
    response = world.client("b").get(reverse("admin:search"), {"s": "profiles"})
    assert page(Profile, "changelist") not in response.content.decode()
    sidebar = world.client("b").get(reverse("admin:index")).content.decode()
    assert page(ModelRun, "changelist") not in sidebar
    assert page(Course, "changelist") in sidebar


def test_a_course_of_another_seller_cannot_enter_a_showcase(world: World) -> None:
    session = LiveSessionFactory(seller=world.b, status=SessionStatus.DRAFT)
    client = world.client("b")
    address = page(LiveSession, "change", session.pk)
    assert says_nothing(client.get(address))
    data = {
        "title": session.title, "planned_minutes": 60, "pinned": "",
        "scheduled_at_0": "2030-01-01", "scheduled_at_1": "20:00:00",
    }  # fmt: skip
    for prefix in ("showcase", "promotions", "coupons", "chat_rules", "moderators"):
        data |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    data |= {
        "showcase-TOTAL_FORMS": 1, "showcase-0-course": world.rows[Course].pk,
        "showcase-0-live_session": session.pk, "showcase-0-position": 0,
    }  # fmt: skip
    assert client.post(address, data).status_code == 200
    assert not session.showcase.exists()
    own = CourseFactory(seller=world.b, category=CategoryFactory(), status=CourseStatus.PUBLISHED)
    data["showcase-0-course"] = own.pk
    assert (
        client.post(address, data | {"streams_livesession_announce_this": "1"}).status_code == 302
    )
    session.refresh_from_db()
    assert session.showcase.get().course == own
    assert session.status == SessionStatus.SCHEDULED


@pytest.mark.parametrize("is_select_across", [False, True])
@pytest.mark.parametrize(
    ("model", "action"), ACTIONS, ids=[f"{model._meta.label}-{name}" for model, name in ACTIONS]
)
def test_choosing_all_rows_chooses_none_of_another_seller(
    world: World, model: type[Model], action: str, is_select_across: bool
) -> None:
    if model in SHARED | OF_OPERATORS:
        return
    before = list(model._default_manager.values())
    data = {"action": action, "_selected_action": [world.rows[model].pk], "index": 0}
    world.client("b").post(
        page(model, "changelist"), data | {"select_across": int(is_select_across), "post": "yes"}
    )
    assert list(model._default_manager.values()) == before


@pytest.mark.parametrize(("prefix", "part"), [("promotions", Promotion), ("coupons", Coupon)])
def test_a_session_hands_out_nothing_of_another_seller(
    world: World, prefix: str, part: type[Model]
) -> None:
    session = LiveSessionFactory(seller=world.b, live=True)
    name = prefix.removesuffix("s")
    data = {"title": session.title, "pinned": ""}
    for one in ("showcase", "promotions", "coupons", "chat_rules", "moderators"):
        data |= {f"{one}-TOTAL_FORMS": "0", f"{one}-INITIAL_FORMS": "0"}
    data |= {
        f"{prefix}-TOTAL_FORMS": "1",
        f"{prefix}-0-{name}": str(world.rows[part].pk),
        f"{prefix}-0-live_session": str(session.pk),
    }
    address = page(LiveSession, "change", session.pk)
    for who in ("b", "operator"):
        assert world.client(who).post(address, data).status_code == 200
    assert not getattr(session, prefix).exists()
