"""Headers and cookies that keep a page from being turned against its reader."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from tests.factories import (
    PASSWORD,
    CourseFactory,
    LiveSessionFactory,
    ShowcaseItemFactory,
    UserFactory,
)

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.django_db


@pytest.fixture
def addresses() -> list[str]:
    course, session = CourseFactory(), LiveSessionFactory()
    item = ShowcaseItemFactory(live_session__live=True)
    return [
        "/",
        "/courses/",
        reverse("catalog:course_detail", args=[course.slug]),
        "/live/",
        reverse("streams:session_detail", args=[session.pk]),
        reverse("streams:session_detail", args=[item.live_session_id]),
        reverse("account_login"),
        reverse("account_signup"),
        reverse("account_reset_password"),
        "/account/",
    ]


def directives(response) -> dict[str, str]:
    parts = response["Content-Security-Policy"].split(";")
    return dict(part.strip().split(" ", 1) for part in parts if part.strip())


def test_every_page_forbids_inline_script_and_foreign_frames(client, addresses) -> None:
    client.force_login(UserFactory())
    for address in addresses:
        response = client.get(address, follow=True)

        policy = directives(response)
        assert policy["default-src"] == "'self'"
        assert policy.get("script-src", "'self'") == "'self'"
        assert "unsafe" not in response["Content-Security-Policy"]
        assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["X-Frame-Options"] == "DENY"
        assert response["Referrer-Policy"] == "same-origin"


def test_no_page_has_script_or_style_that_the_policy_would_stop(client, addresses) -> None:
    client.force_login(UserFactory())
    for address in addresses:
        html = client.get(address, follow=True).content.decode()

        assert not re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", html)
        assert not re.findall(r"<style|\sstyle=|\son[a-z]+=", html)


def test_the_policy_holds_for_pages_that_do_not_exist(client) -> None:
    assert directives(client.get("/nowhere/"))["default-src"] == "'self'"


def test_a_form_from_elsewhere_is_refused_with_a_page_that_helps() -> None:
    client = Client(enforce_csrf_checks=True, headers={"accept-language": "en"})

    response = client.post(reverse("account_login"), {"login": "a@example.com", "password": "x"})

    assert response.status_code == 403
    assert b"the form was open for too long" in response.content


def test_scripts_cannot_read_the_session_cookie(client) -> None:
    UserFactory(email="ann@example.com")

    response = client.post(
        reverse("account_login"), {"login": "ann@example.com", "password": PASSWORD}
    )

    cookie = response.cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


# Pages that need no database and no collected files, so that it is quick.
IN_PRODUCTION = """
import django
django.setup()
from django.conf import settings
from django.test import Client
plain, tls = (Client().get("/healthz", HTTP_HOST="localhost", secure=s) for s in (False, True))
assert plain.status_code == tls.status_code == 200
hsts = tls["Strict-Transport-Security"]
assert hsts == "max-age=31536000; includeSubDomains; preload", hsts
page = Client().get("/account/login/", HTTP_HOST="localhost")
assert page.status_code == 301 and page["Location"].startswith("https://")
foreign = Client().get("/account/login/", HTTP_HOST="evil.example", secure=True)
assert foreign.status_code == 400, foreign.status_code
assert settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE
print("all held")
"""


def test_with_debug_off_and_nothing_else_set_pages_insist_on_tls(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_PRODUCTION],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "VAR_DIR": str(tmp_path),
            "SECRET_KEY": "0123456789" * 5,
            "DJANGO_SETTINGS_MODULE": "livecourse.settings",
            "LOG_LEVEL": "CRITICAL",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout.strip().endswith("all held"), done.stderr
