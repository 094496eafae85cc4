"""Caches between server and person: nothing of one person is kept for another."""

from __future__ import annotations

import pytest
from django.test import Client
from rest_framework.test import APIClient

from tests.factories import PASSWORD, CourseFactory, UserFactory

pytestmark = pytest.mark.django_db


def test_no_cache_keeps_tokens_or_what_they_open() -> None:
    person, api = UserFactory(), APIClient()

    signed_in = api.post("/api/v1/auth/token/", {"email": person.email, "password": PASSWORD})
    token = {"Authorization": f"Bearer {signed_in.json()['access']}"}
    opened = [api.get(f"/api/v1/{path}", headers=token) for path in ("me/", "me/export/")]

    assert [one["Cache-Control"] for one in (signed_in, *opened)] == ["private, no-store"] * 3


def test_the_same_holds_for_a_signed_in_browser() -> None:
    browser = Client()
    browser.force_login(UserFactory())

    assert browser.get("/api/v1/recommendations/")["Cache-Control"] == "private, no-store"
    assert browser.get("/account/")["Cache-Control"] == "private"


def test_a_cover_may_be_shared_whoever_asks() -> None:
    browser = Client()
    browser.force_login(UserFactory())

    cover = browser.get(browser.get(f"/api/v1/courses/{CourseFactory().pk}/").json()["cover"])

    assert cover["Cache-Control"].startswith("public")
