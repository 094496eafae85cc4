"""What operators do with people in the admin."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from accounts.consents import record_consent
from accounts.models import Purpose, Role, User
from tests.factories import OperatorFactory, StatedAttributesFactory, UserFactory

pytestmark = pytest.mark.django_db
GOOD = "a-long-and-odd-pass-phrase"


@pytest.fixture
def operator() -> User:
    return OperatorFactory()


@pytest.fixture
def client(operator: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(operator, backend="django.contrib.auth.backends.ModelBackend")
    return client


def change_page(person: User) -> str:
    return reverse("admin:accounts_user_change", args=[person.pk])


def test_it_adds_a_seller_who_can_sign_in_at_once(client: Client) -> None:
    data = {"email": "New@Example.com", "role": Role.SELLER, "password1": GOOD, "password2": GOOD}
    answer = client.post(reverse("admin:accounts_user_add"), data | {"usable_password": "true"})
    assert answer.status_code == 302
    person = User.objects.get(email="new@example.com")
    assert person.check_password(GOOD)
    assert person.role == Role.SELLER


def test_it_takes_no_second_person_with_an_address(client: Client) -> None:
    UserFactory(email="taken@example.com")
    data = {"email": "Taken@example.com", "role": "viewer", "password1": GOOD, "password2": GOOD}
    assert client.post(reverse("admin:accounts_user_add"), data).status_code == 200
    assert User.objects.filter(email="taken@example.com").count() == 1


def test_it_sets_a_password_by_its_own_form_and_never_shows_one(client: Client) -> None:
    person = UserFactory()
    assert person.password not in client.get(change_page(person)).content.decode()
    address = reverse("admin:auth_user_password_change", args=[person.pk])
    data = {"password1": "123", "password2": "123", "usable_password": "true"}
    assert client.post(address, data).status_code == 200
    data |= {"password1": GOOD, "password2": GOOD}
    assert client.post(address, data).status_code == 302
    person.refresh_from_db()
    assert person.check_password(GOOD)


def test_stated_attributes_and_consents_are_there_to_be_read(client: Client) -> None:
    stated = StatedAttributesFactory(birth_year=1987)
    consent = record_consent(user=stated.user, purpose=Purpose.MARKETING, is_granted=True)
    text = client.get(change_page(stated.user)).content.decode()
    assert "1987" in text
    assert consent.document_version in text
    assert 'name="stated-0-birth_year"' not in text
    assert 'name="consents-0-is_granted"' not in text


def test_a_person_who_enters_the_admin_needs_an_address(client: Client) -> None:
    person = UserFactory(email=None)
    data = {"display_name": "Nameless", "role": Role.SELLER, "is_active": "on"}
    for prefix in ("stated", "consents"):
        data |= {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}
    assert client.post(change_page(person), data).status_code == 200
    person.refresh_from_db()
    assert person.role == Role.VIEWER
    assert client.post(change_page(person), data | {"role": Role.VIEWER}).status_code == 302


def test_operators_cannot_lock_themselves_out(client: Client, operator: User) -> None:
    data = {"email": operator.email, "role": Role.VIEWER}
    for prefix in ("stated", "consents"):
        data |= {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}
    assert client.post(change_page(operator), data).status_code == 302
    operator.refresh_from_db()
    assert operator.role == Role.OPERATOR
    assert operator.is_active
