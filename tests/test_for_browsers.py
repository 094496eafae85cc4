"""What comes with a token to the API is an app: it is known by that alone."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tokens import tokens_of
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db
ME = "/api/v1/me/"


def bearer(person: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens_of(person)['access']}"}


@pytest.fixture
def browser() -> tuple[Client, User]:
    """Of a person who is signed in by a session."""
    person, client = UserFactory(), Client(raise_request_exception=False)
    client.force_login(person)
    return client, person


def test_a_token_alone_says_who_an_app_is(browser) -> None:
    client, _person = browser
    other = UserFactory()
    token = bearer(other)

    with CaptureQueriesContext(connection) as asked:
        answer = client.get(ME, headers=token)
    assert "session" not in str(asked.captured_queries)
    assert answer.json()["id"] == other.pk
    assert not answer.cookies
    assert client.get("/api/v1/notes-of-nobody/", headers=token).status_code == 404


def test_a_token_that_does_not_hold_is_not_made_up_for_by_a_session(browser) -> None:
    client, _person = browser

    assert client.get(ME, headers={"Authorization": "Bearer nonsense"}).status_code == 401


@pytest.mark.parametrize("other", ["Basic c3RhZ2U6c3RhZ2U=", "bearerless", ""])
def test_a_password_of_the_site_around_takes_no_session_away(browser, other: str) -> None:
    """Given a browser that sends a proxy's password with each request."""
    client, person = browser

    assert client.get(ME, headers={"Authorization": other}).json()["id"] == person.pk


def test_a_token_means_nothing_to_a_page(browser) -> None:
    client, person = browser

    page = client.get("/account/", headers=bearer(UserFactory()))

    assert page.status_code == 200
    assert page.context["user"] == person
    assert "Content-Security-Policy" in page


@pytest.mark.parametrize("path", ["register/", "token/"])
def test_an_app_that_still_has_a_token_may_sign_in_anew(path: str, settings, mailoutbox) -> None:
    """Given a platform on which addresses must be confirmed, which sends a letter."""
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    had, api = UserFactory(), APIClient()
    email = "new@example.com" if path == "register/" else had.email

    answer = api.post(
        f"/api/v1/auth/{path}", {"email": email, "password": PASSWORD}, headers=bearer(had)
    )

    assert answer.status_code in {200, 403}, answer.content
    if answer.status_code == 403:
        assert answer.json()["errors"][0]["code"] == "email_unconfirmed"
        assert [mail.to for mail in mailoutbox] == [[email]]


def test_who_leaves_by_an_app_is_gone_from_the_browser_too(browser) -> None:
    client, person = browser

    gone = APIClient().delete(ME, {"password": PASSWORD}, headers=bearer(person))

    assert gone.status_code == 204
    assert client.get("/account/").status_code == 302
    assert APIClient().get(ME, headers=bearer(person)).status_code in {401, 403}
