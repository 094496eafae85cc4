"""Registering, signing in and tokens."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import RefreshToken

from accounts.models import Role, User
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db
REGISTER, TOKEN, REFRESH = (
    "/api/v1/auth/register/",
    "/api/v1/auth/token/",
    "/api/v1/auth/token/refresh/",
)


@pytest.fixture
def api() -> APIClient:
    return APIClient()


def code(response) -> str:
    return response.json()["errors"][0]["code"]


def sign_in(api: APIClient, person: User) -> dict[str, str]:
    return api.post(TOKEN, {"email": person.email, "password": PASSWORD}).json()


def me(api: APIClient, access: str) -> int:
    return api.get("/api/v1/me/", headers={"Authorization": f"Bearer {access}"}).status_code


def test_registering_signs_in_at_once(api: APIClient) -> None:
    response = api.post(REGISTER, {"email": " New@Example.com ", "password": PASSWORD})

    assert response.status_code == 201
    assert me(api, response.json()["access"]) == 200
    person = User.objects.get()
    assert (person.email, person.role) == ("new@example.com", Role.VIEWER)
    assert not person.emailaddress_set.get().verified


def test_an_address_has_one_account(api: APIClient) -> None:
    UserFactory(email="taken@example.com")

    response = api.post(REGISTER, {"email": "TAKEN@example.com", "password": PASSWORD})

    assert (response.status_code, code(response)) == (400, "email_taken")


@pytest.mark.parametrize(
    "body,attr",
    [
        ({"email": "new@example.com", "password": "short"}, "password"),
        ({"email": "new@example.com", "password": "1234567890123"}, "password"),
        ({"email": "singular-name@example.com", "password": "singular-name"}, "password"),
        ({"email": "not an address", "password": PASSWORD}, "email"),
        ({"email": "new@example.com", "password": "x" * 129}, "password"),
        ({"password": PASSWORD}, "email"),
    ],
)
def test_a_weak_password_or_a_wrong_address_makes_no_account(
    api: APIClient, body: dict, attr: str
) -> None:
    response = api.post(REGISTER, body)

    assert response.status_code == 400
    assert {error["attr"] for error in response.json()["errors"]} == {attr}
    assert not User.objects.exists()


class TestWhereAddressesMustBeConfirmed:
    @pytest.fixture(autouse=True)
    def must_confirm(self, settings) -> None:
        settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"

    def test_a_new_account_gets_a_link_and_no_tokens_until_it_was_followed(
        self, api: APIClient, mailoutbox: list
    ) -> None:
        body = {"email": "new@example.com", "password": PASSWORD}

        registered = api.post(REGISTER, body)
        early = api.post(TOKEN, body)

        for refused in (registered, early):
            assert (refused.status_code, code(refused)) == (403, "email_unconfirmed")
            assert "access" not in refused.json()
        assert [mail.to for mail in mailoutbox] == [["new@example.com"]]
        link = re.search(r"/account/confirm-email/[^/\s]+/", mailoutbox[0].body)
        assert link
        api.post(link.group())
        assert api.post(TOKEN, body).status_code == 200

    def test_a_stranger_cannot_tell_a_taken_address_from_a_new_one(self, api: APIClient) -> None:
        UserFactory(email="taken@example.com")

        taken = api.post(REGISTER, {"email": "taken@example.com", "password": PASSWORD})
        new = api.post(REGISTER, {"email": "new@example.com", "password": PASSWORD})

        assert (taken.status_code, taken.json()) == (new.status_code, new.json())


def test_a_token_opens_ones_account(api: APIClient) -> None:
    tokens = sign_in(api, UserFactory())

    assert me(api, tokens["access"]) == 200
    assert me(api, tokens["refresh"]) == 401
    assert me(api, "nonsense") == 401


def test_a_wrong_password_and_an_unknown_address_look_alike(api: APIClient) -> None:
    wrong = api.post(TOKEN, {"email": UserFactory().email, "password": "wrong"})
    unknown = api.post(TOKEN, {"email": "nobody@example.com", "password": "wrong"})

    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()


def test_a_person_who_may_not_sign_in_gets_no_tokens(api: APIClient) -> None:
    person = UserFactory()
    tokens = sign_in(api, person)
    User.objects.update(is_active=False)

    assert api.post(TOKEN, {"email": person.email, "password": PASSWORD}).status_code == 401
    assert api.post(REFRESH, {"refresh": tokens["refresh"]}).status_code == 401
    assert me(api, tokens["access"]) == 401


def test_wrong_passwords_bring_a_pause_and_the_right_one_does_not_end_it(api: APIClient) -> None:
    person, other = UserFactory(), UserFactory()
    spellings = [person.email, person.email.upper()]
    for number in range(settings.AXES_FAILURE_LIMIT):
        response = api.post(TOKEN, {"email": spellings[number % 2], "password": "wrong"})

    paused = api.post(TOKEN, {"email": person.email, "password": PASSWORD})
    assert (paused.status_code, code(paused)) == (429, "locked_out")
    assert int(paused["Retry-After"]) == settings.AXES_COOLOFF_TIME.total_seconds()
    assert code(response) in ("wrong_password", "locked_out")
    assert api.post(TOKEN, {"email": other.email, "password": PASSWORD}).status_code == 200

    with time_machine.travel(timezone.now() + settings.AXES_COOLOFF_TIME + timedelta(seconds=1)):
        assert api.post(TOKEN, {"email": person.email, "password": PASSWORD}).status_code == 200


def test_a_pause_of_the_web_holds_in_the_api_too(api: APIClient) -> None:
    person = UserFactory()
    for _ in range(settings.AXES_FAILURE_LIMIT):
        api.post(
            "/account/login/", {"login": person.email, "password": "wrong"}, format="multipart"
        )

    assert api.post(TOKEN, {"email": person.email, "password": PASSWORD}).status_code == 429


def test_the_right_password_forgets_wrong_ones(api: APIClient) -> None:
    person = UserFactory()
    for _ in range(2):
        for _ in range(settings.AXES_FAILURE_LIMIT - 1):
            api.post(TOKEN, {"email": person.email, "password": "wrong"})
        response = api.post(TOKEN, {"email": person.email, "password": PASSWORD})

    assert response.status_code == 200


def test_signing_in_is_limited_by_address_of_the_client(api: APIClient) -> None:
    codes = [
        api.post(TOKEN, {"email": f"person{n}@example.com", "password": "wrong"}).status_code
        for n in range(21)
    ]

    assert codes == [401] * 20 + [429]


def test_a_refresh_token_is_exchanged_once(api: APIClient) -> None:
    tokens = sign_in(api, UserFactory())

    first = api.post(REFRESH, {"refresh": tokens["refresh"]})
    again = api.post(REFRESH, {"refresh": tokens["refresh"]})

    assert me(api, first.json()["access"]) == 200
    assert (again.status_code, code(again)) == (401, "token_not_valid")
    assert api.post(REFRESH, {"refresh": first.json()["refresh"]}).status_code == 200


def test_of_two_exchanges_at_once_one_wins(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = sign_in(api, UserFactory())
    # Both have looked whether the token was used before either of them used it.
    monkeypatch.setattr(RefreshToken, "check_blacklist", lambda _: None)

    codes = [api.post(REFRESH, {"refresh": tokens["refresh"]}).status_code for _ in range(2)]

    assert codes == [200, 401]


def test_a_new_password_makes_old_tokens_void(api: APIClient) -> None:
    person = UserFactory()
    tokens = sign_in(api, person)
    person.set_password("another good password")
    person.save()

    assert me(api, tokens["access"]) == 401
    assert api.post(REFRESH, {"refresh": tokens["refresh"]}).status_code == 401


def test_a_token_of_somebody_who_is_gone_is_refused(api: APIClient) -> None:
    person = UserFactory()
    tokens = sign_in(api, person)
    person.delete()

    assert api.post(REFRESH, {"refresh": tokens["refresh"]}).status_code == 401
    assert me(api, tokens["access"]) == 401


def test_an_access_token_that_was_used_before_ends_all_the_same(api: APIClient) -> None:
    tokens = sign_in(api, UserFactory())
    assert me(api, tokens["access"]) == 200

    with time_machine.travel(timezone.now() + settings.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"]):
        assert me(api, tokens["access"]) == 401


def test_a_token_with_another_signature_is_refused_after_the_right_one(api: APIClient) -> None:
    access = sign_in(api, UserFactory())["access"]
    assert me(api, access) == 200
    head, body, signature = access.split(".")

    for forged in (f"{head}.{body}.{signature[::-1]}", f"{head}.{body}.", f"{head}.{body}"):
        assert me(api, forged) == 401


def test_an_access_token_ends(api: APIClient) -> None:
    tokens = sign_in(api, UserFactory())

    with time_machine.travel(timezone.now() + settings.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"]):
        assert me(api, tokens["access"]) == 401
