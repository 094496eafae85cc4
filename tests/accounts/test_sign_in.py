"""Signing up, signing in, and what happens to whoever guesses."""

from __future__ import annotations

import pytest
from django.urls import reverse

from accounts.models import Role, User
from tests.factories import PASSWORD, OperatorFactory, UserFactory

pytestmark = pytest.mark.django_db
ACCOUNT = "/account/"


def sign_in(client, email: str, password: str = PASSWORD):
    return client.post(reverse("account_login"), {"login": email, "password": password})


def sign_up(client, email: str, password: str = PASSWORD):
    return client.post(reverse("account_signup"), {"email": email, "password1": password})


def is_signed_in(client) -> bool:
    return client.get(ACCOUNT).status_code == 200


def test_it_signs_up_a_viewer_and_signs_them_in(client) -> None:
    response = sign_up(client, "New.Person@Example.com")

    assert response.status_code == 302
    person = User.objects.get()
    assert (person.email, person.role) == ("new.person@example.com", Role.VIEWER)
    assert is_signed_in(client)


def test_nobody_becomes_an_operator_by_sending_a_role(client) -> None:
    client.post(
        reverse("account_signup"),
        {"email": "a@example.com", "password1": PASSWORD, "role": "operator", "is_staff": "1"},
    )

    assert User.objects.get().role == Role.VIEWER


@pytest.mark.parametrize("password", ["short", "12345678", "password", "ann@example.com"])
def test_a_weak_password_makes_no_account(client, password) -> None:
    response = sign_up(client, "ann@example.com", password)

    assert response.status_code == 200
    assert not User.objects.exists()


def test_an_address_that_is_taken_makes_no_second_account_whatever_its_case(client) -> None:
    UserFactory(email="ann@example.com")

    sign_up(client, "ANN@example.com")

    assert User.objects.count() == 1


@pytest.mark.parametrize("written", ["ann@example.com", "ANN@Example.com", " ann@example.com "])
def test_it_signs_in_however_the_address_is_written(client, written) -> None:
    UserFactory(email="ann@example.com")

    assert sign_in(client, written).status_code == 302
    assert is_signed_in(client)


def test_a_wrong_password_and_an_unknown_address_get_the_same_words(client) -> None:
    UserFactory(email="ann@example.com")

    wrong = sign_in(client, "ann@example.com", "not the password")
    unknown = sign_in(client, "bob@example.com", "not the password")

    assert not is_signed_in(client)
    errors = [answer.context["form"].non_field_errors() for answer in (wrong, unknown)]
    assert errors[0]
    assert list(errors[0]) == list(errors[1])


def test_after_five_wrong_passwords_even_the_right_one_is_refused_for_a_while(client) -> None:
    UserFactory(email="ann@example.com")
    for _ in range(4):
        assert sign_in(client, "ann@example.com", "wrong").status_code == 200

    fifth = sign_in(client, "ann@example.com", "wrong")
    right = sign_in(client, "ann@example.com")

    assert fifth.status_code == right.status_code == 429
    assert "尝试次数过多" in right.content.decode()
    assert not is_signed_in(client)


def test_a_locked_name_locks_nobody_else(client) -> None:
    UserFactory(email="ann@example.com")
    UserFactory(email="bob@example.com")
    for _ in range(5):
        sign_in(client, "ann@example.com", "wrong")

    assert sign_in(client, "bob@example.com").status_code == 302


def test_the_door_of_the_admin_counts_the_same_name(client) -> None:
    OperatorFactory(email="op@example.com")
    OperatorFactory(email="other@example.com")
    door = reverse("admin:login")
    for _ in range(5):
        client.post(door, {"username": "OP@example.com", "password": "wrong"})

    locked = client.post(door, {"username": "op@example.com", "password": PASSWORD})
    other = client.post(door, {"username": "other@example.com", "password": PASSWORD})

    assert locked.status_code == 429
    assert other.status_code == 302


def test_the_right_password_forgets_earlier_wrong_ones(client) -> None:
    UserFactory(email="ann@example.com")
    for _ in range(2):
        for _ in range(4):
            sign_in(client, "ann@example.com", "wrong")
        assert sign_in(client, "ann@example.com").status_code == 302
        client.post(reverse("account_logout"))


def test_an_imported_person_without_password_cannot_sign_in(client) -> None:
    person = UserFactory(email="ann@example.com")
    person.set_unusable_password()
    person.save()

    assert sign_in(client, "ann@example.com", "").status_code == 200
    assert not is_signed_in(client)


def test_who_may_not_sign_in_does_not(client) -> None:
    UserFactory(email="ann@example.com", is_active=False)

    sign_in(client, "ann@example.com")

    assert not is_signed_in(client)


def test_signing_out_takes_a_click_on_a_button(client) -> None:
    client.force_login(UserFactory())

    client.get(reverse("account_logout"))
    assert is_signed_in(client)
    client.post(reverse("account_logout"))
    assert not is_signed_in(client)


def test_after_signing_in_the_page_that_was_wanted_opens_and_never_another_site(client) -> None:
    UserFactory(email="ann@example.com")
    fields = {"login": "ann@example.com", "password": PASSWORD}

    wanted = client.post(reverse("account_login"), {**fields, "next": "/courses/"})
    client.post(reverse("account_logout"))
    elsewhere = client.post(reverse("account_login"), {**fields, "next": "https://evil.example/"})

    assert wanted["Location"] == "/courses/"
    assert elsewhere["Location"] == "/"
