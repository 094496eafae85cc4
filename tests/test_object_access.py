"""Who gets what from every path of the API: routes x methods x people x rows.

The routes come from the URLconf: a new one fails here until its line says who may what.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Role, StatedAttributes, User
from analytics.models import Event, Forecast
from catalog.models import (
    CouponClaim,
    Course,
    Enrollment,
    LessonProgress,
    Order,
    Payment,
    Purchase,
    Review,
)
from livecourse.api_urls import urlpatterns
from streams.models import ChatMessage, Reminder
from tests.factories import (
    PASSWORD,
    ChatMessageFactory,
    CourseFactory,
    DrawFactory,
    EnrollmentFactory,
    LessonFactory,
    LiveSessionFactory,
    ModelRunFactory,
    ModeratorFactory,
    OperatorFactory,
    OrderFactory,
    PollFactory,
    PurchaseFactory,
    RestrictionFactory,
    SectionFactory,
    SellerFactory,
    SessionCouponFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

MISSING = 9_999_999
NO_ORDER = uuid.UUID(int=7)
PEOPLE = ("anon", "viewer", "other_viewer", "seller", "other_seller", "operator")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SIGNED_IN = {"anon": 401}
STAFF = {"anon": 401, "viewer": 403, "other_viewer": 403}


@dataclass(frozen=True)
class Line:
    """What is expected: a status for everybody, and who gets another one.

    `rows` names the rows asked for: "public" ones, or "draft" ones of `seller`. Of a draft
    everybody but its seller and operators gets 404, or what `draft` says. Orders are `viewer`'s in
    place of the public row and `other_viewer`'s in place of the draft.
    """

    status: int = 200
    differing: dict[str, int] = field(default_factory=dict)
    rows: tuple[str, ...] = ()
    draft: dict[str, int] = field(default_factory=dict)
    body: dict | None = None


def hidden(**shown: int) -> dict[str, int]:
    return {**dict.fromkeys(PEOPLE, 404), **shown}


DRAFT = hidden(seller=200, operator=200)
OTHERS = hidden(anon=401, other_viewer=200)
# Of a public session: those who keep order in it, and nobody else.
MODERATORS = {"anon": 401, "viewer": 403, "other_viewer": 403, "other_seller": 403}
SAID = {"key": "b9a1f8d2-0c5e-4c37-8a55-3d7f6f1e2a10", "text": "Hello"}
EXPECTED: dict[tuple[str, str], Line] = {
    ("schema", "GET"): Line(),
    ("register", "POST"): Line(201, body={"email": "n@example.com", "password": PASSWORD}),
    ("token", "POST"): Line(401, body={"email": "n@example.com", "password": "wrong"}),
    ("token_refresh", "POST"): Line(401, body={"refresh": "wrong"}),
    ("me", "GET"): Line(200, SIGNED_IN),
    ("me", "PATCH"): Line(200, SIGNED_IN, body={"display_name": "New"}),
    ("me", "DELETE"): Line(
        204,
        {**SIGNED_IN, "seller": 409, "other_seller": 409, "operator": 409},
        body={"password": PASSWORD},
    ),
    ("export", "GET"): Line(200, SIGNED_IN),
    ("profile", "GET"): Line(200, SIGNED_IN),
    ("profile", "PATCH"): Line(200, SIGNED_IN, body={"hours": {"is_off": True}}),
    ("courses", "GET"): Line(),
    ("course", "GET"): Line(rows=("course",), draft=DRAFT),
    ("similar", "GET"): Line(rows=("course",), draft=DRAFT),
    ("reviews", "GET"): Line(rows=("course",), draft=DRAFT),
    ("reviews", "POST"): Line(
        403,
        {"anon": 401, "viewer": 201},
        rows=("course",),
        draft=hidden(anon=401, seller=403, operator=403),
        body={"rating": 5},
    ),
    ("recommendations", "GET"): Line(),
    ("events", "POST"): Line(400, body={"events": []}),
    ("live_sessions", "GET"): Line(),
    ("live_session", "GET"): Line(rows=("session",), draft=DRAFT),
    ("room", "GET"): Line(rows=("room",), draft=hidden()),
    ("likes", "POST"): Line(204, rows=("room",), draft=hidden(), body={"n": 3}),
    ("beats", "POST"): Line(
        204,
        rows=("room",),
        draft=hidden(),
        body={"visit": "b9a1f8d2-0c5e-4c37-8a55-3d7f6f1e2a10", "seconds": 15},
    ),
    ("messages", "GET"): Line(rows=("room",), draft=DRAFT),
    ("messages", "POST"): Line(
        201,
        SIGNED_IN,
        rows=("room",),
        draft=hidden(anon=401, seller=409, operator=409),
        body=SAID,
    ),
    ("hidden_message", "PUT"): Line(
        204, MODERATORS, rows=("room", "message"), draft=hidden(anon=401, seller=204, operator=204)
    ),
    ("hidden_message", "DELETE"): Line(
        204, MODERATORS, rows=("room", "message"), draft=hidden(anon=401, seller=204, operator=204)
    ),
    ("author_restriction", "PUT"): Line(
        200,
        MODERATORS,
        rows=("room", "message"),
        draft=hidden(anon=401, seller=200, operator=200),
        body={"kind": "mute"},
    ),
    ("author_restriction", "DELETE"): Line(
        204, MODERATORS, rows=("room", "message"), draft=hidden(anon=401, seller=204, operator=204)
    ),
    ("restrictions", "GET"): Line(
        200, MODERATORS, rows=("room",), draft=hidden(anon=401, seller=200, operator=200)
    ),
    ("restriction", "DELETE"): Line(
        204,
        MODERATORS,
        rows=("room", "restriction"),
        draft=hidden(anon=401, seller=204, operator=204),
    ),
    ("moderators", "GET"): Line(
        200, MODERATORS, rows=("room",), draft=hidden(anon=401, seller=200, operator=200)
    ),
    ("moderators", "POST"): Line(
        400,
        MODERATORS,
        rows=("room",),
        draft=hidden(anon=401, seller=400, operator=400),
        body={"message": 0},
    ),
    ("moderator", "DELETE"): Line(
        204,
        MODERATORS,
        rows=("room", "moderator"),
        draft=hidden(anon=401, seller=204, operator=204),
    ),
    ("chat_rules", "GET"): Line(
        200, MODERATORS, rows=("room",), draft=hidden(anon=401, seller=200, operator=200)
    ),
    ("chat_rules", "PATCH"): Line(
        200,
        MODERATORS,
        rows=("room",),
        draft=hidden(anon=401, seller=200, operator=200),
        body={"slow_seconds": 5},
    ),
    ("reminder", "PUT"): Line(
        200, SIGNED_IN, rows=("session",), draft=hidden(anon=401, seller=409, operator=409)
    ),
    ("reminder", "DELETE"): Line(
        204, SIGNED_IN, rows=("session",), draft=hidden(anon=401, seller=204, operator=204)
    ),
    ("session_coupons", "GET"): Line(
        200, SIGNED_IN, rows=("room",), draft=hidden(anon=401, seller=200, operator=200)
    ),
    ("claim_coupon", "PUT"): Line(
        200, SIGNED_IN, rows=("room", "coupon"), draft=hidden(anon=401, seller=400, operator=400)
    ),
    ("vote", "PUT"): Line(
        400,
        SIGNED_IN,
        rows=("room", "poll"),
        draft=hidden(anon=401, seller=400, operator=400),
        body={"option": 0},
    ),
    ("draws", "GET"): Line(rows=("room",), draft=DRAFT),
    ("draw", "GET"): Line(rows=("room", "draw"), draft=DRAFT),
    ("draw_entry", "PUT"): Line(
        200,
        {"anon": 401, "seller": 403, "operator": 403},
        rows=("room", "draw"),
        draft=hidden(anon=401, seller=409, operator=409),
    ),
    ("orders", "GET"): Line(200, SIGNED_IN),
    ("orders", "POST"): Line(400, SIGNED_IN, body={"items": [1]}),
    ("quote", "POST"): Line(400, SIGNED_IN, body={"items": []}),
    ("order", "GET"): Line(404, {"anon": 401, "viewer": 200}, rows=("order",), draft=OTHERS),
    ("pay", "POST"): Line(
        404,
        {"anon": 401, "viewer": 200},
        rows=("order",),
        draft=OTHERS,
        body={"provider": "sandbox"},
    ),
    ("cancel", "POST"): Line(404, {"anon": 401, "viewer": 200}, rows=("order",), draft=OTHERS),
    ("enrollments", "GET"): Line(200, SIGNED_IN),
    ("progress", "GET"): Line(
        403,
        {"anon": 401, "viewer": 200},
        rows=("lesson",),
        draft=hidden(anon=401, seller=403, operator=403),
    ),
    ("progress", "PUT"): Line(
        403,
        {"anon": 401, "viewer": 200},
        rows=("lesson",),
        draft=hidden(anon=401, seller=403, operator=403),
        body={"seconds": 5, "position_seconds": 5},
    ),
    ("lesson_file", "GET"): Line(
        403,
        {"anon": 401, "viewer": 200, "seller": 200, "operator": 200},
        rows=("lesson",),
        draft=hidden(anon=401, seller=200, operator=200),
    ),
    ("session_metrics", "GET"): Line(
        200,
        {**STAFF, "other_seller": 404},
        rows=("session",),
        draft={**STAFF, "seller": 200, "other_seller": 404, "operator": 200},
    ),
    ("forecasts", "GET"): Line(200, STAFF),
    ("retention", "GET"): Line(200, STAFF),
}
ROUTES = {pattern.name: pattern for pattern in urlpatterns if pattern.name != "no_such_path"}


@pytest.fixture
def world() -> dict[str, dict]:
    """People, and one public and one draft row of `seller` for every kind of path."""
    people = {
        "anon": None,
        "viewer": UserFactory(),
        "other_viewer": UserFactory(),
        "seller": SellerFactory(),
        "other_seller": SellerFactory(),
        "operator": OperatorFactory(),
    }
    seller = people["seller"]
    rows = {}
    for name, course, session in (
        ("public", CourseFactory(seller=seller), LiveSessionFactory(seller=seller)),
        (
            "draft",
            CourseFactory(seller=seller, status="draft", published_at=None),
            LiveSessionFactory(seller=seller, draft=True),
        ),
    ):
        lesson = LessonFactory(section=SectionFactory(course=course), file="lessons/a.pdf")
        rows[name] = {"course": course.pk, "session": session.pk, "lesson": lesson.pk}
        room = LiveSessionFactory(seller=seller, live=True) if name == "public" else session
        coupon = SessionCouponFactory(live_session=room, coupon__seller=seller).coupon
        rows[name] |= {"room": room.pk, "coupon": coupon.pk}
        rows[name]["message"] = ChatMessageFactory(live_session=room).pk
        rows[name]["restriction"] = RestrictionFactory(live_session=room).pk
        rows[name]["moderator"] = ModeratorFactory(live_session=room).pk
        rows[name]["poll"] = PollFactory(live_session=room).pk
        rows[name]["draw"] = DrawFactory(live_session=room).pk
    for name, owner in (("public", "viewer"), ("draft", "other_viewer")):
        order = OrderFactory(
            buyer=people[owner],
            status="pending",
            paid_at=None,
            expires_at=timezone.now() + timedelta(minutes=15),
        )
        PurchaseFactory(order=order)
        rows[name]["order"] = order.public_id
    EnrollmentFactory(user=people["viewer"], course_id=rows["public"]["course"])
    return {"people": people, "rows": rows}


def ask(
    person: User | None, method: str, name: str, keys: Sequence[object], body: dict | None
) -> int:
    client = APIClient(raise_request_exception=True)
    if person:
        client.force_authenticate(person)
    address = reverse(f"api:{name}", args=keys)
    return client.generic(method, address, *_content(body), REMOTE_ADDR="192.0.2.1").status_code


def _content(body: dict | None) -> tuple[str, str]:
    return (json.dumps(body) if body is not None else "", "application/json")


def allowed_methods(name: str) -> set[str]:
    view = ROUTES[name].callback.view_class
    return {method for method in METHODS if hasattr(view, method.lower())}


def test_every_route_and_method_of_the_api_has_its_line() -> None:
    actual = {(name, method) for name in ROUTES for method in allowed_methods(name)}

    assert actual == set(EXPECTED)
    assert len(ROUTES) == len(urlpatterns) - 1, "two routes have the same name"


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("name,method", EXPECTED)
def test_everybody_gets_what_is_theirs_and_nothing_else(
    world: dict, name: str, method: str, person: str
) -> None:
    line = EXPECTED[name, method]
    who = world["people"][person]
    public = [world["rows"]["public"][row] for row in line.rows]

    if line.rows:
        draft = [world["rows"]["draft"][row] for row in line.rows]
        assert ask(who, method, name, draft, line.body) == line.draft[person], "draft"
        for place in range(len(line.rows)):
            keys = [*public]
            keys[place] = NO_ORDER if line.rows[place] == "order" else MISSING
            missing = ask(who, method, name, keys, line.body)
            is_known = missing in (401, 403)
            assert missing == (line.differing.get(person) if is_known else 404), "missing"
    expected = line.differing.get(person, line.status)
    assert ask(who, method, name, public, line.body) == expected


@pytest.mark.parametrize("name", ROUTES)
def test_other_methods_are_refused(world: dict, name: str) -> None:
    line = next(line for (route, _), line in EXPECTED.items() if route == name)
    keys = [world["rows"]["public"][row] for row in line.rows]

    for method in set(METHODS) - allowed_methods(name):
        assert ask(world["people"]["operator"], method, name, keys, {}) == 405, method


def test_an_unknown_path_answers_in_the_shape_of_all_errors(client) -> None:
    response = client.get("/api/v1/nothing/here/")

    assert response.status_code == 404
    assert response.json()["errors"][0]["code"] == "not_found"


def every_field(*models: type[Model]) -> dict[str, object]:
    """A value for every column of the models, each other than what a test row holds."""
    values: dict[str, object] = {}
    for model in models:
        for column in model._meta.concrete_fields:
            kind = column.get_internal_type()
            value: object = "seller"
            if "Integer" in kind or "Key" in kind or kind == "OneToOneField":
                value = 1
            elif kind == "BooleanField":
                value = True
            elif kind == "DateTimeField":
                value = "2020-01-01T00:00:00Z"
            values[column.name] = values[column.attname] = value
    return {**values, "is_staff": True, "is_superuser": True, "role": Role.OPERATOR}


def columns_of(row: Model, *but: str) -> dict[str, object]:
    return {
        column.attname: getattr(row, column.attname)
        for column in row._meta.concrete_fields
        if column.attname not in but
    }


def test_registering_sets_nothing_but_address_and_password(client) -> None:
    body = {
        **every_field(User, StatedAttributes),
        "email": "new@example.com",
        "password": PASSWORD,
        "display_name": "Sent",
    }

    assert client.post(reverse("api:register"), body, "application/json").status_code == 201

    person = User.objects.get(email="new@example.com")
    assert (person.role, person.display_name, person.external_id) == (Role.VIEWER, "", None)
    assert not person.is_staff
    assert person.joined_at.year > 2020


def test_a_person_cannot_give_themselves_a_role_or_another_address() -> None:
    person = UserFactory()
    before = columns_of(person, "display_name", "language")
    body = {**every_field(User), "language": "en", "display_name": "Sent"}
    del body["is_personalised"]
    client = APIClient()
    client.force_authenticate(person)

    assert client.patch(reverse("api:me"), body).status_code == 200

    person = User.objects.get(pk=person.pk)
    assert columns_of(person, "display_name", "language") == before
    assert (person.display_name, person.language) == ("Sent", "en")


def test_a_review_belongs_to_its_sender_and_course_whatever_is_sent() -> None:
    mine = EnrollmentFactory()
    other = EnrollmentFactory()
    body = {
        **every_field(Review),
        "user": other.user_id,
        "user_id": other.user_id,
        "course": other.course_id,
        "course_id": other.course_id,
        "is_visible": False,
        "rating": 2,
        "text": "ok",
    }
    client = APIClient()
    client.force_authenticate(mine.user)

    assert client.post(reverse("api:reviews", args=[mine.course_id]), body).status_code == 201

    review = Review.objects.get()
    assert (review.user, review.course, review.rating) == (mine.user, mine.course, 2)
    assert review.is_visible
    assert review.created_at.year > 2020


def test_progress_belongs_to_its_sender_and_lesson_whatever_is_sent() -> None:
    mine = EnrollmentFactory()
    lesson = LessonFactory(section=SectionFactory(course=mine.course))
    other = LessonFactory(section=SectionFactory(course=mine.course))
    stranger = UserFactory()
    body = {
        **every_field(LessonProgress),
        "user": stranger.pk,
        "user_id": stranger.pk,
        "lesson": other.pk,
        "lesson_id": other.pk,
        "seconds": 5,
        "position_seconds": 6,
    }
    client = APIClient()
    client.force_authenticate(mine.user)

    assert client.put(reverse("api:progress", args=[lesson.pk]), body).status_code == 200

    progress = LessonProgress.objects.get()
    assert (progress.user, progress.lesson) == (mine.user, lesson)
    assert (progress.seconds, progress.position_seconds, progress.completed_at) == (5, 6, None)
    assert progress.opened_at.year > 2020


def test_a_reminder_is_ones_own_whatever_is_sent() -> None:
    session, person, stranger = LiveSessionFactory(), UserFactory(), UserFactory()
    body = {**every_field(Reminder), "user": stranger.pk, "user_id": stranger.pk}
    client = APIClient()
    client.force_authenticate(person)

    assert client.put(reverse("api:reminder", args=[session.pk]), body).status_code == 200

    reminder = Reminder.objects.get()
    assert (reminder.user, reminder.sent_at) == (person, None)


def test_an_order_is_ones_own_and_costs_what_it_costs_whatever_is_sent() -> None:
    course, person, stranger = CourseFactory(), UserFactory(), UserFactory()
    body = {
        **every_field(Order, Purchase),
        "buyer": stranger.pk,
        "buyer_id": stranger.pk,
        "holder": stranger.pk,
        "status": "paid",
        "total": "0.00",
        "list_total": "0.00",
        "price": "0.00",
        "items": [course.pk],
        "coupon": "",
    }
    client = APIClient()
    client.force_authenticate(person)

    response = client.post(reverse("api:orders"), body, headers={"Idempotency-Key": "k"})

    assert response.status_code == 201
    order = Order.objects.get()
    assert (order.buyer, order.status, order.total) == (person, "pending", course.list_price)
    assert order.created_at.year > 2020
    assert order.lines.get().holder == person


def test_paying_and_claiming_set_nothing_that_was_sent() -> None:
    order = PurchaseFactory(
        order__status="pending", order__expires_at=timezone.now() + timedelta(minutes=15)
    ).order
    handed_out, stranger = SessionCouponFactory(), UserFactory()
    client = APIClient()
    client.force_authenticate(order.buyer)
    body = {**every_field(Payment), "provider": "sandbox", "amount": "0.01", "status": "succeeded"}

    assert client.post(reverse("api:pay", args=[order.public_id]), body).status_code == 200
    address = reverse("api:claim_coupon", args=[handed_out.live_session_id, handed_out.coupon_id])
    assert client.put(address, {"user": stranger.pk, "user_id": stranger.pk}).status_code == 200

    payment = Payment.objects.get()
    assert (payment.amount, payment.status, payment.order) == (order.total, "started", order)
    assert CouponClaim.objects.get().user == order.buyer


def test_events_belong_to_their_sender_whatever_is_sent() -> None:
    course, person, stranger = CourseFactory(), UserFactory(), UserFactory()
    event = {
        **every_field(Event),
        "user": stranger.pk,
        "user_id": stranger.pk,
        "visitor_id": "7d7cbf3e-4d39-4b3c-8a0e-8fba9b9a3b3e",
        "id": "7d7cbf3e-4d39-4b3c-8a0e-8fba9b9a3b3f",
        "kind": "view",
        "course": course.pk,
        "live_session": None,
        "value": None,
        "occurred_at": timezone.now().isoformat(),
    }
    client = APIClient()
    client.force_authenticate(person)

    assert client.post(reverse("api:events"), {"events": [event]}).status_code == 200

    stored = Event.objects.get()
    assert (stored.user, stored.visitor_id, stored.position) == (person, None, None)
    assert stored.received_at.year > 2020


def test_lists_of_sellers_hold_their_own_rows_alone() -> None:
    mine, others = LiveSessionFactory(), LiveSessionFactory()
    run = ModelRunFactory(task="conversion")
    for session in (mine, others):
        Forecast.objects.create(
            live_session=session, run=run, expected_rate=0.1, low=0.05, high=0.2, level=0.8
        )
    client = APIClient()

    client.force_authenticate(mine.seller)
    shown = client.get(reverse("api:forecasts")).json()["results"]
    client.force_authenticate(OperatorFactory())
    all_shown = client.get(reverse("api:forecasts")).json()["results"]

    assert [row["live_session"]["id"] for row in shown] == [mine.pk]
    assert len(all_shown) == 2


def test_lists_never_hold_what_is_not_published() -> None:
    CourseFactory(status="draft", published_at=None)
    CourseFactory(status="archived")
    LiveSessionFactory(draft=True)
    client = APIClient()
    client.force_authenticate(SellerFactory())

    assert client.get(reverse("api:courses")).json()["results"] == []
    assert client.get(reverse("api:live_sessions")).json()["results"] == []
    assert Course.objects.count() == 2


def test_ones_own_lists_hold_nothing_of_others() -> None:
    EnrollmentFactory()
    message = ChatMessageFactory()
    person = UserFactory()
    client = APIClient()
    client.force_authenticate(person)

    assert client.get(reverse("api:enrollments")).json()["results"] == []
    shown = client.get(reverse("api:messages", args=[message.live_session_id])).json()["results"]
    assert [row["is_mine"] for row in shown] == [False]
    assert message.author.email not in str(shown)
    assert Enrollment.objects.count() == ChatMessage.objects.count() == 1


@pytest.mark.parametrize(
    "page", ["desk_figures", "desk_next", "desk_report_csv", "desk_report_xlsx"]
)
@pytest.mark.parametrize("person", PEOPLE)
def test_figures_of_a_desk_are_its_sellers_and_operators_alone(
    world: dict, client, page: str, person: str
) -> None:
    if who := world["people"][person]:
        client.force_login(who)
    expected = 200 if person in ("seller", "operator") else 404
    for row in ("public", "draft"):
        address = reverse(f"analytics:{page}", args=[world["rows"][row]["session"]])
        assert client.get(address).status_code == expected, row
    assert client.get(reverse(f"analytics:{page}", args=[MISSING])).status_code == 404
