"""Addresses, names and roles of people."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Role, User, normalised_email
from accounts.templatetags.people import public_name
from tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Ann@Example.COM", "ann@example.com"),
        (" ann@example.com ", "ann@example.com"),
        ("", None),
        ("  ", None),
        (None, None),
    ],
)
def test_an_address_has_one_form(written, kept) -> None:
    assert normalised_email(written) == kept


def test_people_without_an_address_are_many_and_one_address_is_one_person() -> None:
    User.objects.create_user(None)
    User.objects.create_user("")
    User.objects.create_user("ann@example.com")

    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_user("ANN@example.com")
    assert User.objects.filter(email=None).count() == 2


@pytest.mark.parametrize(
    ("role", "is_staff", "is_superuser"),
    [(Role.VIEWER, False, False), (Role.SELLER, True, False), (Role.OPERATOR, True, True)],
)
def test_what_somebody_may_follows_from_the_role_alone(role, is_staff, is_superuser) -> None:
    person = UserFactory(role=role)

    assert (person.is_staff, person.is_superuser) == (is_staff, is_superuser)


def test_createsuperuser_makes_an_operator() -> None:
    assert User.objects.create_superuser("op@example.com", "x").role == Role.OPERATOR


def test_nobody_is_shown_by_their_address_or_foreign_id() -> None:
    imported = UserFactory(display_name="", email=None, import_source="shop", external_id="7")
    seller = UserFactory(display_name="", role=Role.SELLER)

    assert "7" not in public_name(imported)
    assert "@" not in public_name(seller)
