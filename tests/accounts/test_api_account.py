"""One's own account through the API."""

from __future__ import annotations

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.models import Consent, Purpose, StatedAttributes, User
from tests.factories import CategoryFactory, StatedAttributesFactory, UserFactory

pytestmark = pytest.mark.django_db
ME = "/api/v1/me/"


@pytest.fixture
def person() -> User:
    return UserFactory()


@pytest.fixture
def api(person: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(person)
    return client


def test_it_shows_ones_own_account(api: APIClient, person: User) -> None:
    shown = api.get(ME).json()

    assert shown["email"] == person.email
    assert shown["stated"] == {"birth_year": None, "gender": "", "occupation": ""}
    assert shown["interests"] == []
    assert shown["joined_at"].endswith("+08:00")


def test_it_changes_what_is_given_and_leaves_the_rest(api: APIClient, person: User) -> None:
    StatedAttributesFactory(user=person, birth_year=1990, gender="female")

    shown = api.patch(ME, {"display_name": "Li", "stated": {"occupation": "teacher"}}).json()

    assert shown["display_name"] == "Li"
    assert shown["stated"] == {"birth_year": 1990, "gender": "female", "occupation": "teacher"}
    assert StatedAttributes.objects.get().occupation == "teacher"


def test_it_makes_the_given_fields_ones_interests(api: APIClient) -> None:
    CategoryFactory(slug="art")
    CategoryFactory(slug="maths")
    CategoryFactory(slug="music")

    api.patch(ME, {"interests": ["art", "maths"]})
    shown = api.patch(ME, {"interests": ["music", "art"]}).json()

    assert sorted(shown["interests"]) == ["art", "music"]


def test_an_unknown_interest_changes_nothing(api: APIClient, person: User) -> None:
    CategoryFactory(slug="art")

    response = api.patch(ME, {"display_name": "Li", "interests": ["art", "nothing"]})

    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == "interests"
    person.refresh_from_db()
    assert person.display_name != "Li"
    assert not person.chosen_interests.exists()


def test_refusing_personalisation_is_recorded_as_a_decision(api: APIClient, person: User) -> None:
    api.patch(ME, {"is_personalised": False})
    api.patch(ME, {"is_personalised": False})

    person.refresh_from_db()
    assert not person.is_personalised
    assert [(one.purpose, one.is_granted) for one in Consent.objects.all()] == [
        (Purpose.PERSONALISATION, False)
    ]


@pytest.mark.parametrize(
    "body,attr",
    [
        ({"language": "xx"}, "language"),
        ({"display_name": "x" * 81}, "display_name"),
        ({"stated": {"birth_year": 1850}}, "stated.birth_year"),
        ({"stated": {"birth_year": 2090}}, "stated.birth_year"),
        ({"stated": {"gender": "robot"}}, "stated.gender"),
        ({"is_personalised": None}, "is_personalised"),
    ],
)
def test_a_wrong_value_is_named_by_its_field(api: APIClient, body: dict, attr: str) -> None:
    response = api.patch(ME, body)

    assert response.status_code == 400
    assert [error["attr"] for error in response.json()["errors"]] == [attr]


def test_errors_are_in_the_language_of_the_request(api: APIClient) -> None:
    english = api.patch(ME, {"display_name": "x" * 81}, headers={"Accept-Language": "en"})
    chinese = api.patch(ME, {"display_name": "x" * 81}, headers={"Accept-Language": "zh-hans"})

    assert english.json()["errors"][0]["detail"] != chinese.json()["errors"][0]["detail"]
    assert english.json()["errors"][0]["code"] == chinese.json()["errors"][0]["code"]


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"\xff", b'{"a": NaN}', b"{", b'"text"', b"[]", b"null"]
)
def test_a_body_that_is_no_object_is_refused_in_one_shape(api: APIClient, body: bytes) -> None:
    response = api.generic("PATCH", ME, body, content_type="application/json; charset=rot13")

    assert response.status_code == 400
    assert {"type", "errors"} == set(response.json())


def test_a_body_beyond_the_limit_is_refused(api: APIClient, settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000

    response = api.patch(ME, {"display_name": "x" * 1001})

    assert response.status_code == 413
    assert response.json()["errors"][0]["code"] == "body_too_large"


def test_the_schema_is_public(client) -> None:
    assert client.get(reverse("api:schema")).status_code == 200
