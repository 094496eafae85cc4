"""What people see and change on the page of their own account."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from accounts.consents import DOCUMENT_VERSION, record_consent
from accounts.models import Consent, Purpose, StatedAttributes
from tests.analytics.models_of import served_model
from tests.factories import (
    CategoryFactory,
    CourseFactory,
    EventFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db
ENGLISH = {"HTTP_ACCEPT_LANGUAGE": "en"}


@pytest.fixture
def ann(client):
    person = UserFactory(display_name="Ann")
    client.force_login(person)
    return person


@pytest.mark.parametrize("path", ["/account/", "/account/interests/", "/account/personalisation/"])
def test_strangers_are_asked_to_sign_in(client, path) -> None:
    method = client.get if path == "/account/" else client.post

    response = method(path)

    assert response.status_code == 302
    assert response["Location"] == f"/account/login/?next={path}"


def test_a_name_and_a_language_are_saved_and_the_page_speaks_it(client, ann) -> None:
    response = client.post(
        "/account/",
        {"save_name": "1", "display_name": "安", "language": "en"},
        follow=True,
    )

    ann.refresh_from_db()
    assert (ann.display_name, ann.language) == ("安", "en")
    assert b"Your account" in response.content


def test_stated_attributes_are_saved_and_may_be_taken_back(client, ann) -> None:
    told = {"birth_year": "1990", "gender": "female", "occupation": "teacher"}

    client.post("/account/", {"save_stated": "1", **told})
    stated = StatedAttributes.objects.get(user=ann)
    assert (stated.birth_year, stated.gender, stated.occupation) == (1990, "female", "teacher")

    client.post("/account/", {"save_stated": "1", "birth_year": "", "gender": "", "occupation": ""})
    stated.refresh_from_db()
    assert (stated.birth_year, stated.gender, stated.occupation) == (None, "", "")


@pytest.mark.parametrize("year", ["1899", "2999", "-1", "nineteen"])
def test_a_year_of_birth_that_cannot_be_is_refused_beside_the_field(client, ann, year) -> None:
    response = client.post("/account/", {"save_stated": "1", "birth_year": year})

    assert response.status_code == 422
    assert response.context["stated_form"].errors["birth_year"]
    assert not StatedAttributes.objects.exists()


def test_one_form_does_not_empty_the_other(client, ann) -> None:
    client.post("/account/", {"save_stated": "1", "birth_year": "1990"})

    ann.refresh_from_db()
    assert ann.display_name == "Ann"


def test_a_hostile_name_is_shown_as_text(client, ann) -> None:
    ann.display_name = "<script>alert(1)</script>"
    ann.save()

    assert b"<script>alert" not in client.get("/account/").content


def test_interests_are_exactly_those_chosen_last(client, ann) -> None:
    kept, dropped, new = (CategoryFactory() for _ in range(3))
    client.post("/account/interests/", {"categories": [kept.slug, dropped.slug]})

    client.post("/account/interests/", {"categories": [kept.slug, new.slug]})

    chosen = set(ann.chosen_interests.values_list("category", flat=True))
    assert chosen == {kept.pk, new.pk}
    assert f'value="{new.slug}" id' in client.get("/account/").content.decode()


def test_an_interest_that_does_not_exist_changes_nothing_and_is_named(client, ann) -> None:
    kept = CategoryFactory()
    client.post("/account/interests/", {"categories": [kept.slug]})

    response = client.post("/account/interests/", {"categories": ["nowhere"]}, follow=True)

    assert list(ann.chosen_interests.values_list("category", flat=True)) == [kept.pk]
    assert "nowhere" in response.content.decode()


def test_every_decision_is_appended_and_the_newest_holds(client, ann) -> None:
    for answer in ("no", "yes", "no"):
        client.post("/account/personalisation/", {"is_granted": answer})

    decisions = Consent.objects.filter(user=ann).order_by("pk")
    assert [one.is_granted for one in decisions] == [False, True, False]
    assert {one.document_version for one in decisions} == {DOCUMENT_VERSION}
    ann.refresh_from_db()
    assert not ann.is_personalised


def test_a_decision_about_something_else_leaves_personalisation_as_it_was() -> None:
    person = UserFactory()

    record_consent(user=person, purpose=Purpose.MARKETING, is_granted=False)

    person.refresh_from_db()
    assert person.is_personalised


def test_without_an_answer_personalisation_is_off(client, ann) -> None:
    """Silence is no consent."""
    client.post("/account/personalisation/")

    ann.refresh_from_db()
    assert not ann.is_personalised


def test_with_personalisation_off_the_home_page_shows_what_is_popular(client, ann) -> None:
    had, own, popular = (CourseFactory(title=t) for t in ("Had", "Chosen for Ann", "Liked by all"))
    EventFactory(user=ann, course=had)
    served_model([had, own, popular], after={0: {1: 1.0}}, popular=[0.0, 0.0, 1.0])

    def chosen() -> list[str]:
        cards = client.get("/", **ENGLISH).context["recommended"]
        return [card.course.title for card in cards]

    assert chosen() == ["Chosen for Ann", "Liked by all"]
    client.post("/account/personalisation/", {"is_granted": "no"})
    assert chosen() == ["Liked by all"]
    assert b"Popular with learners here" in client.get("/", **ENGLISH).content


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Popular with learners here"), ("zh-hans", "学员都在学")],
)
def test_the_switch_changes_the_language_and_stays_on_the_page(client, language, words) -> None:
    response = client.post("/i18n/setlang/", {"language": language, "next": "/?from=switch"})

    assert response["Location"] == "/?from=switch"
    assert words in client.get("/").content.decode()


def test_the_language_follows_the_browser_until_somebody_chooses(client) -> None:
    assert b'<html lang="en">' in client.get("/", **ENGLISH).content
    assert b'<html lang="zh-Hans">' in client.get("/", HTTP_ACCEPT_LANGUAGE="zh-CN").content
    assert b'<html lang="zh-Hans">' in client.get("/", HTTP_ACCEPT_LANGUAGE="fr").content


def test_the_switch_leads_to_no_other_site(client) -> None:
    response = client.post("/i18n/setlang/", {"language": "en", "next": "//evil.example/"})

    assert "evil" not in response["Location"]


def test_the_moment_of_a_decision_is_kept() -> None:
    before = datetime.now(UTC)

    consent = record_consent(user=UserFactory(), purpose=Purpose.TERMS, is_granted=True)

    assert before <= consent.decided_at <= datetime.now(UTC)
