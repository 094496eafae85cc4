"""The API against its own OpenAPI document: what it says is what it does, for any input."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO

import pytest
import schemathesis
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle
from schemathesis.checks import CheckFunction
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts.models import User
from accounts.tokens import tokens_of
from livecourse.request_rates import RequestCounts
from livecourse.wsgi import application
from tests.factories import (
    ChatMessageFactory,
    CourseFactory,
    DrawEntryFactory,
    EnrollmentFactory,
    LessonFactory,
    OperatorFactory,
    PollOptionFactory,
    PromotionFactory,
    PurchaseFactory,
    ReviewFactory,
    SectionFactory,
    SessionCouponFactory,
    SessionFiguresFactory,
    ShowcaseItemFactory,
    UserFactory,
)

CASES = 12
CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def test_the_document_is_valid_and_free_of_warnings() -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=StringIO())


@pytest.mark.django_db
def test_the_document_names_every_operation_and_no_untyped_answer() -> None:
    document = APIClient().get("/api/v1/schema/", headers={"Accept": "application/json"}).json()
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]

    assert len({operation["operationId"] for *_, operation in operations}) == len(operations)
    assert len(operations) == 55
    for path, method, operation in operations:
        assert "429" in operation["responses"], (path, method)
        for code, response in operation["responses"].items():
            if code not in ("204",):
                assert response["content"]["application/json"]["schema"], (path, method, code)


@pytest.fixture
def rows() -> dict[str, int]:
    """A row of every kind, by how its path begins."""
    course = PromotionFactory().course
    ReviewFactory(course=course)
    lesson = LessonFactory(section=SectionFactory(course=course), file="lessons/a.pdf")
    message = ChatMessageFactory()
    ShowcaseItemFactory(live_session=message.live_session, course=course)
    SessionCouponFactory(live_session=message.live_session)
    option = PollOptionFactory(poll__live_session=message.live_session)
    draw = DrawEntryFactory(draw__live_session=message.live_session).draw
    return {
        "poll": option.poll_id,
        "draw": draw.pk,
        "/api/v1/courses/": course.pk,
        "/api/v1/orders/": CourseFactory().pk,
        "/api/v1/lessons/": lesson.pk,
        "/api/v1/live-sessions/": message.live_session_id,
        "/api/v1/seller/": SessionFiguresFactory(live_session=message.live_session).pk,
    }


@pytest.fixture(params=["anon", "viewer", "operator"])
def person(request: pytest.FixtureRequest, rows: dict[str, int]) -> User | None:
    if request.param == "anon":
        return None
    person = {"viewer": UserFactory, "operator": OperatorFactory}[request.param]()
    EnrollmentFactory(user=person, course_id=rows["/api/v1/courses/"])
    PurchaseFactory(
        order__buyer=person,
        order__status="pending",
        order__paid_at=None,
        order__expires_at=timezone.now() + timedelta(minutes=15),
    )
    return person


def any_input(operation: schemathesis.schemas.APIOperation) -> SearchStrategy:
    """What fits the document, and, where the operation takes anything at all, what does not."""
    fitting = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    if not (operation.body or operation.query or operation.path_parameters):
        return fitting
    return fitting | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)


@pytest.fixture
def open_connection(db: None) -> Iterator[None]:
    """Keep the connection, in whose transaction the rows are, beyond the end of a request.

    Django's own test client does the same.
    """
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.mark.usefixtures("open_connection")
def test_no_input_breaks_the_api_or_its_word(
    person: User | None, rows: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SimpleRateThrottle, "allow_request", lambda *_: True)
    monkeypatch.setattr(RequestCounts, "count", lambda *_, **__: None)
    document = schemathesis.openapi.from_wsgi(
        "/api/v1/schema/", application, headers={"Accept": "application/json"}
    )
    headers = {"Authorization": f"Bearer {tokens_of(person)['access']}"} if person else {}
    broken: list[str] = []
    n_answers = 0

    for found in document.get_all_operations():
        operation = found.ok()

        @seed(20261124)
        @settings(
            max_examples=CASES,
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=any_input(operation))
        def answers_as_documented(case: schemathesis.Case) -> None:
            nonlocal n_answers
            known = next((pk for path, pk in rows.items() if case.path.startswith(path)), None)
            # Half of the ids are made up, half exist.
            drawn = (case.path_parameters or {}).get("id")
            if isinstance(drawn, int) and drawn % 2:
                case.path_parameters["id"] = known
                for part in {"poll", "draw"} & case.path_parameters.keys():
                    case.path_parameters[part] = rows[part]
            if isinstance(case.body, dict) and n_answers % 2 and "items" in case.body:
                case.body["items"] = [rows["/api/v1/orders/"]]
            number = (case.path_parameters or {}).get("public_id")
            if person is not None and number and n_answers % 2:
                case.path_parameters["public_id"] = str(person.orders.first().public_id)
            response = case.call(headers=headers)
            n_answers += 1
            try:
                case.validate_response(response, checks=CHECKS)
            except FailureGroup as group:
                broken.extend(f"{case.as_curl_command()}\n{one}" for one in group.exceptions)

        answers_as_documented()

    assert broken == []
    assert n_answers > 100
