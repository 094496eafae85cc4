"""`import_csv users`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.management import CommandError

from accounts.models import Role, StatedAttributes, User
from tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


def test_it_stores_people_with_what_they_said_of_themselves(import_csv, csv_file):
    path = csv_file(
        "external_id,display_name,gender,birth_year,occupation,language,joined_at\n"
        "U_1,张三,女,1990,student,zh,2025-03-01 20:00\n"
        "U_2,,M,,,,\n"
        "U_3,,,,,,\n"
    )

    outcome = import_csv("users", path, "--source", "school")

    assert outcome.last.startswith("3 rows stored, 0 already there, 0 refused")
    first, second, third = User.objects.filter(import_source="school").order_by("external_id")
    assert (first.display_name, first.language, first.role) == ("张三", "zh-hans", Role.VIEWER)
    assert first.joined_at == datetime(2025, 3, 1, 12, tzinfo=UTC)
    stated = first.stated
    assert (stated.gender, stated.birth_year, stated.occupation) == ("female", 1990, "student")
    assert second.stated.gender == "male"
    # Who said nothing has no row: that is how the rest of the platform tells.
    assert not StatedAttributes.objects.filter(user=third).exists()


def test_it_makes_people_who_cannot_sign_in(import_csv, csv_file):
    import_csv("users", csv_file("external_id\nU_1\nU_2\n"))
    one, two = User.objects.filter(import_source="csv")
    assert one.email is None
    assert not one.has_usable_password()
    assert not one.is_staff
    # The secret behind a link for a new password must not be shared.
    assert one.password != two.password


def test_it_finds_the_same_person_again_and_keeps_what_a_file_does_not_say(import_csv, csv_file):
    import_csv("users", csv_file("external_id,display_name,gender\nU_1,Ann,female\nU_2,Bo,\n"))
    key = User.objects.get(external_id="U_1").pk

    outcome = import_csv(
        "users", csv_file("external_id,display_name,birth_year\nU_1,,1991\nU_2,Bob,\n")
    )

    assert outcome.last.startswith("2 rows stored, 0 already there, 0 refused")
    again = User.objects.get(external_id="U_1")
    assert (again.pk, again.display_name) == (key, "Ann")
    assert (again.stated.gender, again.stated.birth_year) == ("female", 1991)
    assert User.objects.get(external_id="U_2").display_name == "Bob"


def test_it_keeps_the_same_id_of_two_sources_apart(import_csv, csv_file):
    path = csv_file("external_id\nU_1\n")
    import_csv("users", path, "--source", "a")
    import_csv("users", path, "--source", "b")
    assert User.objects.filter(external_id="U_1").count() == 2


def test_it_leaves_people_who_registered_here_alone(import_csv, csv_file):
    person = UserFactory(display_name="Me")
    import_csv("users", csv_file(f"external_id,display_name\n{person.pk},Other\n"))
    person.refresh_from_db()
    assert person.display_name == "Me"


def test_it_takes_the_last_of_two_lines_about_one_person(import_csv, csv_file):
    outcome = import_csv(
        "users", csv_file("external_id,display_name\nU_1,Ann\nU_1,Anna\nU_1,Anna\n")
    )
    assert outcome.last.startswith("2 rows stored, 1 already there, 0 refused")
    assert User.objects.get(external_id="U_1").display_name == "Anna"


@pytest.mark.mariadb(only=True)
def test_it_refuses_an_id_that_the_database_takes_for_another_one(import_csv, csv_file):
    """MariaDB compares without regard to capitals: the second would overwrite the first."""
    import_csv("users", csv_file("external_id,display_name\nU_a,Ann\n"))
    outcome = import_csv("users", csv_file("external_id,display_name\nU_A,Bo\nU_b,Cy\n"))
    assert outcome.last.startswith("1 rows stored, 0 already there, 1 refused")
    assert "line 2: cannot be stored beside what is there" in outcome.err
    assert User.objects.get(import_source="csv", display_name="Ann").external_id == "U_a"
    assert User.objects.filter(display_name="Cy").exists()


@pytest.mark.mariadb(only=True)
def test_it_refuses_a_source_that_the_database_takes_for_another_one(import_csv, csv_file):
    """Else the people of the one shop would be renamed by the file of the other."""
    import_csv("users", csv_file("external_id,display_name\nu1,Ann\n"), "--source", "shop")

    with pytest.raises(CommandError, match='rows of "shop"'):
        import_csv("users", csv_file("external_id,display_name\nu1,Bob\n"), "--source", "Shop")

    assert User.objects.get().display_name == "Ann"
